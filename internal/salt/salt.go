// Package salt makes visitor numbers: it turns a site, an address and a user agent into a number that is the same all day and means nothing
// the next.
//
// ingest asks it once per event. The number is SipHash-2-4 under a random key that belongs to one calendar day in one time zone; app calls
// Forget every few seconds, which takes the keys of days that are over out of use and overwrites them a moment later. Then nobody can make that
// day's numbers again.
//
// Invariants: a key comes from the system's random source and is derived from nothing. For a time zone there is one key in use at a time, and never
// one for a date before a date already seen, so that a clock set back cannot bring a day back. Address and agent are read and not kept.
//
// It keeps keys in memory only: after a restart, people who come back within the day are counted again. It does not keep the memory from being
// swapped or dumped, and it knows no sites' settings.
package salt

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
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

	mu     sync.Mutex // one change at a time
	byZone atomic.Pointer[map[string]*dayKey]
	over   []overKey // out of use, not overwritten yet
}

// dayKey is the key of one date in one zone. A nil key says that the date was seen and has none.
type dayKey struct {
	day  event.Day
	zone *time.Location
	key  *[2]atomic.Uint64 // atomic, because it is overwritten while a late reader may hold it
}

// overKey is a key out of use, and since when.
type overKey struct {
	key   *[2]atomic.Uint64
	since time.Time
}

// requestsEnd is how long a request that has looked its key up may go on using it.
const requestsEnd = 10 * time.Second

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
	number := siphash.Hash(key.key[0].Load(), key.key[1].Load(), b)
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
	if key, ok := (*k.byZone.Load())[zone.String()]; ok && key.day >= day && key.key != nil {
		return key, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	seen, ok := (*k.byZone.Load())[zone.String()]
	if ok && seen.day >= day {
		if seen.key != nil {
			return seen, nil
		}
		day = seen.day
	}
	var secret [16]byte
	if _, err := io.ReadFull(k.random, secret[:]); err != nil {
		return nil, fmt.Errorf("cannot make the day's key: %w", err)
	}
	key := &dayKey{day: day, zone: zone, key: new([2]atomic.Uint64)}
	key.key[0].Store(binary.LittleEndian.Uint64(secret[:8]))
	key.key[1].Store(binary.LittleEndian.Uint64(secret[8:]))
	clear(secret[:])
	k.replace(key)
	if ok && seen.key != nil {
		k.over = append(k.over, overKey{seen.key, time.Time{}}) // Forget dates it
	}
	return key, nil
}

// replace puts one zone's key into a new snapshot. The caller holds the lock.
func (k *Keys) replace(key *dayKey) {
	next := maps.Clone(*k.byZone.Load())
	next[key.zone.String()] = key
	k.byZone.Store(&next)
}

// Forget takes keys of days that are over at now out of use, and overwrites those that have been out of use for longer than a request may take.
// It is to be called every few seconds.
func (k *Keys) Forget(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range *k.byZone.Load() {
		today := DayOf(now, key.zone)
		if key.key == nil || key.day >= today {
			continue
		}
		k.replace(&dayKey{day: today, zone: key.zone})
		k.over = append(k.over, overKey{key.key, time.Time{}})
	}
	k.over = slices.DeleteFunc(k.over, func(o overKey) bool {
		if o.since.IsZero() || now.Sub(o.since) <= requestsEnd {
			return false
		}
		o.key[0].Store(0)
		o.key[1].Store(0)
		return true
	})
	for i := range k.over {
		if k.over[i].since.IsZero() {
			k.over[i].since = now
		}
	}
}
