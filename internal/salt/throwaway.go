package salt

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/daysalt/daysalt/internal/event"
)

// ErrExpired says that a Throwaway is older than 24 hours or was destroyed. The import cannot go on: nobody can make its numbers again.
var ErrExpired = errors.New("the import's keys were destroyed, as they are after 24 hours")

// batchSlots is the size of a Throwaway's page: the secret, and the keys of the dates it was last asked for.
const batchSlots = 63

// Throwaway makes the visitor numbers of one import, for any dates and zones. It has one random secret of 128 bits, from which the key of a date in a zone
// is derived; so an import that goes on after a restart makes the same numbers, and once the secret is destroyed nobody makes them again.
// It is safe for concurrent use, and meant for one goroutine at a time.
type Throwaway struct {
	clock Clock

	mu     sync.Mutex // guards what follows
	page   *page      // the secret is in the first slot
	state  uint64     // of the secret's slot
	keys   map[zoneDay]*dayKey
	ring   [batchSlots]zoneDay // what is in the other slots
	next   int                 // the slot to use next
	closed error               // why it is of no use any more
}

// OpenThrowaway goes on with the secret in a file, or makes file and secret; the zero File keeps it in memory only. Of a secret that is too old, nothing is left
// afterwards and the answer is ErrExpired.
func OpenThrowaway(at File, clock Clock, log *slog.Logger) (*Throwaway, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	t := &Throwaway{clock: clock, keys: map[zoneDay]*dayKey{}, next: 1}
	var err error
	if at == (File{}) {
		t.page, err = newPage(batchSlots)
	} else {
		t.page, err = openPage(at, batchSlots, log)
	}
	if err != nil {
		return nil, err
	}
	if t.page.guard != nil {
		log.Warn("the memory for an import's keys could not be locked and may be swapped to a disk", "error", t.page.guard)
	}
	if err := t.begin(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// begin finds or makes the secret, and unlocks the page.
func (t *Throwaway) begin() error {
	defer t.page.unlock()
	t.page.clean()
	secret, boot := &t.page.slots[0], t.clock.Boot()
	switch {
	case secret.kind() != live:
		if err := secret.fill(rand.Reader); err != nil {
			return err
		}
		secret.made, secret.ends = int64(boot), math.MaxInt64
		secret.turn(live, 0)
		t.page.fresh = true
	case secret.old(boot, longestBatch):
		return errors.Join(ErrExpired, t.page.remove())
	}
	t.state = secret.state.Load()
	for i := range t.page.slots[1:] { // another process may have left some, and only it knew whose
		t.page.slots[1+i].destroy(empty, 0)
	}
	return nil
}

// Fresh says whether OpenThrowaway made the secret. An import that goes on and finds it fresh has lost the one it began with, and has to begin anew.
func (t *Throwaway) Fresh() bool { return t.page.fresh }

// Number returns the calendar day of t, and the visitor number of an address and agent on it. The error is ErrExpired 24 hours after the secret was made,
// and from Destroy on.
func (t *Throwaway) Number(siteID uint32, zone *time.Location, at time.Time, address netip.Addr, agent string) (event.Day, uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.check(); err != nil {
		return 0, 0, err
	}
	v := visitor{siteID, address, agent}
	date := zoneDay{zone.String(), DayOf(at, zone)}
	key := t.keys[date]
	for range lookups { // another process that has the file open may have taken the key's place
		if key != nil {
			if number, ok := key.slot.number(key.state, &v); ok {
				return date.day, number, nil
			}
		}
		var err error
		if key, err = t.derive(date); err != nil {
			return 0, 0, err
		}
	}
	return 0, 0, errTaken
}

// Expired says whether the 24 hours are over or the secret was destroyed, and destroys what is left of it. It is to be asked now and then while an import
// rests: memory that no file holds is wiped by nobody else.
func (t *Throwaway) Expired() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.check() != nil
}

// check returns why the secret is of no use, and destroys it when it is too old. The caller holds mu.
func (t *Throwaway) check() error {
	if t.closed != nil {
		return t.closed
	}
	secret := &t.page.slots[0]
	if secret.state.Load() == t.state && !secret.old(t.clock.Boot(), longestBatch) {
		return nil
	}
	return errors.Join(ErrExpired, t.destroy())
}

// derive makes the key of a date, in the place of the one made longest ago. The lock keeps it from being written behind the back of who sweeps the file.
func (t *Throwaway) derive(date zoneDay) (*dayKey, error) {
	if err := t.page.lock(); err != nil {
		return nil, err
	}
	defer t.page.unlock()
	secret, s := &t.page.slots[0], &t.page.slots[t.next]
	if secret.state.Load() != t.state {
		return nil, ErrExpired
	}
	delete(t.keys, t.ring[t.next])
	s.destroy(empty, 0)
	s.derive(secret, date)
	key := &dayKey{day: date.day, slot: s, state: s.turn(live, date.day)}
	t.keys[date], t.ring[t.next] = key, date
	t.next = t.next%(batchSlots-1) + 1
	return key, nil
}

// derive sets the key to the first 128 bits of HMAC-SHA-256(secret, day || zone). It is RFC 2104 by hand, because crypto/hmac keeps keys on the heap.
func (s *slot) derive(secret *slot, date zoneDay) {
	erasing(func() {
		const block = sha256.BlockSize
		var inner, outer [block + 2 + 128]byte
		for i := range block {
			b := byte(0)
			if i < 16 {
				b = byte(secret.key[i/8].Load() >> (8 * (i % 8)))
			}
			inner[i], outer[i] = b^0x36, b^0x5c
		}
		text := append(inner[:block], byte(date.day), byte(date.day>>8))
		id := sha256.Sum256([]byte(date.zone)) // of one length, so that it fits
		sum := sha256.Sum256(append(text, id[:]...))
		sum = sha256.Sum256(append(outer[:block], sum[:]...))
		for i := range s.key {
			var word uint64
			for j := range 8 {
				word |= uint64(sum[8*i+j]) << (8 * j)
			}
			s.key[i].Store(word)
		}
	})
}

// Destroy overwrites the secret and every key, and removes the file.
func (t *Throwaway) Destroy() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed != nil {
		return nil
	}
	return t.destroy()
}

func (t *Throwaway) destroy() error {
	if err := t.page.lock(); err != nil {
		return err
	}
	err := errors.Join(t.page.remove(), t.end(ErrExpired))
	wipeTraces()
	return err
}

// Close leaves the secret in its file, for the next process. Without a file it is destroyed.
func (t *Throwaway) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed != nil {
		return nil
	}
	return t.end(fmt.Errorf("the import's keys were closed: %w", os.ErrClosed))
}

// end gives the memory back.
func (t *Throwaway) end(why error) error {
	t.closed = why
	clear(t.keys)
	if t.page.file == nil {
		t.page.wipe()
	} else {
		for i := range t.page.slots[1:] {
			t.page.slots[1+i].destroy(empty, 0)
		}
	}
	return t.page.close()
}
