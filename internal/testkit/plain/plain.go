// Package plain is a second, plain implementation of what a visit is: it walks over raw rows and says where visits begin and end, and what their
// numbers are.
//
// It stands beside the line. A test reads the rows that are stored and has them compared with what they say of themselves (their visit, their place in
// it, its entry and its attributes), and compares the totals with the answers of the product.
//
// Invariants: it is written from the rules, and shares no code with those that made the rows or that answer questions. The rules: 30 minutes without an
// event end a visit, and so does the site's midnight, which is another day; engagement never opens one; an event that comes late joins the visit that is
// open; the attributes of a visit are those of its first event. A visit's duration is from its first to its last event that is no engagement. It bounced
// if it has fewer than two pageviews and no custom event that is interactive.
//
// It is slow and keeps everything in memory. It does not read a database, and it does not know where a day begins: a row's day says it.
package plain

import "github.com/daysalt/daysalt/internal/event"

// HalfHour is the longest pause within a visit, in seconds.
const HalfHour = 1800

// Visit is one visit.
type Visit struct {
	Site    uint32
	Day     event.Day
	Visitor uint64

	First event.Row // the event that opened it
	Start int64     // its time, which names the visit
	Rows  int       // engagement too

	Began, Ended     int64 // of what is no engagement: least and greatest time
	Pageviews, Other int   // other: custom events
	Interactive      int   // custom events that are
	EntryPage        string
	ExitPage         string // of the first and the last pageview; "" without any

	last int64 // greatest time of all its events
}

// Duration returns the seconds from the first event to the last.
func (v *Visit) Duration() int64 { return v.Ended - v.Began }

// Bounced says whether it is a bounce.
func (v *Visit) Bounced() bool { return v.Pageviews < 2 && v.Interactive == 0 }

// person is whose visits do not touch those of another one.
type person struct {
	site    uint32
	origin  uint16
	day     event.Day
	visitor uint64
}

func personOf(r *event.Row) person { return person{r.SiteID, r.Origin, r.Day, r.Visitor} }

// Visits returns the visits of rows, which must be in the order of the journal for each visitor and day, and for every row the index of its visit, or -1 for
// none.
func Visits(rows []event.Row) (visits []Visit, of []int) {
	open := map[person]int{}
	of = make([]int, len(rows))
	for i := range rows {
		r := &rows[i]
		of[i] = -1
		if r.Visitor == 0 {
			continue
		}
		k := personOf(r)
		n, ok := open[k]
		if !ok || r.Time-visits[n].last > HalfHour {
			if r.Kind == event.Engagement {
				continue
			}
			n = len(visits)
			open[k] = n
			visits = append(visits, Visit{
				Site: r.SiteID, Day: r.Day, Visitor: r.Visitor, First: *r, Start: r.Time, Began: r.Time, Ended: r.Time, last: r.Time,
			})
		}
		visits[n].add(r)
		of[i] = n
	}
	return visits, of
}

func (v *Visit) add(r *event.Row) {
	v.Rows++
	v.last = max(v.last, r.Time)
	if r.Kind == event.Engagement {
		return
	}
	v.Began, v.Ended = min(v.Began, r.Time), max(v.Ended, r.Time)
	if r.Kind != event.Pageview {
		v.Other++
		if r.Interactive {
			v.Interactive++
		}
		return
	}
	if v.Pageviews == 0 {
		v.EntryPage = r.Path
	}
	v.Pageviews++
	v.ExitPage = r.Path
}

// Total is the sum of a day's visits at a site.
type Total struct {
	Visits, Bounces, Pageviews, Events int // events: without engagement
	Seconds                            int64
	Entries, Exits                     map[string]Total // by entry and exit page; nil within them
}

// Key names a day of a site.
type Key struct {
	Site uint32
	Day  event.Day
}

// Totals adds visits up.
func Totals(visits []Visit) map[Key]Total {
	days := map[Key]Total{}
	for i := range visits {
		v := &visits[i]
		k := Key{v.Site, v.Day}
		t, ok := days[k]
		if !ok {
			t.Entries, t.Exits = map[string]Total{}, map[string]Total{}
		}
		entry, exit := t.Entries[v.EntryPage], t.Exits[v.ExitPage]
		for _, sum := range []*Total{&t, &entry, &exit} {
			sum.add(v)
		}
		t.Entries[v.EntryPage], t.Exits[v.ExitPage] = entry, exit
		days[k] = t
	}
	return days
}

func (t *Total) add(v *Visit) {
	t.Visits++
	t.Pageviews += v.Pageviews
	t.Events += v.Pageviews + v.Other
	t.Seconds += v.Duration()
	if v.Bounced() {
		t.Bounces++
	}
}

// Merge returns the sum of totals.
func Merge(totals ...Total) Total {
	sum := Total{Entries: map[string]Total{}, Exits: map[string]Total{}}
	for _, t := range totals {
		sum.merge(t)
		for page, one := range t.Entries {
			old := sum.Entries[page]
			old.merge(one)
			sum.Entries[page] = old
		}
		for page, one := range t.Exits {
			old := sum.Exits[page]
			old.merge(one)
			sum.Exits[page] = old
		}
	}
	return sum
}

func (t *Total) merge(o Total) {
	t.Visits += o.Visits
	t.Bounces += o.Bounces
	t.Pageviews += o.Pageviews
	t.Events += o.Events
	t.Seconds += o.Seconds
}
