package ingest_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/bot"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/salt"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
)

const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"

// noon is when every hit comes; in Auckland it is the next day already.
func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// frames is a journal in memory. It fails with err where that is set.
type frames struct {
	all [][]byte
	err error
}

func (f *frames) Append(frame []byte) error {
	if f.err == nil {
		f.all = append(f.all, bytes.Clone(frame))
	}
	return f.err
}

// take decodes what was appended since the last time.
func (f *frames) take(tb testing.TB) []event.Event {
	tb.Helper()
	events := make([]event.Event, len(f.all))
	for i, frame := range f.all {
		if err := new(event.Frame).Decode(frame, &events[i]); err != nil {
			tb.Fatal(err)
		}
	}
	f.all = nil
	return events
}

// newIngester measures the sites that the tracker's own tests name.
func newIngester(tb testing.TB, j ingest.Journal) (*ingest.Ingester, *site.Registry) {
	tb.Helper()
	db, err := settings.Open(tb.Context(), filepath.Join(tb.TempDir(), "settings.db"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	sites, err := site.NewRegistry(tb.Context(), db, noon)
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range []struct {
		domain, zone string
		days         int
	}{{"example.com", "UTC", 396}, {"shop.example.com", "Pacific/Auckland", 30}, {"demo.localhost", "UTC", 396}} {
		if _, err := sites.Add(tb.Context(), s.domain, s.zone, s.days); err != nil {
			tb.Fatal(err)
		}
	}
	keys, err := salt.Open(salt.Config{Storage: salt.Memory}, still{}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = keys.Close() })
	return ingest.New(ingest.Deps{Sites: sites, Keys: keys, Agents: agent.New(agent.Config{Bot: bot.Detect}), Journal: j, Now: noon}), sites
}

// still is a clock that stands.
type still struct{}

func (still) Now() time.Time      { return noon() }
func (still) Boot() time.Duration { return time.Hour }

// hit is somebody with a browser.
func hit(body string) *ingest.Hit {
	return &ingest.Hit{Time: noon(), Address: netip.MustParseAddr("192.0.2.77"), Agent: chrome, Language: "de-DE,de;q=0.9", Body: []byte(body)}
}

// wire is one body that the tracker sends, as its own tests have it.
type wire struct {
	Name string
	Body json.RawMessage
}

// Everything the tracker sends is understood, field by field.
func TestIngest_tracker(t *testing.T) {
	text, err := os.ReadFile("../../tracker/testdata/wire.json")
	if err != nil {
		t.Fatal(err)
	}
	var bodies []wire
	if err := json.Unmarshal(text, &bodies); err != nil {
		t.Fatal(err)
	}
	page := func(host, path string) event.Event {
		return event.Event{
			SiteID: 1, Day: 20779, Time: noon().Unix(), Kind: event.Pageview, Interactive: true, Name: "pageview", Hostname: host, Path: path, Channel: "Direct",
			Browser: "Chrome", BrowserVersion: "131", OS: "Windows", Device: "Desktop", Language: "de", Scroll: event.NoScroll, RetentionDays: 396,
		}
	}
	change := func(e event.Event, do func(e *event.Event)) event.Event {
		do(&e)
		return e
	}
	want := map[string][]event.Event{
		"pageview": {page("example.com", "/")},
		"pageview from another site, in a campaign": {change(page("example.com", "/pricing"), func(e *event.Event) {
			e.Source, e.Channel, e.Referrer, e.UTMSource, e.UTMCampaign = "news", "Referral", "search.example/find", "news", "café"
		})},
		"pageview, fragment kept out":                     {page("example.com", "/guide")},
		"pageview in hash mode":                           {page("example.com", "/app#/settings")},
		"pageview by an automated browser":                {},
		"pageview, domain of the page":                    {change(page("shop.example.com", "/"), func(e *event.Event) { e.SiteID, e.Day, e.RetentionDays = 2, 20780, 30 })},
		"pageview on the own machine":                     {change(page("localhost", "/demo"), func(e *event.Event) { e.SiteID = 3 })},
		"engagement":                                      {change(page("example.com", "/"), func(e *event.Event) { e.Kind, e.Name, e.Scroll, e.EngagedMS = event.Engagement, "engagement", 65, 4200 })},
		"engagement in hash mode by an automated browser": {},
	}
	var j frames
	in, _ := newIngester(t, &j)
	for _, body := range bodies {
		expected, ok := want[body.Name]
		if !ok {
			t.Errorf("%s: say here what becomes of it", body.Name)
			continue
		}
		delete(want, body.Name)
		verdict, err := in.Ingest(hit(string(body.Body)))
		if wanted := (ingest.Verdict{Kept: len(expected), Dropped: 1 - len(expected)}); err != nil || verdict != wanted {
			t.Errorf("%s: %+v, %v; want %+v", body.Name, verdict, err, wanted)
		}
		got := j.take(t)
		for i := range got {
			if got[i].Visitor == 0 {
				t.Errorf("%s: no visitor number", body.Name)
			}
			got[i].Visitor = 0
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%s: %s", body.Name, diff)
		}
	}
	for name := range want {
		t.Errorf("%s: the tracker's tests have no such body", name)
	}
}

// One body may name several sites: each has one event, however often it is named, with its own day, retention and visitor.
func TestIngest_severalSites(t *testing.T) {
	var j frames
	in, _ := newIngester(t, &j)
	verdict, err := in.Ingest(hit(`{"n":"Order","u":"https://example.com/buy","d":", example.com , www.Shop.example.com,unknown.example,example.com,","p":{"plan":"pro"}}`))
	if err != nil || verdict != (ingest.Verdict{Kept: 2, Dropped: 1}) {
		t.Fatalf("%+v, %v", verdict, err)
	}
	got := j.take(t)
	if len(got) != 2 || got[0].SiteID != 1 || got[1].SiteID != 2 || got[0].Day != 20779 || got[1].Day != 20780 || got[0].RetentionDays != 396 || got[1].RetentionDays != 30 {
		t.Fatalf("%+v", got)
	}
	if got[0].Visitor == got[1].Visitor {
		t.Error("two sites see the same visitor number")
	}
	for _, e := range got {
		if e.Kind != event.Custom || e.Name != "Order" || !slices.Equal(e.PropKeys, []string{"plan"}) || !slices.Equal(e.PropValues, []string{"pro"}) {
			t.Errorf("%+v", e)
		}
	}
}

// Why an event does not count, and that it is counted for that alone.
func TestIngest_dropped(t *testing.T) {
	var j frames
	in, _ := newIngester(t, &j)
	const good = `{"n":"pageview","u":"https://example.com/","d":"example.com"}`
	want := ingest.Stats{Dropped: map[string]uint64{"unknown_site": 0, "bot": 0, "prefetch": 0, "not_measured": 0}}
	f := func(reason string, h *ingest.Hit) {
		t.Helper()
		verdict, err := in.Ingest(h)
		var bad *ingest.BadEvent
		switch reason {
		case "":
			want.Kept++
		case "invalid":
			want.Invalid++
		default:
			want.Dropped[reason]++
		}
		if errors.As(err, &bad) != (reason == "invalid") || verdict.Kept != len(j.take(t)) {
			t.Errorf("%q: %+v, %v", reason, verdict, err)
		}
		if diff := cmp.Diff(want, in.Stats()); diff != "" {
			t.Errorf("%q: %s", reason, diff)
		}
	}
	with := func(do func(h *ingest.Hit)) *ingest.Hit {
		h := hit(good)
		do(h)
		return h
	}
	f("", hit(good))
	f("", hit(`{"n":"pageview","u":"https://www.example.com/"}`)) // the site of the page
	f("unknown_site", hit(`{"n":"pageview","u":"https://example.com/","d":"unknown.example"}`))
	f("unknown_site", hit(`{"n":"pageview","u":"/no-host"}`))
	f("unknown_site", with(func(h *ingest.Hit) { // costs least, so it is what an unknown site's bot is counted as
		h.Body = []byte(`{"n":"pageview","u":"https://unknown.example/"}`)
		h.Agent = "curl/8.5.0"
	}))
	f("bot", with(func(h *ingest.Hit) {
		h.Agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	}))
	f("bot", with(func(h *ingest.Hit) { h.Agent = "" }))
	f("bot", hit(`{"n":"pageview","u":"https://example.com/","d":"example.com","b":1}`))
	f("bot", hit(`{"n":"pageview","u":"https://example.com/","d":"example.com","automated":true}`))
	f("", hit(`{"n":"pageview","u":"https://example.com/","d":"example.com","b":0}`))
	f("prefetch", with(func(h *ingest.Hit) { h.Purpose = "prefetch" }))
	f("prefetch", with(func(h *ingest.Hit) { h.Purpose = "prefetch;prerender" }))
	f("", with(func(h *ingest.Hit) { h.Purpose = "none" }))
	f("invalid", hit(`no JSON`))
	f("invalid", hit(`{"n":"pageview","d":"example.com"}`))
	f("invalid", hit(`{"n":"pageview","u":"data:text/html,x","d":"example.com"}`))
}

// What the journal says comes out as it is, and the event does not count.
func TestIngest_journalFails(t *testing.T) {
	full := fault.Unavailablef(errors.New("full"), "not now")
	in, _ := newIngester(t, &frames{err: full})
	verdict, err := in.Ingest(hit(`{"n":"pageview","u":"https://example.com/","d":"example.com"}`))
	if !errors.Is(err, full) || verdict != (ingest.Verdict{}) {
		t.Errorf("%+v, %v", verdict, err)
	}
	if got := in.Stats(); got.Kept != 0 || got.Invalid != 0 {
		t.Errorf("%+v", got)
	}
}

// One person is one number on one day and site; another address or agent is another person.
func TestIngest_visitor(t *testing.T) {
	var j frames
	in, _ := newIngester(t, &j)
	number := func(do func(h *ingest.Hit)) uint64 {
		t.Helper()
		h := hit(`{"n":"pageview","u":"https://example.com/","d":"example.com"}`)
		do(h)
		if _, err := in.Ingest(h); err != nil {
			t.Fatal(err)
		}
		return j.take(t)[0].Visitor
	}
	first := number(func(*ingest.Hit) {})
	for name, same := range map[string]func(h *ingest.Hit){
		"again":               func(*ingest.Hit) {},
		"address mapped to 6": func(h *ingest.Hit) { h.Address = netip.MustParseAddr("::ffff:192.0.2.77") },
		"other page":          func(h *ingest.Hit) { h.Body = []byte(`{"n":"x","u":"https://example.com/y","d":"example.com"}`) },
		"late in the day":     func(h *ingest.Hit) { h.Time = noon().Add(12*time.Hour - time.Second) },
	} {
		if number(same) != first {
			t.Errorf("%s: another visitor", name)
		}
	}
	for name, other := range map[string]func(h *ingest.Hit){
		"other address": func(h *ingest.Hit) { h.Address = netip.MustParseAddr("192.0.2.78") },
		"other agent":   func(h *ingest.Hit) { h.Agent = strings.Replace(chrome, "131", "132", 1) },
		"next day":      func(h *ingest.Hit) { h.Time = noon().Add(12 * time.Hour) },
	} {
		if number(other) == first {
			t.Errorf("%s: the same visitor", name)
		}
	}
}

// Neither address nor agent is in a frame or an error, in any form that they are likely to be in.
func TestIngest_keepsNoTrace(t *testing.T) {
	const marker = "Zq7Marker"
	var j frames
	in, _ := newIngester(t, &j)
	search := func(what string, text []byte) {
		t.Helper()
		for _, address := range []netip.Addr{netip.MustParseAddr("203.0.113.213"), netip.MustParseAddr("2001:db8:1234:5678:9abc:def0:1357:2468")} {
			raw := address.AsSlice()
			for name, form := range map[string][]byte{
				"packed": raw, "hex": []byte(hex.EncodeToString(raw)), "text": []byte(address.String()),
				"agent": []byte(marker), "agent in lower case": []byte(strings.ToLower(marker)),
			} {
				if bytes.Contains(text, form) {
					t.Errorf("%s holds %s (%s): %q", what, address, name, text)
				}
			}
		}
	}
	for _, address := range []string{"203.0.113.213", "::ffff:203.0.113.213", "2001:db8:1234:5678:9abc:def0:1357:2468%eth0"} {
		for _, ua := range []string{
			chrome + " " + marker + "/3.1", marker + "/3.1 (iPhone; iOS 18.1; Scale/3.00)", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/" + marker,
			"Mozilla/5.0 (Linux; Android 14; " + marker + " Build/" + marker + ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
		} {
			h := hit(`{"n":"pageview","u":"https://example.com/","d":"example.com"}`)
			h.Address, h.Agent, h.Language = netip.MustParseAddr(address), ua, marker
			h.Hints = agent.Hints{Brands: `"` + marker + `";v="3"`, Platform: `"` + marker + `"`, Mobile: marker}
			if verdict, err := in.Ingest(h); err != nil || verdict.Kept != 1 {
				t.Fatalf("%q: %+v, %v", ua, verdict, err)
			}
			search("a frame", j.all[len(j.all)-1])
			h.Body = []byte(`{"n":7.5}`)
			if _, err := in.Ingest(h); err == nil {
				t.Error("a bad body was taken")
			} else {
				search("an error", []byte(err.Error()))
			}
		}
	}
}

// Whatever comes, there is an answer, and what is kept can be read again and stored as it is.
func FuzzIngest(f *testing.F) {
	text, err := os.ReadFile("../../tracker/testdata/wire.json")
	if err != nil {
		f.Fatal(err)
	}
	var bodies []wire
	if err := json.Unmarshal(text, &bodies); err != nil {
		f.Fatal(err)
	}
	for _, body := range bodies {
		f.Add([]byte(body.Body), chrome, "de", "")
	}
	f.Add([]byte(`{"n":"404","u":"https://example.com/%ff?utm_source=%00","r":"https://\u0000.example","p":{"path":"x"}}`), "\xff\x00", "\xff", "prefetch")
	f.Add([]byte(`{"n":"x","u":"//example.com@[::1","d":",,,example.com,","r":"android-app://x/\\"}`), strings.Repeat("(", 600), "xyz", "")
	var j frames
	in, _ := newIngester(f, &j)
	f.Fuzz(func(t *testing.T, body []byte, ua, language, purpose string) {
		h := &ingest.Hit{Time: noon(), Address: netip.MustParseAddr("192.0.2.77"), Agent: ua, Language: language, Purpose: purpose, Body: body}
		verdict, err := in.Ingest(h)
		var bad *ingest.BadEvent
		if err != nil && !errors.As(err, &bad) {
			t.Fatal(err)
		}
		kept := j.take(t)
		if len(kept) != verdict.Kept {
			t.Fatalf("%d frames, %+v", len(kept), verdict)
		}
		for _, e := range kept {
			texts := append([]string{e.Name, e.Hostname, e.Path, e.Source, e.Channel, e.Referrer, e.ClickID, e.UTMSource, e.UTMMedium, e.UTMCampaign, e.UTMContent, e.UTMTerm, e.Language}, e.PropKeys...)
			for _, s := range append(texts, e.PropValues...) {
				if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
					t.Fatalf("%q came out of %q", s, body)
				}
			}
		}
	})
}
