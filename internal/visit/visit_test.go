package visit

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
)

// noon is an arbitrary time on day 20000.
const noon = 20_000*86_400 + 43_200

func pageview(visitor uint64, at int64, path string) event.Event {
	return event.Event{SiteID: 1, Day: event.Day(at / 86_400), Time: at, Visitor: visitor, Name: "pageview", Hostname: "a.test", Path: path, Source: "from " + path}
}

func join(tr *Tracker, e event.Event) event.Row {
	var row event.Row
	tr.Join(&e, &row)
	return row
}

func TestJoin_endsAVisitAfterMoreThanThirtyMinutes(t *testing.T) {
	f := func(gap int64, wantSame bool) {
		t.Helper()
		tr := New()
		join(tr, pageview(1, noon, "/"))
		join(tr, pageview(1, noon+60, "/b"))
		row := join(tr, pageview(1, noon+60+gap, "/c"))
		want := event.Row{Event: pageview(1, noon+60+gap, "/c"), VisitStart: noon + 60 + gap, EntryHost: "a.test", EntryPage: "/c"}
		if wantSame {
			want.VisitStart, want.Seq, want.EntryPage, want.Source = noon, 2, "/", "from /"
		}
		if diff := cmp.Diff(want, row); diff != "" {
			t.Errorf("gap of %d s (-want +got):\n%s", gap, diff)
		}
	}
	f(0, true)
	f(29*60+59, true)
	f(30*60, true)
	f(30*60+1, false)
	f(5*3600, false)
	// The visit goes on while its events do, however old it is.
	tr := New()
	for i := range int64(10) {
		if row := join(tr, pageview(1, noon+i*1800, "/")); row.VisitStart != noon || row.Seq != uint16(i) {
			t.Errorf("event %d: visit %d, seq %d", i, row.VisitStart, row.Seq)
		}
	}
}

func TestJoin_aVisitBelongsToOneSiteDayAndVisitor(t *testing.T) {
	tr := New()
	join(tr, pageview(1, noon, "/"))
	f := func(change func(e *event.Event), want int64) {
		t.Helper()
		e := pageview(1, noon+10, "/b")
		change(&e)
		if row := join(tr, e); row.VisitStart != want {
			t.Errorf("visit_start %d, want %d", row.VisitStart, want)
		}
	}
	f(func(*event.Event) {}, noon)
	f(func(e *event.Event) { e.SiteID = 2 }, noon+10)
	f(func(e *event.Event) { e.Day++ }, noon+10)
	f(func(e *event.Event) { e.Visitor = 2 }, noon+10)
	f(func(e *event.Event) { e.Time += 5 }, noon) // The others did not touch it.
}

func TestJoin_attributesAreOfTheFirstEvent(t *testing.T) {
	tr := New()
	first := event.Event{
		SiteID: 1, Day: 20_000, Time: noon, Visitor: 1, Kind: event.Custom, Name: "Signup", Hostname: "shop.test", Path: "/read",
		Source: "s", Channel: "c", Referrer: "r", ClickID: "i", UTMSource: "us", UTMMedium: "um", UTMCampaign: "uc", UTMContent: "un", UTMTerm: "ut",
		Country: "DE", Region: "DE-BE", City: 2950159, Browser: "Brave", BrowserVersion: "140", OS: "Windows", OSVersion: "11",
		Device: "Desktop", Screen: "Small", Language: "de", Scroll: 50, EngagedMS: 10,
	}
	want := event.Row{Event: first, VisitStart: noon, EntryHost: "shop.test", EntryPage: "/read"}
	if diff := cmp.Diff(want, join(tr, first)); diff != "" {
		t.Error(diff)
	}
	second := pageview(1, noon+1, "/b")
	second.Country, second.UTMTerm, second.Channel, second.Browser, second.City = "FR", "other", "other", "Chrome", 1
	want = event.Row{Event: second, VisitStart: noon, Seq: 1, EntryHost: "shop.test", EntryPage: "/read"}
	want.Source, want.Channel, want.Referrer, want.ClickID = "s", "c", "r", "i"
	want.UTMSource, want.UTMMedium, want.UTMCampaign, want.UTMContent, want.UTMTerm = "us", "um", "uc", "un", "ut"
	want.Country, want.Region, want.City = "DE", "DE-BE", 2950159
	want.Browser, want.BrowserVersion, want.OS, want.OSVersion = "Brave", "140", "Windows", "11"
	want.Device, want.Screen, want.Language = "Desktop", "Small", "de"
	if diff := cmp.Diff(want, join(tr, second)); diff != "" {
		t.Error(diff)
	}
}

func engagement(visitor uint64, at int64, path string) event.Event {
	e := pageview(visitor, at, path)
	e.Kind, e.Name, e.EngagedMS = event.Engagement, "engagement", 5000
	return e
}

func TestJoin_engagementOpensNoVisit(t *testing.T) {
	tr := New()
	// f joins an event and wants it in the visit that began at start with from, or in none.
	f := func(e event.Event, start int64, seq uint16, from string) {
		t.Helper()
		row := event.Row{EntryHost: "of an older row", EntryPage: "of an older row", Seq: 7}
		tr.Join(&e, &row)
		want := event.Row{Event: e, VisitStart: start, Seq: seq}
		if from != "" {
			want.EntryHost, want.EntryPage, want.Source = "a.test", from, "from "+from
		}
		if diff := cmp.Diff(want, row); diff != "" {
			t.Errorf("%s at %d (-want +got):\n%s", e.Name, e.Time-noon, diff)
		}
	}
	f(engagement(1, noon-60, "/old"), noon-60, 0, "")
	if tr.Len() != 0 {
		t.Errorf("%d visits are open, want 0", tr.Len())
	}
	f(pageview(1, noon, "/"), noon, 0, "/")
	f(engagement(1, noon+1800, "/"), noon, 1, "/")
	f(engagement(1, noon+3600, "/"), noon, 2, "/") // Engagement keeps a visit going,
	f(engagement(1, noon+5401, "/"), noon+5401, 0, "")
	f(engagement(1, noon+5401, "/"), noon+5401, 0, "")
	f(pageview(1, noon+5400, "/late"), noon, 3, "/") // but not once it has ended: this page came late, and in time for it.
	f(engagement(1, noon+8000, "/"), noon+8000, 0, "")
	f(pageview(1, noon+8000, "/new"), noon+8000, 0, "/new")
	f(pageview(1, noon+8060, "/b"), noon+8000, 1, "/new")
}

func TestJoin_engagementOutsideVisitsForgetsNone(t *testing.T) {
	tr := New()
	tr.maxOpen = 2
	join(tr, pageview(1, noon, "/"))
	join(tr, pageview(2, noon, "/"))
	join(tr, pageview(3, noon, "/")) // The others are in the old generation now.
	before := tr.AppendState(nil)
	for v := range uint64(100) {
		join(tr, engagement(v+10, noon+1, "/"))
	}
	join(tr, engagement(1, noon+Idle+1, "/"))
	fresh := New()
	if err := fresh.Load(before); err != nil {
		t.Fatal(err)
	}
	fresh.advance(noon + Idle + 1)
	if diff := cmp.Diff(fresh.AppendState(nil), tr.AppendState(nil)); diff != "" || tr.Len() != 3 {
		t.Errorf("%d visits, want the 3 of before:\n%s", tr.Len(), diff)
	}
}

func TestJoin_inPlace(t *testing.T) {
	apart, inPlace := New(), New()
	for i := range int64(3) {
		e := pageview(1, noon+i, "/"+strconv.FormatInt(i, 10))
		row := event.Row{Event: e}
		inPlace.Join(&row.Event, &row)
		if diff := cmp.Diff(join(apart, e), row); diff != "" {
			t.Error(diff)
		}
	}
}

func TestJoin_eventsOutOfOrderJoinTheOpenVisit(t *testing.T) {
	tr := New()
	f := func(at, wantStart int64, wantSeq uint16) {
		t.Helper()
		if row := join(tr, pageview(1, at, "/")); row.VisitStart != wantStart || row.Seq != wantSeq {
			t.Errorf("event at %d: visit %d seq %d, want %d, %d", at-noon, row.VisitStart-noon, row.Seq, wantStart-noon, wantSeq)
		}
	}
	f(noon, noon, 0)
	f(noon-3, noon, 1)
	f(noon+1800, noon, 2) // The late event did not shorten the visit,
	f(noon-4000, noon, 3) // nor does a very late one,
	f(noon+3600, noon, 4) // and the gap counts from the greatest time.
	f(noon+5401, noon+5401, 0)
	f(noon+5400, noon+5401, 1)
}

func TestJoin_withoutVisitor(t *testing.T) {
	tr := New()
	for i := range int64(2) {
		e := pageview(0, noon+i, "/")
		if diff := cmp.Diff(event.Row{Event: e, VisitStart: noon + i}, join(tr, e)); diff != "" {
			t.Error(diff)
		}
	}
	if tr.Len() != 0 {
		t.Errorf("%d visits are open, want 0", tr.Len())
	}
}

func TestJoin_seqSaturates(t *testing.T) {
	tr := New()
	var row event.Row
	for range 65_535 {
		row = join(tr, pageview(1, noon, "/"))
	}
	if row.Seq != 65_534 {
		t.Errorf("seq %d, want 65534", row.Seq)
	}
	for range 3 {
		if row = join(tr, pageview(1, noon, "/")); row.Seq != 65_535 {
			t.Errorf("seq %d, want 65535", row.Seq)
		}
	}
}

func TestJoin_extremeTimesDoNotPanic(t *testing.T) {
	tr := New()
	for _, at := range []int64{noon, math.MinInt64, math.MaxInt64, 0, math.MinInt64, math.MaxInt64} {
		e := pageview(1, noon, "/")
		e.Time = at
		join(tr, e)
	}
	// From one end of time to the other is more than thirty minutes.
	tr = New()
	e := pageview(1, noon, "/")
	for _, at := range []int64{math.MinInt64, math.MaxInt64} {
		e.Time = at
		if row := join(tr, e); row.VisitStart != at {
			t.Errorf("visit_start %d, want %d", row.VisitStart, at)
		}
	}
}

func TestTracker_forgetsByEventTime(t *testing.T) {
	tr := New()
	for v := range uint64(1000) {
		join(tr, pageview(v+1, noon, "/"))
	}
	join(tr, pageview(5000, noon+Idle+1, "/"))
	if tr.Len() != 1001 {
		t.Errorf("%d visits after half an hour, want 1001", tr.Len())
	}
	join(tr, pageview(5001, noon+period, "/"))
	for v := range uint64(10) { // A visit that is touched is not there twice.
		join(tr, pageview(v+1, noon+period, "/"))
	}
	if tr.Len() != 1002 {
		t.Errorf("%d visits after one period, want 1002", tr.Len())
	}
	join(tr, pageview(5002, noon+2*period, "/"))
	if tr.Len() != 12 { // 5001, 5002 and the ten
		t.Errorf("%d visits after two periods, want 12", tr.Len())
	}
	join(tr, pageview(5003, noon+10*period, "/"))
	if tr.Len() != 1 {
		t.Errorf("%d visits after a jump, want 1", tr.Len())
	}
}

func TestTracker_memoryIsBounded(t *testing.T) {
	tr := New()
	tr.maxOpen = 10
	for v := range uint64(1000) {
		join(tr, pageview(v+1, noon, "/"))
		if tr.Len() > 20 {
			t.Fatalf("%d visits are open, want at most 20", tr.Len())
		}
	}
	if row := join(tr, pageview(995, noon+1, "/")); row.VisitStart != noon {
		t.Error("a visit that was just touched was forgotten")
	}
	// Being touched is what keeps a visit when there is no more room.
	tr = New()
	tr.maxOpen = 2
	for v := range uint64(4) {
		join(tr, pageview(v+1, noon, "/"))
	}
	if row := join(tr, pageview(1, noon+1, "/")); row.VisitStart != noon {
		t.Error("a visit was forgotten because it was touched")
	}
}

// reference says the same in the plainest way: it keeps everything for ever.
type reference struct {
	visits map[[3]uint64]*referenceVisit
}

type referenceVisit struct {
	first event.Event
	last  int64
	count int
}

func (r *reference) join(e event.Event) event.Row {
	row := event.Row{Event: e, VisitStart: e.Time}
	if e.Visitor == 0 {
		return row
	}
	k := [3]uint64{uint64(e.SiteID), uint64(e.Day), e.Visitor}
	v := r.visits[k]
	if v == nil || e.Time-v.last > 1800 {
		if e.Kind == event.Engagement {
			return row
		}
		v = &referenceVisit{first: e, last: e.Time}
		r.visits[k] = v
	}
	v.last = max(v.last, e.Time)
	f := &v.first
	row.VisitStart, row.Seq, row.EntryHost, row.EntryPage = f.Time, uint16(min(v.count, 65_535)), f.Hostname, f.Path
	row.Source, row.Channel, row.Referrer, row.ClickID = f.Source, f.Channel, f.Referrer, f.ClickID
	row.UTMSource, row.UTMMedium, row.UTMCampaign, row.UTMContent, row.UTMTerm = f.UTMSource, f.UTMMedium, f.UTMCampaign, f.UTMContent, f.UTMTerm
	row.Country, row.Region, row.City, row.Language, row.Screen = f.Country, f.Region, f.City, f.Language, f.Screen
	row.Browser, row.BrowserVersion, row.OS, row.OSVersion, row.Device = f.Browser, f.BrowserVersion, f.OS, f.OSVersion, f.Device
	v.count++
	return row
}

// traffic returns events of a few sites and visitors over some days, up to a minute out of order, with many gaps near thirty minutes.
func traffic(rng *rand.Rand, n int) []event.Event {
	now := int64(noon)
	var all []event.Event
	for range n {
		switch rng.IntN(20) {
		case 0:
			now += 1795 + rng.Int64N(10)
		case 1:
			now += rng.Int64N(3 * 3600)
		case 2: // The next event may be of the same second.
		default:
			now += rng.Int64N(120)
		}
		at := now - rng.Int64N(60)*rng.Int64N(2)
		s := func() string { return strconv.Itoa(rng.IntN(50)) }
		all = append(all, event.Event{
			SiteID: 1 + rng.Uint32N(2), Day: event.Day((at + 7200*rng.Int64N(2)) / 86_400), Time: at, Visitor: rng.Uint64N(6), Kind: event.Kind(rng.IntN(3)),
			Hostname: s(), Path: "/" + s(), Source: s(), Channel: s(), Referrer: s(), ClickID: s(),
			UTMSource: s(), UTMMedium: s(), UTMCampaign: s(), UTMContent: s(), UTMTerm: s(), Country: s(), Region: s(), City: rng.Uint32(),
			Browser: s(), BrowserVersion: s(), OS: s(), OSVersion: s(), Device: s(), Screen: s(), Language: s(),
		})
	}
	return all
}

func TestTracker_agreesWithTheReference(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 0))
		tr, ref := New(), &reference{visits: map[[3]uint64]*referenceVisit{}}
		starts := map[[4]uint64]int{} // rows per visit
		for i, e := range traffic(rng, 1500) {
			if rng.IntN(50) == 0 {
				tr = reload(t, tr)
			}
			want, got := ref.join(e), join(tr, e)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, event %d (-want +got):\n%s", seed, i, diff)
			}
			k := [4]uint64{uint64(e.SiteID), uint64(e.Day), e.Visitor, uint64(got.VisitStart)}
			if e.Visitor != 0 && got.EntryPage != "" {
				if starts[k] != int(got.Seq) {
					t.Fatalf("seed %d, event %d: a visit_start is used twice", seed, i)
				}
				starts[k]++
			}
		}
	}
}

// However visitors are mixed, the visits are those of each visitor's own events. Days apart are nothing to a Tracker without an order.
func TestNewUnordered_agreesWithTheReference(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var queues [12][]event.Event
		left := 0
		for _, e := range traffic(rng, 1000) {
			k := e.SiteID*6 + uint32(e.Visitor) - 6
			if q := queues[k]; len(q) == 0 || q[len(q)-1].Time <= e.Time {
				queues[k] = append(q, e)
				left++
			}
		}
		tr, ref := NewUnordered(12, MaxOpen), &reference{visits: map[[3]uint64]*referenceVisit{}}
		for ; left > 0; left-- {
			q := &queues[rng.IntN(len(queues))]
			for len(*q) == 0 {
				q = &queues[rng.IntN(len(queues))]
			}
			e := (*q)[0]
			*q = (*q)[1:]
			if rng.IntN(50) == 0 {
				loaded := NewUnordered(12, MaxOpen)
				if err := loaded.Load(tr.AppendState(nil)); err != nil {
					t.Fatal(err)
				}
				tr = loaded
			}
			if diff := cmp.Diff(ref.join(e), join(tr, e)); diff != "" {
				t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
			}
		}
	}
}

// Sorted by visitor, the ones before are forgotten: at least keep are remembered, and not many more.
func TestNewUnordered_sortedByVisitor(t *testing.T) {
	tr := NewUnordered(3, MaxOpen)
	for v := range uint64(100) {
		at := noon - int64(v)*(Idle+2)
		join(tr, pageview(v+1, at, "/"))
		if tr.Len() > 7 { // The first one is of the newest event seen.
			t.Fatalf("%d visits are remembered, want at most 7", tr.Len())
		}
		for back := uint64(3); back > 0 && v >= 3; back-- { // Touched anew, in the same order.
			start := at + int64(back-1)*(Idle+2)
			if row := join(tr, pageview(v+2-back, start+1, "/")); row.VisitStart != start {
				t.Fatalf("visitor %d of %d is forgotten", v+2-back, v+1)
			}
		}
	}
	if row := join(tr, pageview(50, noon-49*(Idle+2)+1, "/")); row.VisitStart != row.Time {
		t.Error("a visitor of the middle is remembered")
	}
	if tr.Early() != 0 {
		t.Errorf("%d visits were forgotten early", tr.Early())
	}
}

// Sorted by time, what is open is remembered, however much more than keep that is, and what has ended is forgotten.
func TestNewUnordered_sortedByTime(t *testing.T) {
	const visitors = 2000 // within Idle; they come again when all were there
	tr, most := NewUnordered(64, MaxOpen), 0
	for round := range int64(6) {
		for v := range int64(visitors) {
			row := join(tr, pageview(uint64(v+1), noon+round*Idle+v*Idle/visitors, "/"))
			if row.VisitStart != noon+v*Idle/visitors || row.Seq != uint16(round) {
				t.Fatalf("event %d of visitor %d has place %d in the visit of %d", round, v, row.Seq, row.VisitStart-noon)
			}
		}
	}
	for v := range int64(10 * visitors) { // From now on each comes once.
		join(tr, pageview(uint64(10*visitors+v), noon+6*Idle+v*Idle/visitors, "/"))
		most = max(most, tr.Len())
	}
	if most > 2*visitors+64 || tr.Early() != 0 {
		t.Errorf("%d visits were remembered, of which %d were open; %d were forgotten early", most, visitors, tr.Early())
	}
	if open := tr.Open(); open < visitors || open > visitors+visitors/100 {
		t.Errorf("%d visits are open, want %d", open, visitors)
	}
}

// Where there is no room for what is open, what was touched the longest ago is forgotten, and counted. A state that is loaded goes on in the same way.
func TestTracker_early(t *testing.T) {
	f := func(what string, tr *Tracker, empty func() *Tracker) {
		t.Helper()
		tr.maxOpen = 1000
		for v := range uint64(5000) {
			join(tr, pageview(v+1, noon+int64(v)/10, "/"))
			if tr.Len() > 2000 {
				t.Fatalf("%s: %d visits are remembered, want at most 2000", what, tr.Len())
			}
			if v == 2500 {
				loaded := empty()
				loaded.maxOpen, loaded.early = 1000, tr.Early()
				if err := loaded.Load(tr.AppendState(nil)); err != nil {
					t.Fatal(err)
				}
				tr = loaded
			}
		}
		if got, want := tr.Early(), 5000-uint64(tr.Len()); got != want || tr.Len() < 1000 {
			t.Errorf("%s: %d visits were forgotten early, want %d; %d are remembered", what, got, want, tr.Len())
		}
		if row := join(tr, pageview(4001, noon+500, "/")); row.VisitStart == row.Time {
			t.Errorf("%s: one of the last thousand is forgotten", what)
		}
		early := tr.Early()
		for v := range uint64(2000) { // Long after, there is nothing that could have gone on.
			join(tr, pageview(v+9000, noon+2*Idle+int64(v)*4, "/"))
		}
		if tr.Early() != early {
			t.Errorf("%s: %d visits are said to be forgotten early that had ended", what, tr.Early()-early)
		}
	}
	f("live", New(), New)
	f("an import", NewUnordered(64, 2000), func() *Tracker { return NewUnordered(64, 2000) })

	tr := New()
	tr.maxOpen = 10
	for v := range uint64(10) {
		join(tr, pageview(v+1, noon, "/"))
	}
	for v := range uint64(11) { // The first ten have ended, and are remembered for events that come late only.
		join(tr, pageview(v+11, noon+Idle+1, "/"))
	}
	if tr.Early() != 0 || tr.Len() != 11 {
		t.Errorf("%d visits were forgotten early that had ended; %d are remembered", tr.Early(), tr.Len())
	}
}

func TestJoin_allocations(t *testing.T) {
	tr := New()
	e := pageview(1, noon, "/")
	var row event.Row
	tr.Join(&e, &row)
	if n := testing.AllocsPerRun(100, func() { tr.Join(&e, &row) }); n != 0 {
		t.Errorf("Join in an open visit allocates %v times, want 0", n)
	}
}

func TestNewest(t *testing.T) {
	tr := New()
	f := func(want int64, wantOK bool) {
		t.Helper()
		if got, ok := tr.Newest(); ok != wantOK || ok && got != want {
			t.Errorf("the newest event is of %d (%t), want %d (%t)", got, ok, want, wantOK)
		}
	}
	f(0, false)
	join(tr, pageview(1, noon, "/"))
	join(tr, pageview(2, noon-5, "/"))
	f(noon, true)
	join(tr, pageview(0, noon+7, "/")) // One without a visitor is an event too.
	f(noon+7, true)
	loaded := New()
	if err := loaded.Load(tr.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	tr = loaded
	f(noon+7, true)
	tr.Reset()
	f(0, false)
}

// What is remembered is a copy: the memory of the events may be used for others.
func TestJoin_keepsNoStringOfTheEvent(t *testing.T) {
	tr := New()
	room := []byte("/entry from somewhere")
	e := pageview(1, noon, "")
	e.Path, e.Source = unsafe.String(&room[0], 6), unsafe.String(&room[7], 14)
	join(tr, e)
	clear(room)
	if row := join(tr, pageview(1, noon+1, "/b")); row.EntryPage != "/entry" || row.Source != "from somewhere" {
		t.Errorf("the visit began at %q with source %q", row.EntryPage, row.Source)
	}
}

// In a visit that goes on, as most events are, and in one that begins.
func BenchmarkJoin(b *testing.B) {
	f := func(name string, visitors uint64, events int64) {
		b.Run(name, func(b *testing.B) {
			tr := New()
			e := pageview(1, noon, "/some/page/of/the/site")
			e.Source, e.Channel, e.Browser, e.BrowserVersion, e.OS, e.Device, e.Country = "Google", "Organic Search", "Firefox", "145.0", "Linux", "Desktop", "DE"
			var row event.Row
			var n uint64
			b.ReportAllocs()
			for b.Loop() {
				n++
				row.Event = e
				row.Visitor, row.Time = 1+n*0x9e3779b97f4a7c15%visitors, noon+int64(n)/events
				tr.Join(&row.Event, &row)
			}
		})
	}
	f("known", 50_000, 1000)
	f("new", 1<<60, 1000)
}
