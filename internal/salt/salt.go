// Package salt makes visitor numbers: it turns a site, an address and a user agent into a number that is the same all day and means nothing
// the next.
//
// ingest asks it once per event. The number is SipHash-2-4 under a random key that belongs to one calendar day in one time zone; when the
// day is over the key is overwritten, and nobody can make that day's numbers again.
//
// Invariants: a key comes from the system's random source and is derived from nothing. For a time zone there is one key at a time, and never
// one for a date before a date already used, so that a clock set back cannot bring a day back. Address and agent are read and not kept.
//
// It keeps keys in memory only: after a restart, people who come back within the day are counted again. It knows no sites' settings.
package salt

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dchest/siphash"

	"github.com/daysalt/daysalt/internal/event"
)

// maxAgent bounds how much of a user agent is hashed, in bytes. Real ones are shorter; two that differ only beyond it are one visitor.
const maxAgent = 512

// Keys holds the key of the present day for every time zone in use.
type Keys struct {
	random io.Reader

	mu     sync.Mutex // one new key at a time
	byZone atomic.Pointer[map[string]*dayKey]
}

// dayKey is the key of one date in one zone.
type dayKey struct {
	day    event.Day
	k0, k1 uint64
}

// New returns Keys without any key; random is crypto/rand.Reader outside tests.
func New(random io.Reader) *Keys {
	k := &Keys{random: random}
	k.byZone.Store(&map[string]*dayKey{})
	return k
}

// Number returns the site's calendar day at t, and the visitor number of an address and agent on it. An error means that no key could be
// made because the system's random source failed.
func (k *Keys) Number(siteID uint32, zone *time.Location, t time.Time, address netip.Addr, agent string) (event.Day, uint64, error) {
	key, err := k.key(zone, DayOf(t, zone))
	if err != nil {
		return 0, 0, err
	}
	var buf [4 + 1 + 16 + 2 + maxAgent]byte
	b := binary.LittleEndian.AppendUint32(buf[:0], siteID)
	// Length before each part: "1.2.3.4" and an agent can never be cut in two ways that hash alike.
	raw, size := address.Unmap().As16(), byte(16)
	if address.Unmap().Is4() {
		size = 4
	}
	b = append(b, size)
	b = append(b, raw[16-size:]...)
	agent = agent[:min(len(agent), maxAgent)]
	b = binary.LittleEndian.AppendUint16(b, uint16(len(agent)))
	b = append(b, agent...)
	number := siphash.Hash(key.k0, key.k1, b)
	if number == 0 {
		number = 1 // 0 says that no number was made
	}
	return key.day, number, nil
}

// DayOf returns the calendar day of t in a zone.
func DayOf(t time.Time, zone *time.Location) event.Day {
	_, offset := t.In(zone).Zone()
	return event.Day((t.Unix() + int64(offset)) / 86400)
}

func (k *Keys) key(zone *time.Location, day event.Day) (*dayKey, error) {
	if key, ok := (*k.byZone.Load())[zone.String()]; ok && key.day >= day {
		return key, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	current := *k.byZone.Load()
	if key, ok := current[zone.String()]; ok && key.day >= day {
		return key, nil
	}
	var secret [16]byte
	if _, err := io.ReadFull(k.random, secret[:]); err != nil {
		return nil, fmt.Errorf("cannot make the day's key: %w", err)
	}
	key := &dayKey{day: day, k0: binary.LittleEndian.Uint64(secret[:8]), k1: binary.LittleEndian.Uint64(secret[8:])}
	clear(secret[:])
	next := make(map[string]*dayKey, len(current)+1)
	for name, other := range current {
		next[name] = other
	}
	next[zone.String()] = key
	k.byZone.Store(&next)
	return key, nil
}
