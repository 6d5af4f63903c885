// Package visit joins events to visits: it says for every event in which visit of its visitor it is, and at which place.
//
// It stands inside ship, which gives it the events in the order of the journal and writes the rows it fills. One goroutine owns a Tracker. Live events
// have one, and each import has one of its own: its events are of another time, and in order for each visitor only.
//
// Invariants. What a Tracker answers depends on the events it was given, in their order, and on nothing else: no clock, no random number, no
// order of a map. So the same events give the same rows after a crash. Only Edit, for an erasure, comes in between. A visit lies in one site-local day and has one visitor: an event of
// another day, or one more than Idle after the visit's last event, begins a new one, unless it is engagement. Engagement keeps an open visit going and
// never opens one: a tab that is left after an hour is no second visit, and must not give one its source. VisitStart is unique for a visit of a
// visitor and day, because a later visit starts later; that holds as long as events come at most 40 minutes behind the newest one seen (with
// NewUnordered: as long as a visitor's events are in order). An event that is older than the visitor's last one, by however much, joins the visit that is open.
// The attributes of a visit (acquisition, entry, place and client) are those of its first event, so that a visit has one browser and one country although
// hints and databases change. No state ties two days or two sites of a visitor together.
//
// Engagement that is in no visit is a row of its own, whose VisitStart is its time. A visit that begins in the same second has the same VisitStart,
// and the same Seq 0, but not the same attributes: who puts a visit together from its rows must take its attributes from another kind of event.
//
// It computes no totals and no durations, and it does not know where a day begins: Event.Day says it.
package visit

import (
	"maps"
	"math"

	"github.com/daysalt/daysalt/internal/event"
)

// Idle is how many seconds may pass between two events of a visit, the last of them included.
const Idle = 30 * 60

// period is how many seconds of event time a visit is remembered at least after it was touched: Idle, and ten minutes for events that come late.
const period = Idle + 10*60

// maxOpen is how many visits one generation holds. It bounds memory and the time that a checkpoint takes. Beyond it visits are forgotten early, the longest
// untouched ones first; it takes half a million visitors within 40 minutes to get there.
const maxOpen = 1 << 19

// MaxOpen is how many visits a Tracker remembers at most.
const MaxOpen = 2 * maxOpen

// key says whose visit it is. It is two whole words, without a gap between fields, because it is hashed and compared for every event.
type key struct {
	siteDay uint64 // the site, and the day in the 16 low bits
	visitor uint64
}

func keyOf(site uint32, day event.Day, visitor uint64) key {
	return key{uint64(site)<<16 | uint64(day), visitor}
}

// visit is what is kept of an open visit.
type visit struct {
	start int64  // time of the first event
	last  int64  // greatest time of its events
	next  uint16 // Seq of the next event
	facts string // attributes, packed; see facts.go
}

// Tracker holds the open visits. It is for one goroutine.
//
// They are in two generations: a visit that is touched moves to the young one, and each period the old one is dropped and the young one grows old. So
// forgetting costs nothing per event, and a visit is remembered for one period at least and two at most.
type Tracker struct {
	young, old map[key]*visit
	mark       int64  // greatest event time seen
	turned     int64  // mark when the generations changed last; not used where keep is
	maxOpen    int    // visits of a generation
	keep       int    // of NewUnordered; 0: events are about in order
	early      uint64 // see Early
}

// New returns a Tracker without open visits.
func New() *Tracker {
	t := &Tracker{maxOpen: maxOpen}
	t.Reset()
	return t
}

// NewUnordered returns a Tracker for events that are in order for each visitor, and in none among visitors: an event of one visitor says nothing about
// whether the visit of another has ended. It forgets a visit that ended more than Idle before the newest event seen once keep others or more were touched after
// it: so it remembers what is open in a file that is sorted by time, and what is touched in one that is sorted by visitor. Others it forgets as a Tracker of New
// does when there is no more room: it remembers at most so many visits. keep is from 1 to half of most, and most to MaxOpen.
func NewUnordered(keep, most int) *Tracker {
	t := &Tracker{maxOpen: most / 2, keep: keep}
	t.Reset()
	return t
}

// Reset forgets everything but the number of Early.
func (t *Tracker) Reset() {
	t.young, t.old = map[key]*visit{}, map[key]*visit{}
	t.mark, t.turned = math.MinInt64, math.MinInt64
}

// Newest returns the time of the newest event that was joined, in seconds since 1970-01-01 UTC. ok is false where there was none since New, or since Reset.
func (t *Tracker) Newest() (unix int64, ok bool) { return t.mark, t.mark != math.MinInt64 }

// Len returns how many visits are remembered.
func (t *Tracker) Len() int { return len(t.young) + len(t.old) }

// Early returns how many visits were forgotten for want of room although an event of the time of the newest one could have joined them: those of their visitors who
// came back were counted as two. It only grows, and is no part of the state.
func (t *Tracker) Early() uint64 { return t.early }

// Open returns how many of the visits that are remembered an event of the time of the newest one could join.
func (t *Tracker) Open() int { return t.open(t.young) + t.open(t.old) }

func (t *Tracker) open(generation map[key]*visit) (n int) {
	for _, v := range generation {
		if t.isOpen(v) {
			n++
		}
	}
	return n
}

// isOpen says whether an event of the time of the newest one could join v. last is never beyond mark.
func (t *Tracker) isOpen(v *visit) bool { return uint64(t.mark)-uint64(v.last) <= Idle }

// Join fills row with e and the visit it belongs to. e may be &row.Event. It keeps none of the event's strings: what it remembers is a copy.
//
// An event in no visit, which is one without a visitor (Visitor 0) and engagement without an open visit, changes nothing that is remembered: its
// VisitStart is its time, its Seq 0, its entry empty and the rest its own.
func (t *Tracker) Join(e *event.Event, row *event.Row) {
	if e != &row.Event {
		row.Event = *e
	}
	e = &row.Event
	t.advance(e.Time)
	row.VisitStart, row.Seq, row.EntryHost, row.EntryPage = e.Time, 0, "", ""
	if e.Visitor == 0 {
		return
	}

	k := keyOf(e.SiteID, e.Day, e.Visitor)
	v := t.young[k]
	young := v != nil
	if !young {
		v = t.old[k]
	}
	// Unsigned, because the difference of two int64 may overflow.
	if v == nil || e.Time > v.last && uint64(e.Time)-uint64(v.last) > Idle {
		if e.Kind == event.Engagement {
			return
		}
		v = &visit{start: e.Time, last: e.Time, facts: pack(row)}
		if young {
			t.young[k] = v
		}
	} else {
		v.last = max(v.last, e.Time)
		unpack(v.facts, row)
	}
	row.VisitStart, row.Seq = v.start, v.next
	if v.next < math.MaxUint16 {
		v.next++
	}
	if !young {
		delete(t.old, k)
		t.makeRoom()
		t.young[k] = v
	}
}

// advance moves the mark, and with it the generations. A jump over two periods forgets both.
func (t *Tracker) advance(now int64) {
	if now <= t.mark {
		return
	}
	if t.mark == math.MinInt64 {
		t.turned = now
	}
	t.mark = now
	if t.keep > 0 {
		return
	}
	passed := uint64(t.mark) - uint64(t.turned)
	if passed < period {
		return
	}
	t.turn()
	if passed >= 2*period {
		t.turn()
	}
	t.turned = t.mark
}

// makeRoom is called before the young generation gets another visit. What it does depends on the state alone, so that it is the same after a crash.
func (t *Tracker) makeRoom() {
	n := len(t.young)
	if t.keep > 0 && n > 0 && n%t.keep == 0 {
		t.sweep()
	}
	if len(t.young) >= t.maxOpen {
		t.early += uint64(t.open(t.old))
		t.turn()
	}
}

// sweep forgets what has ended in the old generation. Where there is room for what is left and the young generation, these become the old one.
func (t *Tracker) sweep() {
	left := make(map[key]*visit, t.open(t.old))
	for k, v := range t.old {
		if t.isOpen(v) {
			left[k] = v
		}
	}
	t.old = left
	if len(t.young)+len(left) > t.maxOpen {
		return
	}
	t.turn()
	maps.Copy(t.old, left)
}

// turn forgets the old generation and makes the young one old. The new map is not the old one cleared, so that memory shrinks after a rush.
func (t *Tracker) turn() {
	t.young, t.old = map[key]*visit{}, t.young
}
