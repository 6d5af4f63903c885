// Package ledger compares the events that were sent with those that are stored: which are lost, which are there twice, and which are there that
// never should be.
//
// It stands beside the line: a test gives every event a number of its own, notes how it was answered, asks the database which numbers it has, and
// lets a Ledger do the sums.
//
// Invariants: the arithmetic is complete. Every number that was sent or is stored is in exactly one place of a Report, so that nothing can be
// wrong without being in one of Lost, Duplicated and Unexpected, and the answers must add up to what was sent. An event without an answer may be stored or not, but not twice.
//
// It sends nothing, asks nobody, and knows no events.
package ledger

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Ledger is what was sent, by its answer. The zero value is an empty one. It is for one goroutine.
type Ledger struct {
	sent    int
	fate    map[uint64]fate
	refused map[int]int // events, by status
	spoiled map[uint64]bool
	risked  map[uint64]bool
	twice   []uint64 // noted more than once
}

// fate is how an event was answered.
type fate uint8

const (
	accepted fate = iota
	unknown
	dropped
)

// Send notes how many events were sent. Each of them is then noted by its answer.
func (l *Ledger) Send(n int) { l.sent += n }

func (l *Ledger) note(f fate, ids []uint64) {
	if l.fate == nil {
		l.fate = make(map[uint64]fate, len(ids))
	}
	for _, id := range ids {
		if _, ok := l.fate[id]; ok {
			l.twice = append(l.twice, id)
			continue
		}
		l.fate[id] = f
	}
}

// Accept notes events that were answered as kept.
func (l *Ledger) Accept(ids ...uint64) { l.note(accepted, ids) }

// Lose notes events that got no answer: the connection ended before it came. They may be stored or not.
func (l *Ledger) Lose(ids ...uint64) { l.note(unknown, ids) }

// Drop notes events that were answered as dropped: the server says that it does not count them.
func (l *Ledger) Drop(ids ...uint64) { l.note(dropped, ids) }

// Refuse notes n events that were answered with a status that says they are not kept. Their numbers need not be known: one that is stored all the same
// is one that was not to be expected.
func (l *Ledger) Refuse(status, n int) {
	if l.refused == nil {
		l.refused = map[int]int{}
	}
	l.refused[status] += n
}

// Spoil names accepted events that must not be stored, because the test made them unreadable on the way or such that the database refuses them.
func (l *Ledger) Spoil(ids ...uint64) {
	if l.spoiled == nil {
		l.spoiled = map[uint64]bool{}
	}
	for _, id := range ids {
		l.spoiled[id] = true
	}
}

// Risk names accepted events that may be lost, because they were accepted just before something that nothing survives.
func (l *Ledger) Risk(ids ...uint64) {
	if l.risked == nil {
		l.risked = map[uint64]bool{}
	}
	for _, id := range ids {
		l.risked[id] = true
	}
}

// Report is the outcome. The lists are sorted.
type Report struct {
	Sent     int
	Accepted int
	Dropped  int
	Unknown  int         // no answer
	Refused  map[int]int // by status
	Spoiled  int
	Risked   int

	Stored       int // different events
	StoredNoWord int // of these, without an answer
	RiskedLost   int // of the risked ones

	Lost       []uint64 // accepted and not stored, without the spoiled and the risked ones
	Duplicated []uint64 // stored more than once
	Unexpected []uint64 // stored, and neither accepted nor without an answer, or spoiled
	Twice      []uint64 // noted more than once
}

// Check compares with what is stored: how often each number is. It changes nothing.
func (l *Ledger) Check(stored map[uint64]int) Report {
	r := Report{Sent: l.sent, Refused: maps.Clone(l.refused), Spoiled: len(l.spoiled), Risked: len(l.risked), Twice: slices.Sorted(slices.Values(l.twice))}
	for id, f := range l.fate {
		n := stored[id]
		switch f {
		case accepted:
			r.Accepted++
			switch {
			case n > 0 || l.spoiled[id]:
			case l.risked[id]:
				r.RiskedLost++
			default:
				r.Lost = append(r.Lost, id)
			}
		case unknown:
			r.Unknown++
			if n > 0 {
				r.StoredNoWord++
			}
		case dropped:
			r.Dropped++
		}
	}
	for id, n := range stored {
		if n == 0 {
			continue
		}
		r.Stored++
		if n > 1 {
			r.Duplicated = append(r.Duplicated, id)
		}
		if f, sent := l.fate[id]; !sent || f == dropped || l.spoiled[id] {
			r.Unexpected = append(r.Unexpected, id)
		}
	}
	slices.Sort(r.Lost)
	slices.Sort(r.Duplicated)
	slices.Sort(r.Unexpected)
	return r
}

// Err says everything that is wrong, or nothing.
func (r Report) Err() error {
	var errs []error
	f := func(what string, ids []uint64) {
		if len(ids) > 0 {
			errs = append(errs, fmt.Errorf("%d %s, such as %v", len(ids), what, ids[:min(len(ids), 5)]))
		}
	}
	f("accepted events are lost", r.Lost)
	f("events are stored more than once", r.Duplicated)
	f("events are stored that must not be", r.Unexpected)
	f("events were noted twice by the test", r.Twice)
	total := r.Accepted + r.Dropped + r.Unknown
	for _, n := range r.Refused {
		total += n
	}
	if total != r.Sent {
		errs = append(errs, fmt.Errorf("%d events were sent, and %d have an answer or are known to have none", r.Sent, total))
	}
	return errors.Join(errs...)
}

// String is one line of numbers.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "sent %d, accepted %d", r.Sent, r.Accepted)
	if r.Dropped > 0 {
		fmt.Fprintf(&b, ", dropped %d", r.Dropped)
	}
	for _, status := range slices.Sorted(maps.Keys(r.Refused)) {
		fmt.Fprintf(&b, ", refused with %d: %d", status, r.Refused[status])
	}
	if r.Unknown > 0 {
		fmt.Fprintf(&b, ", without an answer %d (%d of them stored)", r.Unknown, r.StoredNoWord)
	}
	if r.Spoiled > 0 {
		fmt.Fprintf(&b, ", spoiled %d", r.Spoiled)
	}
	if r.Risked > 0 {
		fmt.Fprintf(&b, ", at risk %d (%d of them lost)", r.Risked, r.RiskedLost)
	}
	fmt.Fprintf(&b, ", stored %d, lost %d, duplicated %d", r.Stored, len(r.Lost), len(r.Duplicated))
	if len(r.Unexpected) > 0 {
		fmt.Fprintf(&b, ", unexpected %d", len(r.Unexpected))
	}
	return b.String()
}
