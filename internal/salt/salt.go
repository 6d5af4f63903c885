// Package salt makes visitor numbers: it turns a site, an address and a user agent into a number that is the same all day and means nothing
// the next.
//
// ingest asks it once per event. The number is SipHash-2-4 under a random key that belongs to one calendar day in one time zone; app calls Tend
// every second, which destroys the keys of days that are over. Then nobody can make that day's numbers again. An import has a Throwaway of its own,
// whose keys are for days long past and are destroyed with it.
//
// Invariants: a day's key comes from the system's random source, or from the store that several nodes share, and is derived from nothing. It exists
// once, in a page of locked memory, which for storage "runtime" is also a file on tmpfs: so it survives the process and not the machine, and overwriting
// the page leaves no copy. In a time zone there is one key in use at a time, never one for a date before the highest date seen, never one longer than 26
// hours of the time since boot: a clock that is wrong cannot bring a day back or make one last. Address and agent are read and not kept.
//
// It does not keep a key secret from who may read this process's memory, or the file, while the day lasts: he can test addresses. It cannot wipe the
// kernel's and the processor's own copies, and not what tmpfs wrote to swap while no server held the page locked. The file of a server that was stopped
// keeps its key until its day is over and a Sweeper of any server of the same user comes by, or the machine ends. It knows no sites' settings.
package salt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
)

// Clock tells the wall's time, and the time since the machine booted, which nobody can set back.
type Clock interface {
	Now() time.Time
	Boot() time.Duration
}

// Shared is a store of keys that several nodes share.
type Shared interface {
	// Fetch writes the key of a date in a zone to key, and makes it if there is none. It answers ErrOver when the date was dropped. It does not touch
	// key after it returned.
	Fetch(ctx context.Context, zone string, day event.Day, key *[16]byte) error
	// Drop destroys the key of a date. It is no error if there is none.
	Drop(ctx context.Context, zone string, day event.Day) error
}

// ErrOver is Shared's answer for a date whose key was destroyed.
var ErrOver = errors.New("the date's key was destroyed")

// Storage says where keys are kept.
type Storage string

// The storages.
const (
	Runtime  Storage = "runtime"  // a file on tmpfs: survives a restart of the process
	Memory   Storage = "memory"   // this process's memory: visitors who come back after a restart are counted again
	Postgres Storage = "postgres" // a PostgreSQL that several nodes share, and this process's memory
)

const (
	longest      = 26 * time.Hour   // how long a key is used; a day has 25 hours at most
	longestBatch = 24 * time.Hour   // how long the keys of an import are
	wrongClock   = time.Hour        // behind midnight by less is no wrong date to warn of
	lookups      = 4                // how often a key may be destroyed between looking it up and using it
	earlier      = 10 * time.Minute // how long before its date a shared key is fetched
	patience     = time.Second      // for one answer of the shared store
	pause        = 5 * time.Second  // after the shared store failed
)

// Config says where keys are kept.
type Config struct {
	Storage Storage
	File    File      // Runtime: the place for the keys, in a directory that RuntimeDir found
	Shared  Shared    // Postgres: the store
	Random  io.Reader // nil is the system's random source
}

// Keys holds the key of the present day for every time zone in use. It is safe for concurrent use.
type Keys struct {
	cfg   Config
	clock Clock
	log   *slog.Logger
	page  *page

	byZone    atomic.Pointer[map[string]*dayKey] // what page says; the state of a slot tells when it does not any more
	own       atomic.Uint64
	destroyed atomic.Uint64
	behind    atomic.Int64

	mu      sync.Mutex // one change at a time; guards what follows
	closed  bool
	locked  bool                 // whether the page's lock could be had the last time
	cleaned uint64               // how many keys were destroyed when the last traces were wiped
	warned  map[string]event.Day // per zone: the highest date, where the wall is behind it
	share   sharing
}

// dayKey is the key of one date in one zone. It does not change.
type dayKey struct {
	day   event.Day
	zone  *time.Location
	slot  *slot
	state uint64 // the slot's, as long as it holds this key
}

// zoneDay is a date in a zone.
type zoneDay struct {
	zone string
	day  event.Day
}

// Stats are counts since the start, or how it is now.
type Stats struct {
	InUse     int    // keys that exist now
	Destroyed uint64 // keys destroyed by this process
	Own       uint64 // keys made because the shared store could not be reached, or did not have to be asked: visitors have another number on each node
	Behind    int    // zones in which the wall's date is before the highest date seen
	Locked    bool   // the keys' memory cannot be swapped
}

// Open returns the Keys of a storage. Keys in the file that are over, or too old, are destroyed first. The error is a fault for a storage that does not
// exist; else the file could not be used.
func Open(cfg Config, clock Clock, log *slog.Logger) (*Keys, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	k := &Keys{cfg: cfg, clock: clock, log: log, locked: true, warned: map[string]event.Day{}}
	k.byZone.Store(&map[string]*dayKey{})
	if cfg.Storage == Postgres {
		k.share = newSharing()
	} else {
		k.cfg.Shared = nil
	}
	var err error
	switch {
	case cfg.Storage == Runtime && cfg.File != (File{}):
		k.page, err = openPage(cfg.File, keySlots, log)
	case cfg.Storage == Memory, cfg.Storage == Postgres && cfg.Shared != nil:
		k.page, err = newPage(keySlots)
	default:
		return nil, fault.Invalidf("salt.storage", "must be runtime (with a place for the key file), memory or postgres (with a store)")
	}
	if err != nil {
		return nil, err
	}
	if k.page.guard != nil {
		log.Warn("the memory for keys could not be locked and may be swapped to a disk: raise the limit of locked memory to 64 KiB or more", "error", k.page.guard)
	}
	k.page.clean()
	k.page.sweep(clock.Now(), clock.Boot(), k.forget)
	k.page.unlock()
	return k, nil
}

// Number returns the site's calendar day at t, and the visitor number of an address and agent on it. The day is later than t's when the zone has seen a
// later one. An error means that no key could be made: the random source failed, the file's lock cannot be had, or there are too many zones.
func (k *Keys) Number(siteID uint32, zone *time.Location, t time.Time, address netip.Addr, agent string) (event.Day, uint64, error) {
	v := visitor{siteID, address, agent}
	day := DayOf(t, zone)
	key := (*k.byZone.Load())[zone.String()]
	for range lookups {
		if key != nil && key.day >= day {
			if number, ok := key.slot.number(key.state, &v); ok {
				return key.day, number, nil
			}
		}
		var err error
		if key, err = k.find(zone, day); err != nil {
			return 0, 0, fmt.Errorf("cannot make the day's key: %w", err)
		}
	}
	return 0, 0, errTaken
}

// Stats says how it is.
func (k *Keys) Stats() Stats {
	s := Stats{
		Destroyed: k.destroyed.Load(), Own: k.own.Load(), Behind: int(k.behind.Load()),
		Locked: k.page.guard == nil,
	}
	for i := range k.page.slots {
		if k.page.slots[i].kind().hasKey() {
			s.InUse++
		}
	}
	return s
}

// Close makes an end: keys in memory are destroyed, those in a file stay for the next process. Number fails from then on. The page stays mapped until the
// process ends, because a late request may be reading it.
func (k *Keys) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	k.byZone.Store(&map[string]*dayKey{})
	if k.page.file == nil {
		k.page.wipe()
		return nil
	}
	return k.page.file.Close()
}

// errTaken says that a key went as often as it was looked up.
var errTaken = errors.New("cannot use the day's key: it was destroyed again and again")

var errClosed = fmt.Errorf("the keys were closed: %w", os.ErrClosed)

// DayOf returns the calendar day of t in a zone.
func DayOf(t time.Time, zone *time.Location) event.Day {
	_, offset := t.In(zone).Zone()
	return event.Day((t.Unix() + int64(offset)) / 86400)
}

// EndOf returns when a calendar day is over in a zone: the first second of a later one. Days have from 23 to 25 hours, and a zone may skip one.
func EndOf(day event.Day, zone *time.Location) time.Time {
	const span = 4 * 86400
	from := int64(day)*86400 - 86400 // zones are less than a day away from UTC
	n := sort.Search(span, func(i int) bool { return DayOf(time.Unix(from+int64(i), 0), zone) > day })
	return time.Unix(from+int64(n), 0)
}
