// Package abuse notes how many events came from which masked address in which minute, and what became of them: what an operator needs to see
// who floods a site. Nothing is noted unless the setting addresses.store is on.
//
// ingest gives it every event's site, time, masked address and fate; it counts them, and once a minute writes the counts through store
// to the table abuse. From there they go nowhere but to the command line.
//
// Invariants: a row holds a site, a minute, a masked address, a fate and a count, and nothing else of any event: no visitor number, no page. However
// badly a caller masks, no more than /24 of an IPv4 or /64 of an IPv6 address is kept. Memory is bounded: what finds no room is counted as
// lost, what the database does not take within ten minutes as dropped. Rows are written once: again under their token, they are the same rows.
//
// It is no count of visitors, and not exact: a process that is killed takes up to a minute of it along, and more while the database is away. It blocks nobody.
package abuse

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"
)

// RetentionDays is how long a row is answered, in days. The table's TTL says the same.
const RetentionDays = 15

// Row says how often a masked address had one fate on one site in one minute. Two rows may say so of the same minute: their events add up.
type Row struct {
	SiteID  uint32     // 0: none of the sites
	Minute  int64      // its first second, since 1970-01-01 UTC
	Address netip.Addr // masked; an IPv4 address as itself, not as a mapped one; :: where it was not known
	Reason  string     // what became of the events, a word of ingest
	Events  uint32
}

// Filter chooses what is summed.
type Filter struct {
	SiteID *uint32   // nil: every site, and none
	From   time.Time // the first minute; none is answered that is older than RetentionDays
	Limit  int       // at most this many, at least 1
}

// Summary is the sum of the rows of one site, address and reason.
type Summary struct {
	SiteID      uint32
	Address     netip.Addr // masked
	Reason      string
	Events      uint64
	First, Last time.Time // minutes
}

// Sink stores rows. It stores them once however often a token comes, and its errors hold nothing of the rows.
type Sink interface {
	InsertAbuse(ctx context.Context, token string, rows []Row) error
}

// Config bounds a Recorder.
type Config struct {
	// MaxEntries is how many different rows a minute may have, 1 to 10,000,000; 0 for 100,000. While the database is away, each may take up to
	// 1 kB of memory, because ten minutes may wait.
	MaxEntries int
}

const (
	defaultEntries = 100_000
	largestEntries = 10_000_000
)

// Recorder counts. It is safe for concurrent use. The nil *Recorder counts nothing.
type Recorder struct {
	sink Sink
	now  func() time.Time
	log  *slog.Logger

	seed  maphash.Seed
	table atomic.Pointer[table] // where the next event is counted

	turn    chan struct{} // holds something while somebody writes; guards what follows
	run     string        // no other process's tokens begin with it
	batches uint64        // made so far
	waiting []batch       // not stored yet, oldest first
	failing bool

	counter counters
}

type counters struct {
	rows, failures, lost, dropped atomic.Uint64

	waiting atomic.Int64
}

// Stats is what a Recorder did since it was made. All but Waiting only grow.
type Stats struct {
	Rows     uint64 // stored
	Failures uint64 // inserts that failed; each is tried again
	Lost     uint64 // events that were not counted because the minute had MaxEntries rows
	Dropped  uint64 // events that were counted but not stored: the database did not take them in time
	Waiting  int64  // rows that an insert failed for and that will be tried again
}

// New returns a Recorder that writes to sink once Run is called. log may be nil.
func New(cfg Config, sink Sink, now func() time.Time, log *slog.Logger) (*Recorder, error) {
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = defaultEntries
	}
	if cfg.MaxEntries < 1 || cfg.MaxEntries > largestEntries {
		return nil, fmt.Errorf("cannot count %d addresses a minute: must be 1 to %d", cfg.MaxEntries, largestEntries)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{
		sink: sink, now: now, log: log,
		seed: maphash.MakeSeed(), turn: make(chan struct{}, 1), run: rand.Text(),
	}
	r.table.Store(newTable(cfg.MaxEntries))
	return r, nil
}

// Record counts an event of now. reason must be one of few constants: it is kept as it is. It takes no lock, and allocates nothing for what was
// counted in this minute before.
func (r *Recorder) Record(siteID uint32, t time.Time, masked netip.Addr, reason string) {
	if r == nil {
		return
	}
	k := key{site: siteID, minute: uint32(t.Unix() / 60), address: shorten(masked).As16(), reason: reason}
	hash := maphash.Comparable(r.seed, k)
	for {
		switch r.table.Load().add(hash, &k) {
		case counted:
			return
		case full:
			r.counter.lost.Add(1)
			return
		case sealed: // it was taken away in this moment, and the next one is in its place
		}
	}
}

// shorten leaves what the weakest mask of a site leaves, and nothing of a zone. What is masked already stays as it is.
func shorten(a netip.Addr) netip.Addr {
	a = a.Unmap()
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil { // both lengths fit
		return netip.Addr{}
	}
	return p.Addr()
}

// Stats returns the numbers of now; of the nil *Recorder, zeros.
func (r *Recorder) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	c := &r.counter
	return Stats{Rows: c.rows.Load(), Failures: c.failures.Load(), Lost: c.lost.Load(), Dropped: c.dropped.Load(), Waiting: c.waiting.Load()}
}
