package web

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
)

// laxest is a site in Berlin with every setting at its laxest.
func laxest(t *testing.T) site.Site {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	db, err := settings.Open(t.Context(), filepath.Join(t.TempDir(), "settings.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r, err := site.NewRegistry(t.Context(), db, now)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Add(t.Context(), "shop.example", "Europe/Berlin", 396)
	if err != nil {
		t.Fatal(err)
	}
	lax := *s
	lax.AddressMask, lax.HashAddress, lax.GeoFrom, lax.City = 1, site.HashFull, site.GeoCut, true
	lax.Visitors, lax.TimeStep, lax.ReferrerHost, lax.Versions, lax.Screen = true, time.Second, false, true, true
	lax.Props, lax.AllowProps, lax.Campaigns = site.PropsRedacted, nil, site.CampaignsRedacted
	return lax
}

// said is everything that is said of a site, with the words that stand in sentences.
func said(s site.Site, storesAddresses bool) []string {
	f := factsOf(&s, time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), storesAddresses)
	all := slices.Concat(f.recognised, f.stored, f.kept)
	for _, word := range f.words {
		all = append(all, word)
	}
	slices.Sort(all)
	return all
}

// What is said of each setting, field by field: which sentences go and which come, compared to a site that stores all it can.
func TestFacts(t *testing.T) {
	lax := laxest(t)
	all := strings.Fields("address_cut address_full address_used campaign click_id client_versions event kept_days language no_cookie number page place properties reading referrer screen source time_second until visit")
	if diff := cmp.Diff(all, said(lax, false)); diff != "" {
		t.Fatal(diff)
	}
	f := func(name string, storesAddresses bool, change func(s *site.Site), gone, come string) {
		t.Helper()
		s := lax
		change(&s)
		want := slices.DeleteFunc(slices.Clone(all), func(key string) bool { return slices.Contains(strings.Fields(gone), key) })
		want = append(want, strings.Fields(come)...)
		slices.Sort(want)
		if diff := cmp.Diff(want, said(s, storesAddresses)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for mask, hashed := range []string{1: "address_1", 2: "address_2", 3: "address_3"} {
		if hashed == "" {
			continue
		}
		located := hashed
		if mask == 1 {
			located = "address_cut" // geo cuts anyway
		}
		f(hashed, false, func(s *site.Site) { s.AddressMask, s.HashAddress = mask, site.HashMasked }, "address_full", hashed)
		f(hashed+" located", false, func(s *site.Site) { s.AddressMask, s.GeoFrom = mask, site.GeoMasked }, "address_cut", located)
		f(hashed+" alone", false, func(s *site.Site) { s.AddressMask = mask }, "", "")
		f(hashed+" noted", true, func(s *site.Site) { s.AddressMask = mask }, "address_used", "address_noted "+strings.Replace(hashed, "address", "noted", 1))
	}
	f("nothing of the address hashed", false, func(s *site.Site) { s.AddressMask, s.HashAddress = 4, site.HashMasked }, "address_full number", "number_alone")
	f("nothing of the address located", false, func(s *site.Site) { s.AddressMask, s.GeoFrom = 4, site.GeoMasked }, "address_cut place", "no_place")
	f("nothing of the address noted", true, func(s *site.Site) { s.AddressMask = 4 }, "", "")
	f("no location", false, func(s *site.Site) { s.GeoFrom = site.GeoOff }, "address_cut place", "no_place")
	f("country", false, func(s *site.Site) { s.City = false }, "place", "country")
	f("no visitors", false, func(s *site.Site) { s.Visitors = false }, "address_full number until visit reading", "no_number")
	f("no visitors, addresses on", true, func(s *site.Site) { s.Visitors = false }, "address_full number until visit reading", "no_number")
	f("minutes", false, func(s *site.Site) { s.TimeStep = time.Minute }, "time_second", "time_minute")
	f("hours", false, func(s *site.Site) { s.TimeStep = time.Hour }, "time_second", "time_hour")
	f("referrer", false, func(s *site.Site) { s.ReferrerHost = true }, "referrer", "referrer_host")
	f("versions", false, func(s *site.Site) { s.Versions = false }, "client_versions", "client")
	f("screen", false, func(s *site.Site) { s.Screen = false }, "screen", "")
	f("listed", false, func(s *site.Site) { s.Props, s.AllowProps = site.PropsListed, []string{"plan"} }, "properties", "properties_listed")
	f("none listed", false, func(s *site.Site) { s.Props = site.PropsListed }, "properties", "no_properties")
	f("listed, but all kept", false, func(s *site.Site) { s.AllowProps = []string{"plan"} }, "", "")
	f("no properties", false, func(s *site.Site) { s.Props, s.AllowProps = site.PropsNone, []string{"plan"} }, "properties", "no_properties")
	f("campaigns", false, func(s *site.Site) { s.Campaigns = site.CampaignsMasked }, "campaign", "campaign_masked")
	f("no campaigns", false, func(s *site.Site) { s.Campaigns = site.CampaignsNone }, "campaign", "")
	f("a day", false, func(s *site.Site) { s.RetentionDays = 1 }, "kept_days", "kept_day")

	f("masked", false, func(s *site.Site) { s.AddressMask, s.HashAddress, s.GeoFrom = 2, site.HashMasked, site.GeoMasked }, "address_full address_cut", "address_2 address_2")
	f("cnil", false, func(s *site.Site) {
		s.AddressMask, s.HashAddress, s.GeoFrom, s.TimeStep, s.ReferrerHost, s.Screen, s.City = 2, site.HashMasked, site.GeoMasked, time.Minute, true, false, false
		s.Props, s.AllowProps, s.Campaigns = site.PropsListed, []string{"plan", "theme"}, site.CampaignsMasked
	}, "address_full address_cut time_second referrer screen place properties campaign", "address_2 address_2 time_minute referrer_host country properties_listed campaign_masked")
	f("strict", true, func(s *site.Site) {
		s.Visitors, s.AddressMask, s.HashAddress, s.GeoFrom, s.TimeStep, s.ReferrerHost = false, 4, site.HashMasked, site.GeoOff, time.Hour, true
		s.Versions, s.Screen, s.City, s.Props, s.Campaigns, s.RetentionDays = false, false, false, site.PropsNone, site.CampaignsNone, 31
	}, "address_full address_cut number until visit reading time_second referrer client_versions screen place properties campaign", "no_number no_place no_properties time_hour referrer_host client")
}

// Both languages say the same things, and leave the same gaps.
func TestSentences(t *testing.T) {
	page, err := loadOptOut()
	if err != nil {
		t.Fatal(err)
	}
	gaps := regexp.MustCompile(`\{[a-z]+\}`)
	shape := func(all map[fact]string) map[fact][]string {
		shapes := map[fact][]string{}
		for key, sentence := range all {
			found := gaps.FindAllString(sentence, -1)
			slices.Sort(found)
			shapes[key] = slices.Compact(found)
		}
		return shapes
	}
	if diff := cmp.Diff(shape(page.english), shape(page.german)); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"no colon", "key:no blank", "key: ", "a: b\na: c"} {
		if got, err := parseSentences("# a comment\n\nx: y\n" + bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	if got, err := parseSentences("# a: comment\n\nx: y: z\n"); err != nil || !cmp.Equal(got, map[fact]string{"x": "y: z"}) {
		t.Errorf("%v, %v", got, err)
	}
}
