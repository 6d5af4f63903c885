package ingest_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/bot"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/geo"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/testkit"
	"github.com/daysalt/daysalt/internal/visit"
)

const iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 Mobile/15E148 Safari/604.1"

// quarter is a zone whose hours begin at a quarter past, by UTC.
const quarter = "Asia/Kathmandu"

// evening is 18:14:56 there, and the 22nd.
func evening() time.Time { return time.Date(2026, 11, 22, 12, 29, 56, 0, time.UTC) }

// line is a journal, and what ingest asked for on the way to it.
type line struct {
	*ingest.Ingester
	frames
	keys  hashed
	notes recorded
}

// newPresets measures a site for each preset, by its name, which stores the properties "plan" and "path" where it stores only named ones.
func newPresets(tb testing.TB) (*line, *site.Registry) {
	tb.Helper()
	l := &line{}
	_, sites := newIngester(tb, &l.frames)
	for _, preset := range []string{"default", "masked", "cnil", "strict"} {
		zone, days := quarter, 3650
		if _, err := sites.Create(tb.Context(), preset+".example", site.Change{Timezone: &zone, RetentionDays: &days, Preset: &preset, AllowProps: &[]string{"plan", "path"}}); err != nil {
			tb.Fatal(err)
		}
	}
	places, err := geo.Open(testkit.Places(tb), nil)
	if err != nil {
		tb.Fatal(err)
	}
	l.Ingester = ingest.New(ingest.Deps{
		Sites: sites, Keys: &l.keys, Agents: agent.New(agent.Config{Bot: bot.Detect}), Journal: &l.frames, Geo: places, Abuse: &l.notes, Now: evening,
	})
	return l, sites
}

// rich is a hit in which everything says something, for the sites of all four presets.
func rich(name string) *ingest.Hit {
	h := hit(`{"n":"` + name + `","d":"default.example,masked.example,cnil.example,strict.example","sd":65,"e":4200,` +
		`"u":"https://user:pw@www.shop.example/buy/bob%40example.org?utm_source=Flyer-7&utm_medium=cpc&utm_campaign=Spring&utm_content=blue&utm_term=shoes&gclid=secret",` +
		`"r":"https://www.news.example/people/jane?q=1","p":{"Plan":"two","plan":"pro","email":"bob@example.org","bob@example.org":"x"}}`)
	h.Time, h.Address, h.Agent = evening(), netip.MustParseAddr("8.8.8.8"), iphone
	return h
}

// What each preset stores of one hit, field by field. Region, city and screen are in TestLimit: nobody fills them in yet.
func TestPresets(t *testing.T) {
	l, sites := newPresets(t)
	idOf := func(preset string) uint32 {
		s, _ := sites.Lookup(preset + ".example")
		return s.ID
	}
	const today = 20779
	custom := event.Event{
		SiteID: idOf("default"), Day: 20000, Time: evening().Unix(), Visitor: 1, Kind: event.Custom, Interactive: true, Name: "404", Hostname: "shop.example", Path: "/buy/{email}",
		Source: "Flyer-7", Channel: "Paid Other", Referrer: "news.example/people/jane", ClickID: "gclid",
		UTMSource: "Flyer-7", UTMMedium: "cpc", UTMCampaign: "Spring", UTMContent: "blue", UTMTerm: "shoes",
		Country: "US", Browser: "Safari", BrowserVersion: "17", OS: "iOS", OSVersion: "17", Device: "Mobile", Language: "de",
		PropKeys: []string{"Plan", "plan", "email", "{email}", "path"}, PropValues: []string{"two", "pro", "{email}", "x", "/buy/{email}"},
		Scroll: 65, EngagedMS: 4200, RetentionDays: 3650,
	}
	masked := custom
	masked.SiteID, masked.Visitor = idOf("masked"), 2
	cnil := custom
	cnil.SiteID, cnil.Visitor, cnil.RetentionDays = idOf("cnil"), 3, 759
	cnil.Time = time.Date(2026, 11, 22, 12, 29, 0, 0, time.UTC).Unix()
	cnil.Referrer, cnil.Source = "news.example", "{masked}"
	cnil.UTMSource, cnil.UTMMedium, cnil.UTMCampaign, cnil.UTMContent, cnil.UTMTerm = "{masked}", "{masked}", "{masked}", "{masked}", "{masked}"
	cnil.PropKeys, cnil.PropValues = []string{"plan", "path"}, []string{"pro", "/buy/{email}"}
	strict := cnil
	strict.SiteID, strict.Visitor, strict.Day, strict.RetentionDays = idOf("strict"), 0, today, 31
	strict.Time = time.Date(2026, 11, 22, 12, 15, 0, 0, time.UTC).Unix()
	strict.UTMSource, strict.UTMMedium, strict.UTMCampaign, strict.UTMContent, strict.UTMTerm = "", "", "", "", ""
	strict.Country, strict.BrowserVersion, strict.OSVersion = "", "", ""
	strict.PropKeys, strict.PropValues = nil, nil
	strict.Scroll, strict.EngagedMS = event.NoScroll, 0

	verdict, err := l.Ingest(rich("404"))
	if err != nil || verdict != (ingest.Verdict{Kept: 4}) {
		t.Fatalf("%+v, %v", verdict, err)
	}
	got := l.take(t)
	for i, want := range []event.Event{custom, masked, cnil, strict} {
		if diff := cmp.Diff(want, got[i]); diff != "" {
			t.Errorf("site %d (-want +got):\n%s", want.SiteID, diff)
		}
	}
	// The address as the hash sees it: whole, masked, masked, not at all.
	if !slices.Equal(l.keys.seen, []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("8.8.0.0"), netip.MustParseAddr("8.8.0.0")}) {
		t.Errorf("hashed: %v", l.keys.seen)
	}
	if slices.ContainsFunc(l.keys.at, func(at time.Time) bool { return !at.Equal(evening()) }) {
		t.Errorf("numbers were made at %v", l.keys.at)
	}
	noted := func(preset string) string { return strings.Repeat("i", int(idOf(preset))) + " 8.8.0.0 kept" }
	if !slices.Equal(l.notes, recorded{noted("default"), noted("masked"), noted("cnil")}) {
		t.Errorf("noted: %q", l.notes)
	}
}

// Without visits there is nothing that engagement could be of. It is counted as dropped, after all other reasons, and no address is noted.
func TestPresets_engagement(t *testing.T) {
	l, _ := newPresets(t)
	verdict, err := l.Ingest(rich("engagement"))
	if err != nil || verdict != (ingest.Verdict{Kept: 3, Dropped: 1}) || len(l.notes) != 3 {
		t.Errorf("%+v, %v, noted %q", verdict, err, l.notes)
	}
	for _, e := range l.take(t) {
		if e.Kind != event.Engagement || e.Visitor == 0 || e.EngagedMS != 4200 || e.Scroll != 65 {
			t.Errorf("%+v", e)
		}
	}
	h := hit(`{"n":"engagement","d":"strict.example","u":"https://strict.example/","e":1,"b":1}`)
	if verdict, err := l.Ingest(h); err != nil || verdict != (ingest.Verdict{Dropped: 1}) || len(l.notes) != 3 {
		t.Errorf("a bot: %+v, %v, noted %q", verdict, err, l.notes)
	}
	if got, want := l.Stats(), map[string]uint64{"unknown_site": 0, "bot": 1, "prefetch": 0, "not_measured": 1}; !cmp.Equal(got.Dropped, want) || got.Kept != 3 {
		t.Errorf("%+v", got)
	}
}

// What a campaign says decides source and channel as ever; what no table knows of it is not stored.
func TestPresets_sources(t *testing.T) {
	l, _ := newPresets(t)
	f := func(query, referrer, source, channel string) {
		t.Helper()
		for _, domain := range []string{"cnil.example", "strict.example"} {
			if _, err := l.Ingest(hit(`{"n":"pageview","d":"` + domain + `","u":"https://cnil.example/?` + query + `","r":"` + referrer + `"}`)); err != nil {
				t.Fatal(err)
			}
			if e := l.take(t)[0]; e.Source != source || e.Channel != channel {
				t.Errorf("%s on %s: %q by %q", query, domain, e.Source, e.Channel)
			}
		}
	}
	f("utm_source=Google&utm_medium=cpc", "", "Google", "Paid Search")
	f("utm_source=FB&utm_campaign=summer-shop", "", "Facebook", "Organic Shopping")
	f("utm_source=www.google.de", "", "Google", "Organic Search")
	f("utm_source=flyer&utm_medium=email", "", "{masked}", "Email")
	f("utm_source=flyer", "https://www.google.com/", "{masked}", "Referral")
	f("source=partner.example", "", "{masked}", "Referral")
	f("ref=https%3A%2F%2Fpartner.example%2Fjane", "", "{masked}", "Referral")
	f("ref=android-app%3A%2F%2Forg.example.reader", "", "{masked}", "Referral")
	f("utm_medium=email", "https://news.example/jane", "news.example", "Email")
	f("utm_medium=print&utm_campaign=x", "", "", "Direct")
	f("", "https://news.example/jane", "news.example", "Referral")
	f("", "", "", "Direct")
}

// The path that ingest adds to an error page's properties is one of them: who does not name it does not have it.
func TestPresets_addedProperty(t *testing.T) {
	l, sites := newPresets(t)
	f := func(domain, props string, want ...string) {
		t.Helper()
		if _, err := l.Ingest(hit(`{"n":"404","d":"` + domain + `","u":"https://cnil.example/a","p":` + props + `}`)); err != nil {
			t.Fatal(err)
		}
		if got := l.take(t)[0].PropKeys; !slices.Equal(got, want) {
			t.Errorf("%s, %s: %q, want %q", domain, props, got, want)
		}
	}
	many := "{" + strings.Repeat(`"x":1,`, 29) + `"x":1}` // as many as there may be
	f("default.example", `{"a":1}`, "a", "path")
	f("cnil.example", `{"a":1}`, "path")
	f("cnil.example", many, "path")
	f("strict.example", `{"a":1}`)
	if _, err := sites.Set(t.Context(), "cnil.example", site.Change{AllowProps: &[]string{"a"}}); err != nil {
		t.Fatal(err)
	}
	f("cnil.example", `{"A":1,"a":2,"b":3,"path":"/x"}`, "a")
	if _, err := sites.Set(t.Context(), "cnil.example", site.Change{AllowProps: &[]string{}}); err != nil {
		t.Fatal(err)
	}
	f("cnil.example", `{"a":1}`)
	if _, err := sites.Set(t.Context(), "cnil.example", site.Change{AllowProps: &[]string{"{email}"}}); err != nil {
		t.Fatal(err)
	}
	f("cnil.example", `{"bob@example.org":1}`) // names are those that were sent
}

// The site's day begins at its midnight, a quarter past an hour of UTC here, whatever is stored of the time.
func TestPresets_midnight(t *testing.T) {
	l, _ := newPresets(t)
	f := func(at, wantTime time.Time, wantDay event.Day) {
		t.Helper()
		h := hit(`{"n":"pageview","d":"strict.example","u":"https://strict.example/"}`)
		h.Time = at
		if _, err := l.Ingest(h); err != nil {
			t.Fatal(err)
		}
		if e := l.take(t)[0]; e.Day != wantDay || e.Time != wantTime.Unix() || e.Visitor != 0 {
			t.Errorf("%s: %+v", at, e)
		}
	}
	midnight := time.Date(2026, 11, 22, 18, 15, 0, 0, time.UTC)
	f(midnight.Add(-time.Second), midnight.Add(-time.Hour), 20779)
	f(midnight, midnight, 20780)
	f(midnight.Add(time.Hour-time.Second), midnight, 20780)
}

// An import's times are cut too, but whose they are and whether they count is decided by what they were.
func TestPresets_import(t *testing.T) {
	l, _ := newPresets(t)
	im := &ingest.Import{Origin: 1, Keys: &l.keys}
	n := uint64(0)
	f := func(domain, at, name string, kept, dropped int, want string) {
		t.Helper()
		n++
		text := `{"time":"` + at + `","ip":"8.8.8.8","ua":"` + chrome + `","n":"` + name + `","e":1,"u":"https://cnil.example/","d":"` + domain + `"}`
		verdict, err := l.Import(im, n, []byte(text))
		if err != nil || verdict != (ingest.Verdict{Kept: kept, Dropped: dropped}) {
			t.Fatalf("%s: %+v, %v", at, verdict, err)
		}
		for _, e := range l.take(t) {
			if got := time.Unix(e.Time, 0).UTC().Format(time.RFC3339); got != want {
				t.Errorf("%s on %s: stored at %s, want %s", at, domain, got, want)
			}
		}
	}
	f("default.example", "2026-11-22T10:29:56Z", "pageview", 1, 0, "2026-11-22T10:29:56Z")
	f("cnil.example", "2026-11-22T10:29:56Z", "pageview", 1, 0, "2026-11-22T10:29:00Z")
	f("strict.example", "2026-11-22T16:14:56+05:45", "pageview", 1, 0, "2026-11-22T10:15:00Z")
	f("strict.example", "2026-11-22T10:29:56Z", "engagement", 0, 1, "")
	f("strict.example", "2026-11-22T12:29:57Z", "pageview", 0, 1, "") // a second ahead
	f("strict.example", "2026-10-22T12:29:55Z", "engagement", 0, 1, "")
	if len(l.keys.seen) != 2 {
		t.Errorf("%d numbers were made", len(l.keys.seen))
	}
	if kept, dropped := im.Counts(); kept != 3 || dropped["not_measured"] != 1 || dropped["future"] != 1 || dropped["expired"] != 1 {
		t.Errorf("%d, %v", kept, dropped)
	}
}

// Times to the minute still tell visits apart, but for less than a minute, and what came first.
func TestPresets_visits(t *testing.T) {
	l, _ := newPresets(t)
	l.Keys = one{}
	visits := visit.New()
	var got []int64 // the start of each event's visit, in minutes after the first, and its place
	for _, second := range []int{3, 59, 60, 30*60 + 59, 61 * 60, 91*60 + 59, 92 * 60} {
		h := hit(`{"n":"pageview","d":"cnil.example","u":"https://cnil.example/"}`)
		h.Time = noon().Add(time.Duration(second) * time.Second)
		if _, err := l.Ingest(h); err != nil {
			t.Fatal(err)
		}
		var row event.Row
		visits.Join(&l.take(t)[0], &row)
		got = append(got, (row.VisitStart-noon().Unix())/60, int64(row.Seq))
	}
	if want := []int64{0, 0, 0, 1, 0, 2, 0, 3, 61, 0, 61, 1, 61, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// one is a Keys for which all are one visitor.
type one struct{}

func (one) Number(_ uint32, _ *time.Location, _ time.Time, _ netip.Addr, _ string) (event.Day, uint64, error) {
	return 20779, 7, nil
}

// Do Not Track is an objection where the site says so: nothing is kept, counted, noted or computed for it, bot or not. Other sites of the hit go on.
func TestIngest_dnt(t *testing.T) {
	l, sites := newPresets(t)
	yes := true
	if _, err := sites.Set(t.Context(), "cnil.example", site.Change{DNT: &yes}); err != nil {
		t.Fatal(err)
	}
	none := l.Stats()
	object := func(body string) *ingest.Hit {
		h := hit(body)
		h.DNT = true
		return h
	}
	agents := l.Agents
	l.Agents = nil // who asks what the agent is falls over
	for _, body := range []string{
		`{"n":"pageview","d":"cnil.example","u":"https://cnil.example/"}`,
		`{"n":"pageview","u":"https://www.cnil.example/"}`,
		`{"n":"pageview","d":"cnil.example","u":"https://cnil.example/","b":1}`,
		`{"n":"pageview","d":"cnil.example,CNIL.example, cnil.example","u":"https://cnil.example/"}`,
	} {
		if verdict, err := l.Ingest(object(body)); err != nil || verdict != (ingest.Verdict{}) {
			t.Errorf("%s: %+v, %v", body, verdict, err)
		}
	}
	l.Agents = agents
	if diff := cmp.Diff(none, l.Stats()); diff != "" || len(l.notes)+len(l.keys.seen)+len(l.all) > 0 {
		t.Errorf("counted: %s; noted %q, hashed %v", diff, l.notes, l.keys.seen)
	}
	verdict, err := l.Ingest(object(`{"n":"pageview","d":"unknown.example,cnil.example,strict.example,default.example","u":"https://cnil.example/"}`))
	if err != nil || verdict != (ingest.Verdict{Kept: 2, Dropped: 1}) || len(l.take(t)) != 2 || len(l.notes) != 2 {
		t.Errorf("several sites: %+v, %v, noted %q", verdict, err, l.notes)
	}
	if verdict, err := l.Ingest(hit(`{"n":"pageview","u":"https://cnil.example/"}`)); err != nil || verdict.Kept != 1 {
		t.Errorf("without an objection: %+v, %v", verdict, err)
	}
	if verdict, err := l.Ingest(object(`{"n":"pageview","u":"https://default.example/"}`)); err != nil || verdict.Kept != 1 {
		t.Errorf("on a site that does not take it for one: %+v, %v", verdict, err)
	}
}
