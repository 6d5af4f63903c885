package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/testkit"
)

// forwarded are addresses as a proxy hands them on, v6 last but for an IPv4 address that is written as one.
var forwarded = [...]string{"198.51.77.199", "203.0.113.9:4711", "[2001:db8:5a71:9c3:d00d:7e11:43aa:c0fe]:443", "::ffff:192.0.2.55"}

// postFrom sends an event through a trusted proxy, and says whether it was kept.
func (p *process) postFrom(domain, path, from string, headers ...string) (kept bool) {
	p.t.Helper()
	got := p.do("POST", "/api/event", pageview(domain, path), append([]string{"X-Forwarded-For", from}, headers...)...)
	if got.status != 202 {
		p.t.Fatalf("%s from %s: %+v", path, from, got)
	}
	return got.header.Get("X-Plausible-Dropped") == ""
}

// abuseOf asks for what is noted, with a server or without, and returns it as "site address reason events" in order.
func abuseOf(t *testing.T, dir string, since time.Time, args ...string) (recording bool, rows []string) {
	t.Helper()
	code, stdout, stderr := daysalt(t, append([]string{"abuse", "--json", "--data-dir", dir, "--engine-library", testkit.Library(t)}, args...)...)
	var report admin.AbuseReport
	if err := json.Unmarshal([]byte(stdout), &report); code != 0 || err != nil {
		t.Fatalf("abuse ended with %d, %v: %q%q", code, err, stdout, stderr)
	}
	rows = []string{}
	for _, r := range report.Rows {
		if r.First.Before(since.Truncate(time.Minute)) || r.Last.Before(r.First) || r.Last.After(time.Now()) || !r.Last.Equal(r.Last.Truncate(time.Minute)) {
			t.Errorf("noted of %v to %v: %+v", r.First, r.Last, r)
		}
		rows = append(rows, strings.Join([]string{r.Site, r.Address, r.Reason, strconv.FormatUint(r.Events, 10)}, " "))
	}
	slices.Sort(rows)
	return report.Recording, rows
}

// With addresses.store, each site's addresses are noted as its mask leaves them, and nothing else of anybody; without it, nothing is.
func TestMasks_store(t *testing.T) {
	t.Parallel()
	dir, began := t.TempDir(), time.Now()
	for domain, mask := range map[string]string{"a1.example": "1", "a3.example": "3", "a4.example": "4"} {
		siteCommand(t, dir, "add", domain, "--address-mask", mask)
	}
	siteCommand(t, dir, "add", "a2.example") // the default
	proxied := []string{"--web-trusted-proxies", "127.0.0.1"}
	wantAbuse := func(recording bool, want []string, args ...string) {
		t.Helper()
		on, got := abuseOf(t, dir, began, args...)
		if diff := cmp.Diff(want, got); diff != "" || on != recording {
			t.Errorf("recording %v, want %v; noted: %s", on, recording, diff)
		}
	}

	// Nothing is asked for, so nothing is noted.
	p := serve(t, dir, proxied...)
	for _, from := range forwarded {
		p.postFrom("a1.example", "/unseen", from)
	}
	wantAbuse(false, []string{})
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	code, stdout, stderr := daysalt(t, "abuse", "--data-dir", dir, "--engine-library", testkit.Library(t), "--addresses-store=false")
	if code != 0 || stdout != "addresses.store is off: nothing is recorded\n" {
		t.Errorf("abuse ended with %d: %q%q", code, stdout, stderr)
	}

	p = serve(t, dir, append(proxied, "--addresses-store")...)
	for _, domain := range []string{"a1.example", "a2.example", "a3.example", "a4.example"} {
		for _, from := range forwarded {
			if !p.postFrom(domain, "/seen", from) {
				t.Errorf("%s from %s was dropped", domain, from)
			}
		}
	}
	p.postFrom("a1.example", "/seen", "198.51.77.200") // of the same network
	for domain, headers := range map[string][]string{
		"a2.example": {"User-Agent", "Googlebot/2.1 (+http://www.google.com/bot.html)"}, "a3.example": {"Sec-Purpose", "prefetch"}, "unknown.example": nil,
	} {
		if p.postFrom(domain, "/dropped", forwarded[0], headers...) || p.postFrom(domain, "/dropped", forwarded[2], headers...) {
			t.Errorf("%s kept what was to be dropped", domain)
		}
	}
	p.postFrom("a2.example", "/objected", "192.0.2.99", "Sec-Gpc", "1")                                                    // leaves no trace
	p.do("POST", "/api/event", "no JSON", "X-Forwarded-For", "192.0.2.99")                                                 // belongs to no site
	p.do("POST", "/api/event", pageview("a2.example", "/direct"), "X-Forwarded-For", forwarded[0]+", 10.9.8.7, 127.0.0.1") // what comes before the last one that is not trusted is anybody's word
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	want := []string{
		" 198.51.0.0 unknown_site 1",
		" 2001:db8:5a71:: unknown_site 1",
		"a1.example 192.0.2.0 kept 1",
		"a1.example 198.51.77.0 kept 2",
		"a1.example 2001:db8:5a71:9c3:: kept 1",
		"a1.example 203.0.113.0 kept 1",
		"a2.example 10.9.0.0 kept 1",
		"a2.example 192.0.0.0 kept 1",
		"a2.example 198.51.0.0 bot 1",
		"a2.example 198.51.0.0 kept 1",
		"a2.example 2001:db8:5a71:: bot 1",
		"a2.example 2001:db8:5a71:: kept 1",
		"a2.example 203.0.0.0 kept 1",
		"a3.example 192.0.0.0 kept 1",
		"a3.example 198.0.0.0 kept 1",
		"a3.example 198.0.0.0 prefetch 1",
		"a3.example 2001:d00:: kept 1",
		"a3.example 2001:d00:: prefetch 1",
		"a3.example 203.0.0.0 kept 1",
		"a4.example 0.0.0.0 kept 3",
		"a4.example :: kept 1",
	}
	wantAbuse(true, want, "--addresses-store")

	// What is noted stays when nothing more is, and goes with its site.
	p = serve(t, dir, append(proxied, "--addresses-store")...)
	p.postFrom("a2.example", "/late", "203.0.113.77") // noted in memory while the site is removed
	siteCommand(t, dir, "rm", "a2.example", "--yes")
	want = slices.DeleteFunc(want, func(row string) bool { return strings.HasPrefix(row, "a2.") })
	wantAbuse(true, want)
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	wantAbuse(false, want)
}

// Numbers made from masked addresses take the people of one network who have the same browser for one; countries come from what geo_from leaves.
func TestMasks_visitors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir, "--web-trusted-proxies", "127.0.0.0/8", "--geo-database", testkit.Places(t))
	sites := []struct {
		domain   string
		settings []string
		visitors string
		country  string // of the first visitor
	}{
		{"full.example", nil, "[5]", "US"},
		{"masked.example", []string{"--hash-address", "masked"}, "[3]", "US"},
		{"none.example", []string{"--hash-address", "masked", "--address-mask", "4", "--geo-from", "off"}, "[2]", notSet}, // one of each kind of address
		{"off.example", []string{"--geo-from", "off"}, "[5]", notSet},
		{"preset.example", []string{"--preset", "masked"}, "[3]", "US"},
		{"stricter.example", []string{"--preset", "masked", "--address-mask", "4"}, "[2]", notSet}, // its own mask is the stricter one
		{"coarse.example", []string{"--geo-from", "masked", "--address-mask", "4"}, "[5]", notSet},
	}
	for _, s := range sites {
		siteCommand(t, dir, append([]string{"add", s.domain, "--timezone", noonZone()}, s.settings...)...)
		// Two of one /16, one of another, two of one /48, and the first one again.
		for _, from := range []string{"8.8.8.8", "8.8.200.9", "9.9.9.9", "2001:4860:4860:1::8888", "2001:4860:4860:2::8844", "::ffff:8.8.8.8"} {
			p.postFrom(s.domain, "/page", from)
		}
		p.postFrom(s.domain, "/last", "8.8.8.8")
	}
	for _, s := range sites {
		if got := p.awaitPage(s.domain, "/last"); !cmp.Equal(got, map[string]int{"/page": 6}) {
			t.Errorf("%s: stored %v", s.domain, got)
		}
		if got := visitors(p, s.domain); got != s.visitors {
			t.Errorf("%s: %s visitors, want %s", s.domain, got, s.visitors)
		}
		if got := countries(p, s.domain); !slices.Contains(got, s.country) || slices.Contains(got, notSet) != (len(got) == 1 && s.country == notSet) {
			t.Errorf("%s: countries %q, want %q", s.domain, got, s.country)
		}
	}
}

// notSet is the country of visits from nowhere known.
const notSet = "(not set)"

// noonZone returns a zone in which it is about noon, so that no midnight comes while visitors are counted.
func noonZone() string {
	switch ahead := 12 - time.Now().UTC().Hour(); {
	case ahead > 0:
		return "Etc/GMT-" + strconv.Itoa(ahead) // the sign is the other way round in these names
	case ahead < 0:
		return "Etc/GMT+" + strconv.Itoa(-ahead)
	}
	return "UTC"
}

// countries asks which a site's visits came from.
func countries(p *process, domain string) []string {
	p.t.Helper()
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
	question := `{"site_id":"` + domain + `","metrics":["visitors"],"dimensions":["visit:country"],"date_range":["` + day(-1) + `","` + day(1) + `"]}`
	got := p.do("POST", "/api/v2/query", question, "Content-Type", "application/json")
	var rows struct {
		Results []struct{ Dimensions []string }
	}
	if err := json.Unmarshal([]byte(got.body), &rows); err != nil || got.status != 200 {
		p.t.Fatalf("%+v: %v", got, err)
	}
	var all []string
	for _, row := range rows.Results {
		all = append(all, row.Dimensions...)
	}
	slices.Sort(all)
	return all
}
