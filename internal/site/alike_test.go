package site_test

import (
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/site"
)

// Everything that changes what is stored of an event is noticed, and nothing else is.
func TestStoreAlike(t *testing.T) {
	f := func(want bool, name string, change func(s *site.Site)) {
		t.Helper()
		a := site.Site{Visitors: true, TimeStep: time.Second}
		b := a
		change(&b)
		if site.StoreAlike(&a, &b) != want || site.StoreAlike(&b, &a) != want {
			t.Errorf("%s: want %t", name, want)
		}
	}
	f(true, "nothing", func(*site.Site) {})
	f(true, "what is not stored by", func(s *site.Site) {
		s.RetentionDays, s.MinVisitors, s.DNT, s.BrandName, s.BrandColor, s.Preset = 1, 1, true, "a", "#000000", site.Masked
	})
	f(false, "mask", func(s *site.Site) { s.AddressMask++ })
	f(false, "hash", func(s *site.Site) { s.HashAddress++ })
	f(false, "geo", func(s *site.Site) { s.GeoFrom++ })
	f(false, "visitors", func(s *site.Site) { s.Visitors = false })
	f(false, "time", func(s *site.Site) { s.TimeStep = time.Minute })
	f(false, "referrer", func(s *site.Site) { s.ReferrerHost = true })
	f(false, "versions", func(s *site.Site) { s.Versions = true })
	f(false, "screen", func(s *site.Site) { s.Screen = true })
	f(false, "city", func(s *site.Site) { s.City = true })
	f(false, "campaigns", func(s *site.Site) { s.Campaigns++ })
	f(false, "properties", func(s *site.Site) { s.Props++ })
	f(false, "names of properties", func(s *site.Site) { s.AllowProps = []string{"plan"} })
	f(false, "rules", func(s *site.Site) { s.RedactRules = []site.Rule{{Field: "path", Match: "a", As: "{a}"}} })
}
