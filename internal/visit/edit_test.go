package visit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/visit"
)

// An edit forgets and changes what it says, in both generations and nothing else, and what is written afterwards has it too.
func TestTracker_Edit(t *testing.T) {
	tracker := visit.New()
	join := func(site uint32, day event.Day, visitor uint64, at int64, path string) event.Row {
		var row event.Row
		tracker.Join(&event.Event{SiteID: site, Day: day, Visitor: visitor, Time: at, Hostname: "h.example", Path: path, Source: "S", City: 7}, &row)
		return row
	}
	join(1, 100, 11, 1_000, "/secret")
	join(1, 100, 12, 1_100, "/")
	join(2, 100, 11, 1_100, "/secret")
	join(1, 101, 11, 1_000+41*60, "/") // The three before are of the old generation now.
	join(1, 101, 13, 1_000+41*60, "/secret")
	seen := map[visit.Visit]bool{}
	forgotten, changed := tracker.Edit(func(v *visit.Visit) bool {
		seen[*v] = true
		if v.SiteID == 1 && v.EntryPage == "/secret" {
			v.EntryPage = "{erased}"
		}
		return v.SiteID != 1 || v.Visitor != 12
	})
	want := map[visit.Visit]bool{
		{SiteID: 1, Day: 100, Visitor: 11, EntryPage: "/secret"}: true, {SiteID: 1, Day: 100, Visitor: 12, EntryPage: "/"}: true,
		{SiteID: 2, Day: 100, Visitor: 11, EntryPage: "/secret"}: true, {SiteID: 1, Day: 101, Visitor: 11, EntryPage: "/"}: true,
		{SiteID: 1, Day: 101, Visitor: 13, EntryPage: "/secret"}: true,
	}
	if forgotten != 1 || changed != 2 || !cmp.Equal(seen, want) {
		t.Errorf("%d forgotten, %d changed, seen %v", forgotten, changed, seen)
	}
	loaded := visit.New()
	if err := loaded.Load(tracker.AppendState(nil)); err != nil || loaded.Len() != 4 {
		t.Fatalf("%d visits, %v", loaded.Len(), err)
	}
	tracker = loaded
	at := int64(1_000 + 42*60)
	got := join(1, 101, 13, at, "/next")
	if got.VisitStart != 1_000+41*60 || got.Seq != 1 || got.EntryPage != "{erased}" || got.EntryHost != "h.example" || got.Source != "S" || got.City != 7 || got.Path != "/next" {
		t.Errorf("the visit went on as %+v", got)
	}
	if got := join(1, 101, 11, at, "/next"); got.EntryPage != "/" || got.Seq != 1 {
		t.Errorf("another visit went on as %+v", got)
	}
}
