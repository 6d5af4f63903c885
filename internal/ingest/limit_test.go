package ingest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/site"
)

// full is an event in which every field that can be limited says something, those too that nobody fills in yet.
func full() event.Event {
	return event.Event{
		SiteID: 1, Kind: event.Custom, Name: "Order", Hostname: "example.com", Path: "/buy", Source: "flyer", Channel: "Referral", Referrer: "news.example/people/jane",
		ClickID: "gclid", UTMSource: "flyer", UTMMedium: "print", UTMContent: "blue", UTMTerm: "shoes", Country: "DE", Region: "DE-BE", City: 2950159,
		Browser: "Safari", BrowserVersion: "17.4", OS: "iOS", OSVersion: "18", Device: "Mobile", Screen: "Mobile", Language: "de",
		Scroll: 65, EngagedMS: 4200, Amount: 12500, Currency: "EUR", RetentionDays: 30,
	}
}

// lax is a site that stores all that any may store.
func lax() site.Site {
	return site.Site{Visitors: true, TimeStep: time.Second, Versions: true, Screen: true, City: true}
}

// Each setting takes out what it is about, and nothing else.
func TestLimit(t *testing.T) {
	f := func(name string, set func(s *site.Site), want func(e *event.Event)) {
		t.Helper()
		s, expected, got := lax(), full(), full()
		set(&s)
		expected.BrowserVersion = "17" // a minor version is stored nowhere
		want(&expected)
		limit(&got, &s)
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("everything", func(*site.Site) {}, func(*event.Event) {})
	f("no versions", func(s *site.Site) { s.Versions = false }, func(e *event.Event) { e.BrowserVersion, e.OSVersion = "", "" })
	f("no screen", func(s *site.Site) { s.Screen = false }, func(e *event.Event) { e.Screen = "" })
	f("no city", func(s *site.Site) { s.City = false }, func(e *event.Event) { e.Region, e.City = "", 0 })
	f("no place", func(s *site.Site) { s.GeoFrom = site.GeoOff }, func(e *event.Event) { e.Region, e.City = "", 0 })
	f("host of the referrer", func(s *site.Site) { s.ReferrerHost = true }, func(e *event.Event) { e.Referrer = "news.example" })
	f("no visitors", func(s *site.Site) { s.Visitors = false }, func(e *event.Event) { e.Scroll, e.EngagedMS = event.NoScroll, 0 })
}

func TestLimit_referrers(t *testing.T) {
	s := lax()
	s.ReferrerHost = true
	for referrer, want := range map[string]string{"": "", "news.example": "news.example", "news.example/a/b": "news.example", "{id}.example/a": "{id}.example"} {
		e := event.Event{Referrer: referrer}
		if limit(&e, &s); e.Referrer != want {
			t.Errorf("%q became %q", referrer, e.Referrer)
		}
	}
}

func TestLimitCampaign(t *testing.T) {
	f := func(name string, set func(s *site.Site), given bool, want func(e *event.Event)) {
		t.Helper()
		s, expected, got := lax(), full(), full()
		set(&s)
		want(&expected)
		limitCampaign(&got, &s, given)
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%s, %v (-want +got):\n%s", name, given, diff)
		}
	}
	mask := func(s *site.Site) { s.Campaigns = site.CampaignsMasked }
	hide := func(e *event.Event) {
		e.UTMSource, e.UTMMedium, e.UTMContent, e.UTMTerm = "{masked}", "{masked}", "{masked}", "{masked}" // there was no utm_campaign
	}
	f("kept", func(*site.Site) {}, true, func(*event.Event) {})
	f("masked", mask, false, hide)
	f("masked", mask, true, func(e *event.Event) {
		hide(e)
		e.Source = "{masked}"
	})
	remove := func(e *event.Event) { e.UTMSource, e.UTMMedium, e.UTMContent, e.UTMTerm = "", "", "", "" }
	none := func(s *site.Site) { s.Campaigns = site.CampaignsNone }
	f("none", none, false, remove)
	f("none", none, true, func(e *event.Event) {
		remove(e)
		e.Source = "{masked}"
	})
}

// Times begin with the minute and the hour of the site's clocks, which are not those of UTC everywhere.
func TestCutTime(t *testing.T) {
	f := func(zone, at string, step time.Duration, want string) {
		t.Helper()
		where, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		when, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Unix(cutTime(when, where, step), 0).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s in %s to %s: %s, want %s", at, zone, step, got, want)
		}
	}
	f("UTC", "2026-11-22T12:34:56.9Z", time.Second, "2026-11-22T12:34:56Z")
	f("UTC", "2026-11-22T12:34:56.9Z", time.Minute, "2026-11-22T12:34:00Z")
	f("UTC", "2026-11-22T12:34:56.9Z", time.Hour, "2026-11-22T12:00:00Z")
	f("UTC", "2026-11-22T12:00:00Z", time.Hour, "2026-11-22T12:00:00Z")
	f("Asia/Kathmandu", "2026-11-22T12:34:56Z", time.Minute, "2026-11-22T12:34:00Z")
	f("Asia/Kathmandu", "2026-11-22T12:34:56Z", time.Hour, "2026-11-22T12:15:00Z")
	f("Asia/Kathmandu", "2026-11-22T12:14:59Z", time.Hour, "2026-11-22T11:15:00Z")
	f("America/St_Johns", "2026-11-22T12:34:56Z", time.Hour, "2026-11-22T12:30:00Z")
	f("Australia/Lord_Howe", "2026-07-01T12:34:56Z", time.Hour, "2026-07-01T12:30:00Z")
	f("Africa/Monrovia", "1971-01-01T12:34:56Z", time.Minute, "1971-01-01T12:34:30Z") // 44 minutes and 30 seconds behind in those days
	f("Europe/Berlin", "2026-10-25T00:59:59Z", time.Hour, "2026-10-25T00:00:00Z")     // the hour that comes twice
	f("Europe/Berlin", "2026-10-25T01:59:59Z", time.Hour, "2026-10-25T01:00:00Z")
}

func TestDayOf(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 14, 59, 0, time.UTC)
	for zone, want := range map[string]event.Day{"UTC": 20779, "Asia/Kathmandu": 20779, "Pacific/Auckland": 20780, "Pacific/Pago_Pago": 20779} {
		where, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := dayOf(at, where); got != want {
			t.Errorf("%s: day %d, want %d", zone, got, want)
		}
		if got := dayOf(at.Add(time.Second), where); zone == "Asia/Kathmandu" && got != want+1 {
			t.Errorf("%s: at midnight it is day %d", zone, got)
		}
	}
}

func TestStoresProp(t *testing.T) {
	f := func(props site.Props, name string, want bool) {
		t.Helper()
		s := site.Site{Props: props, AllowProps: []string{"plan", "path"}}
		if got := storesProp(&s, name); got != want {
			t.Errorf("%d, %q: %v", props, name, got)
		}
	}
	f(site.PropsRedacted, "any", true)
	f(site.PropsListed, "plan", true)
	f(site.PropsListed, "Plan", false)
	f(site.PropsListed, "plan ", false)
	f(site.PropsListed, "", false)
	f(site.PropsNone, "plan", false)
	f(site.PropsNone+1, "plan", false) // what nobody knows is not stored
}
