package store_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/store"
)

// keyed returns n rows of that day, of visits of one page each.
func keyed(day event.Day, n int) []event.Row {
	rows := make([]event.Row, n)
	for i := range rows {
		at := int64(day)*86_400 + int64(i%86_400)
		rows[i] = event.Row{
			Event:      event.Event{SiteID: 1 + uint32(i%3), Day: day, Time: at, Visitor: math.MaxUint64 - uint64(i), Name: "pageview", RetentionDays: 2000},
			VisitStart: at, Seq: uint16(i % 5), Origin: 7,
		}
	}
	return rows
}

const (
	october  event.Day = 20_750
	november event.Day = 20_760
)

func TestStored(t *testing.T) {
	s := open(t)
	f := func(what string, rows []event.Row, wantStored, wantKnown bool) {
		t.Helper()
		stored, known, err := s.Stored(t.Context(), rows)
		if stored != wantStored || known != wantKnown || err != nil {
			t.Errorf("%s: stored %v, known %v, %v; want %v, %v", what, stored, known, err, wantStored, wantKnown)
		}
	}
	first := keyed(october, 1000)
	f("an empty table", first, false, true)
	if err := s.Insert(t.Context(), "first", first); err != nil {
		t.Fatal(err)
	}
	f("rows that are there", first, true, true)
	f("one of them", first[500:501], true, true)
	f("those of another month", keyed(november, 1000), false, true)
	f("no rows", nil, false, false)

	change := func(what string, change func(r *event.Row), wantStored, wantKnown bool) {
		t.Helper()
		rows := slices.Clone(first[:50])
		for i := range rows {
			change(&rows[i])
		}
		f(what, rows, wantStored, wantKnown)
	}
	change("the same", func(*event.Row) {}, true, true)
	change("another site", func(r *event.Row) { r.SiteID += 3 }, false, true)
	change("another day", func(r *event.Row) { r.Day++ }, false, true)
	change("other visitors", func(r *event.Row) { r.Visitor -= 1000 }, false, true)
	change("other visits", func(r *event.Row) { r.VisitStart += 1000 }, false, true)
	change("other places", func(r *event.Row) { r.Seq += 5 }, false, true)
	change("another origin", func(r *event.Row) { r.Origin = 0 }, false, true)
	change("without visitors", func(r *event.Row) { r.Visitor = 0 }, false, false)
	change("at the last place, which many have", func(r *event.Row) { r.Seq = math.MaxUint16 }, false, false)
	change("engagement in no visit", func(r *event.Row) { r.Kind, r.Seq = event.Engagement, 0 }, false, false)
	change("engagement in a visit", func(r *event.Row) { r.Kind = event.Engagement }, true, true)

	// Engagement in no visit may have the key of the first row of a visit, and says nothing of that.
	alone := keyed(november, 10)
	for i := range alone {
		alone[i].Kind, alone[i].Seq = event.Engagement, 0
	}
	if err := s.Insert(t.Context(), "alone", alone); err != nil {
		t.Fatal(err)
	}
	for i := range alone {
		alone[i].Kind = event.Pageview
	}
	f("visits that begin with engagement before", alone, false, true)

	// Few rows with a key are found among many, and few that are left of many.
	sparse := slices.Clone(first)
	for i := range sparse {
		if i != 333 {
			sparse[i].Visitor = 0
		}
	}
	f("one row with a key", sparse, true, true)
	if err := s.RemoveSite(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveSite(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	f("rows of which most were deleted", first, true, true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Stored(t.Context(), first); err == nil {
		t.Error("a closed store answers")
	}
}

// A month of an insert keeps its token when it is sent alone: ship relies on it for rows without a key. The question reads what the keys need, and not the table.
func TestStored_isCheap(t *testing.T) {
	s := open(t)
	october, november := keyed(october, 10), keyed(november, 200_000)
	count := func(want string) {
		t.Helper()
		if got := ask(t, s, "SELECT toString(count()) FROM events", nil)[0]; got != want {
			t.Errorf("%s rows, want %s", got, want)
		}
	}
	for _, rows := range [][]event.Row{slices.Concat(october, november), november, october} {
		if err := s.Insert(t.Context(), "both", rows); err != nil {
			t.Fatal(err)
		}
		count("200010")
	}
	if stored, _, err := s.Stored(t.Context(), november[100_000:100_001]); !stored || err != nil {
		t.Fatal(stored, err)
	}
	ranges := ask(t, s, "SELECT explain FROM (EXPLAIN indexes = 1 "+store.Probe(november[100_000:100_001])+") WHERE explain ILIKE '%Granules: %'", nil)
	if len(ranges) == 0 || !strings.HasSuffix(ranges[len(ranges)-1], " 1/24") {
		t.Errorf("the question reads %q", ranges)
	}
}
