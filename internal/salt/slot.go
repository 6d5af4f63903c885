package salt

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/daysalt/daysalt/internal/event"
)

// slotBytes is the size of a slot, and of the page's header.
const slotBytes = 64

// slot is a place for one key in a page. Everything but state and key is read and written under the page's lock only.
//
// A key may be read without the lock, in this order: the key, then the state. If the state is still the one under which the key was looked up, then
// the key is that one: whoever destroys a key changes the state before he touches the key, and no state comes twice.
type slot struct {
	state atomic.Uint64    // kind in 8 bits, day in 16, number of the change in 40
	key   [2]atomic.Uint64 // zero unless the kind is live or ready
	zone  zoneID
	made  int64 // nanoseconds of the time since boot
	ends  int64 // Unix time in seconds at which the key's date is over in its zone
	_     int64
}

// kind says what a slot holds. The numbers are in files.
type kind uint8

const (
	empty kind = 0
	live  kind = 1 // a key in use
	ready kind = 2 // a key made before its date
	seen  kind = 3 // no key: none may be made for a date before day
	worn  kind = 4 // no key: as seen, and day itself had a key that was used for as long as one may be
	kinds      = 5
)

// hasKey says whether a slot of the kind holds a key.
func (k kind) hasKey() bool { return k == live || k == ready }

// zoneID stands for a zone's name: names have no greatest length.
type zoneID [16]byte

func idOf(name string) zoneID {
	sum := sha256.Sum256([]byte(name))
	return zoneID(sum[:16])
}

func (s *slot) kind() kind     { return kind(s.state.Load()) }
func (s *slot) day() event.Day { return event.Day(s.state.Load() >> 8) }

// turn gives the slot a new state, which no reader has seen before, and returns it. Swap keeps what is done after it from being seen before it.
func (s *slot) turn(to kind, day event.Day) uint64 {
	state := (s.state.Load()>>24+1)<<24 | uint64(day)<<8 | uint64(to)
	s.state.Swap(state)
	return state
}

// destroy turns the slot into one without a key and overwrites the key.
func (s *slot) destroy(to kind, day event.Day) {
	s.turn(to, day)
	s.wipe()
	s.made, s.ends = 0, math.MaxInt64
	if to == empty {
		s.zone = zoneID{}
	}
}

func (s *slot) wipe() {
	s.key[0].Store(0)
	s.key[1].Store(0)
}

// bytes is the key's place, for those who fill it. The slot must be empty, so that nobody reads it.
func (s *slot) bytes() *[16]byte {
	return (*[16]byte)(unsafe.Pointer(&s.key)) //nolint:gosec // G103: a key is made where it stays, so that there is never a second copy.
}

// blank says whether there is no key in the slot. A key of zeros is none.
func (s *slot) blank() bool {
	var none bool
	erasing(func() { none = s.key[0].Load()|s.key[1].Load() == 0 })
	return none
}

// errBlank says that a source of keys gave nothing.
var errBlank = errors.New("the key has only zeros")

// fill makes a random key in an empty slot.
func (s *slot) fill(random io.Reader) error {
	var err error
	erasing(func() { _, err = io.ReadFull(random, s.bytes()[:]) })
	if err == nil && s.blank() {
		err = errBlank
	}
	if err != nil {
		s.wipe()
		return fmt.Errorf("cannot read random bytes: %w", err)
	}
	return nil
}

// old says whether the key was in use for at least the given time. A key from the future is old: its age is not known.
func (s *slot) old(boot, most time.Duration) bool {
	return s.made > int64(boot) || int64(boot)-s.made >= int64(most)
}

// worn is what becomes of a slot whose key was in use for as long as one may be. Its date may not be over: then it gets another key, and nothing links
// the two.
func (s *slot) worn() (kind, event.Day) {
	if s.kind() == ready {
		return empty, 0
	}
	return worn, s.day()
}
