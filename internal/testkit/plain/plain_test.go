package plain_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/testkit/plain"
	"github.com/daysalt/daysalt/internal/visit"
)

// row is an event at a time of a visitor. Its path is its number.
func row(visitor uint64, at int64, kind event.Kind) event.Row {
	names := map[event.Kind]string{event.Pageview: "pageview", event.Engagement: "engagement", event.Custom: "Signup"}
	return event.Row{Event: event.Event{
		SiteID: 1, Day: event.Day(at / 86_400), Time: at, Visitor: visitor, Kind: kind, Name: names[kind], Interactive: kind == event.Custom,
		Hostname: "h", Path: fmt.Sprintf("/%d", at), Source: fmt.Sprintf("s%d", at),
	}}
}

// summary of visits in a line each.
func summary(visits []plain.Visit) string {
	var b strings.Builder
	for _, v := range visits {
		fmt.Fprintf(&b, "%d from %d: %d rows, %d+%d, %d s, bounce %v, %s to %s\n",
			v.Visitor, v.Start, v.Rows, v.Pageviews, v.Other, v.Duration(), v.Bounced(), v.EntryPage, v.ExitPage)
	}
	return b.String()
}

func TestVisits(t *testing.T) {
	f := func(name, want string, rows ...event.Row) {
		t.Helper()
		visits, _ := plain.Visits(rows)
		if diff := cmp.Diff(want, summary(visits)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	const p, e, c = event.Pageview, event.Engagement, event.Custom
	f("one", "1 from 100: 1 rows, 1+0, 0 s, bounce true, /100 to /100\n", row(1, 100, p))
	f("half an hour", "1 from 100: 2 rows, 2+0, 1800 s, bounce false, /100 to /1900\n", row(1, 100, p), row(1, 1900, p))
	f("more than that", "1 from 100: 1 rows, 1+0, 0 s, bounce true, /100 to /100\n1 from 1901: 1 rows, 1+0, 0 s, bounce true, /1901 to /1901\n",
		row(1, 100, p), row(1, 1901, p))
	f("engagement goes on, and is no time", "1 from 100: 3 rows, 2+0, 3000 s, bounce false, /100 to /3100\n", row(1, 100, p), row(1, 1500, e), row(1, 3100, p))
	f("engagement opens none", "1 from 500: 1 rows, 1+0, 0 s, bounce true, /500 to /500\n", row(1, 100, e), row(1, 500, p))
	f("a custom event", "1 from 100: 2 rows, 1+1, 7 s, bounce false, /107 to /107\n", row(1, 100, c), row(1, 107, p))
	f("late", "1 from 100: 2 rows, 2+0, 10 s, bounce false, /100 to /90\n", row(1, 100, p), row(1, 90, p))
	f("late, and the pause counts from the last", "1 from 100: 3 rows, 3+0, 1810 s, bounce false, /100 to /1900\n", row(1, 100, p), row(1, 90, p), row(1, 1900, p))
	f("midnight", "1 from 86399: 1 rows, 1+0, 0 s, bounce true, /86399 to /86399\n1 from 86400: 1 rows, 1+0, 0 s, bounce true, /86400 to /86400\n",
		row(1, 86399, p), row(1, 86400, p))
	f("two visitors", "1 from 100: 1 rows, 1+0, 0 s, bounce true, /100 to /100\n2 from 101: 1 rows, 1+0, 0 s, bounce true, /101 to /101\n", row(1, 100, p), row(2, 101, p))
	f("no visitor", "", row(0, 100, p))
}

func TestTotals(t *testing.T) {
	rows := []event.Row{row(1, 100, event.Pageview), row(2, 100, event.Pageview), row(2, 160, event.Pageview), row(3, 86_400, event.Custom)}
	visits, _ := plain.Visits(rows)
	got := plain.Totals(visits)
	one := plain.Total{Visits: 1, Bounces: 1, Pageviews: 1, Events: 1}
	two := plain.Total{Visits: 1, Pageviews: 2, Events: 2, Seconds: 60}
	both := plain.Total{Visits: 2, Bounces: 1, Pageviews: 3, Events: 3, Seconds: 60}
	custom := plain.Total{Visits: 1, Events: 1}
	first, second := both, custom
	first.Entries, first.Exits = map[string]plain.Total{"/100": both}, map[string]plain.Total{"/100": one, "/160": two}
	second.Entries, second.Exits = map[string]plain.Total{"": custom}, map[string]plain.Total{"": custom}
	if diff := cmp.Diff(map[plain.Key]plain.Total{{Site: 1, Day: 0}: first, {Site: 1, Day: 1}: second}, got); diff != "" {
		t.Error(diff)
	}
	sum := plain.Merge(first, second, first)
	if sum.Visits != 5 || sum.Seconds != 120 || sum.Exits["/160"].Pageviews != 4 || sum.Entries[""].Visits != 1 {
		t.Errorf("%+v", sum)
	}
	if first.Visits != 2 || first.Exits["/160"].Pageviews != 2 {
		t.Error("Merge changed what it was given")
	}
}

// Engagement that says it is in no visit is believed where it may have come when none was open.
func TestCompare_engagementAlone(t *testing.T) {
	f := func(right bool, at int64, others ...event.Row) {
		t.Helper()
		rows := append([]event.Row{row(1, at, event.Engagement)}, others...)
		tracker := visit.New()
		for i := range rows {
			e := rows[i].Event
			tracker.Join(&e, &rows[i])
		}
		rows[0].Seq, rows[0].VisitStart, rows[0].EntryHost, rows[0].EntryPage = 0, at, "", ""
		if _, diff := plain.Compare(rows); (diff.Err() == nil) != right {
			t.Errorf("engagement at %d: %v", at, diff.Err())
		}
	}
	const p = event.Pageview
	f(true, 100)
	f(true, 100, row(1, 100, p))
	f(true, 103, row(1, 100, p))
	f(false, 106, row(1, 100, p))
	f(false, 1900, row(1, 100, p))
	f(true, 1901, row(1, 100, p))
	f(true, 1901, row(1, 100, p), row(1, 4000, p))
	f(false, 1901, row(1, 100, p), row(1, 1890, p), row(1, 4000, p))
	f(true, 1901, row(1, 100, p), row(1, 1897, p))
	f(true, 200, row(2, 100, p))
}

// traffic returns random events of a few visitors over three days, about in order, with the pauses at which a visit just ends.
func traffic(rng *rand.Rand) []event.Row {
	rows := make([]event.Row, 400)
	at := int64(86_400) - 3000
	last := map[uint64]int64{}
	for i := range rows {
		visitor := 1 + rng.Uint64N(6)
		at += rng.Int64N(120)
		when := at - rng.Int64N(3)
		if rng.IntN(5) == 0 && last[visitor] > 0 {
			at = max(at, last[visitor]+plain.HalfHour-1+rng.Int64N(3))
			when = at
		}
		kind := []event.Kind{event.Pageview, event.Pageview, event.Engagement, event.Custom}[rng.IntN(4)]
		rows[i] = row(visitor, when, kind)
		rows[i].SiteID = 1 + rng.Uint32N(2)
		last[visitor] = max(last[visitor], when)
	}
	return rows
}

// The rows that the product makes of random traffic are as the rules say, also when they come in any order; and one that is changed is told.
func TestCompare(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	spoil := []func(r *event.Row){
		func(r *event.Row) { r.VisitStart-- },
		func(r *event.Row) { r.Seq++ },
		func(r *event.Row) { r.EntryPage = "/other" },
		func(r *event.Row) { r.Browser = "other" },
	}
	for range 50 {
		rows := traffic(rng)
		tracker := visit.New()
		for i := range rows {
			e := rows[i].Event
			tracker.Join(&e, &rows[i])
		}
		expected, _ := plain.Visits(append([]event.Row(nil), rows...))
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		visits, diff := plain.Compare(rows)
		if err := diff.Err(); err != nil {
			t.Fatal(err)
		}
		if len(visits) != len(expected) {
			t.Fatalf("%d visits, in their own order %d", len(visits), len(expected))
		}
		i := rng.IntN(len(rows))
		if rows[i].Kind == event.Engagement {
			continue
		}
		which := rng.IntN(len(spoil))
		if which == 3 && visitRows(rows, i) == 1 {
			continue // The only row of a visit has the attributes of its first.
		}
		spoil[which](&rows[i])
		if _, diff := plain.Compare(rows); diff.Err() == nil {
			t.Fatalf("change %d of %+v was not told", which, rows[i])
		}
	}
}

// visitRows returns how many rows the visit of a row has.
func visitRows(rows []event.Row, i int) (n int) {
	for _, r := range rows {
		if r.SiteID == rows[i].SiteID && r.Day == rows[i].Day && r.Visitor == rows[i].Visitor && r.VisitStart == rows[i].VisitStart {
			n++
		}
	}
	return n
}
