package main

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/testkit"
)

// listed returns the sites as `site list --json` prints them, each in one line.
func listed(t *testing.T, dir string) []string {
	t.Helper()
	var infos []admin.SiteInfo
	if err := json.Unmarshal([]byte(siteCommand(t, dir, "list", "--json")), &infos); err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, i := range infos {
		line := i.Domain + " " + i.Timezone
		if i.NextTimezone != "" {
			line += " then " + i.NextTimezone
		}
		if i.AddressMask != 2 || i.HashAddress != "full" || i.GeoFrom != "cut" || len(i.Redact) > 0 {
			line += fmt.Sprint(" privacy ", i.AddressMask, " ", i.HashAddress, " ", i.GeoFrom, " ", len(i.Redact))
		}
		if i.Preset != "default" {
			line += " preset " + i.Preset
		}
		if i.RetentionDays != 396 {
			line += " other retention"
		}
		if age := time.Since(i.Created); age < -time.Minute || age > time.Hour {
			line += " created " + i.Created.String()
		}
		lines = append(lines, line)
	}
	return lines
}

// Every command about sites gives the same to a server that runs and to a data directory that nobody holds.
func TestSite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	commands := func(t *testing.T) {
		t.Helper()
		if got := siteCommand(t, dir, "add", "www.Shop.example", "--timezone", "Europe/Berlin"); !strings.Contains(got, `data-domain="shop.example"`) {
			t.Errorf("add printed %q", got)
		}
		siteCommand(t, dir, "add", "blog.example", "--retention-days", "30")
		if got := listed(t, dir); !cmp.Equal(got, []string{"blog.example UTC other retention", "shop.example Europe/Berlin"}) {
			t.Errorf("listed: %q", got)
		}
		siteCommand(t, dir, "set", "blog.example", "--retention-days", "396")
		siteCommand(t, dir, "set", "shop.example", "--timezone", "Pacific/Auckland")
		if got := listed(t, dir); !cmp.Equal(got, []string{"blog.example UTC", "shop.example Europe/Berlin then Pacific/Auckland"}) {
			t.Errorf("listed: %q", got)
		}
		if got := siteCommand(t, dir, "list"); !strings.Contains(got, "blog.example  UTC") || strings.Contains(got, "brackets") || !strings.Contains(got, "(Pacific/Auckland from ") {
			t.Errorf("list printed %q", got)
		}
		privacyCommands(t, dir)
		presetCommands(t, dir)
		siteCommand(t, dir, "rm", "blog.example", "--yes")
		siteCommand(t, dir, "rm", "www.shop.example", "--yes", "--json")
		if got := listed(t, dir); len(got) != 0 {
			t.Errorf("listed: %q", got)
		}
	}
	commands(t)
	serve(t, dir)
	commands(t)
}

// privacyCommands are the part of TestSite about addresses and redaction rules. It leaves blog.example as it was, and no other site.
func privacyCommands(t *testing.T, dir string) {
	t.Helper()
	siteCommand(t, dir, "add", "strict.example", "--address-mask", "4", "--hash-address", "masked", "--geo-from", "off")
	const counted = "counted twice"
	if got := siteCommand(t, dir, "set", "blog.example", "--address-mask", "1", "--geo-from", "masked"); strings.Contains(got, counted) || !strings.Contains(got, "address mask 1") {
		t.Errorf("set without new numbers printed %q", got)
	}
	if got := siteCommand(t, dir, "set", "blog.example", "--hash-address", "masked"); !strings.Contains(got, counted) {
		t.Errorf("set with new numbers printed %q", got)
	}
	siteCommand(t, dir, "redact", "add", "blog.example", "--match", "^/customers/([^/]+)", "--as", "{customer}")
	if got := siteCommand(t, dir, "redact", "add", "blog.example", "--field", "all", "--match", "(?i)anna", "--as", "{person}"); !strings.Contains(got, "2  all    (?i)anna") {
		t.Errorf("redact add printed %q", got)
	}
	if got := listed(t, dir); !cmp.Equal(got, []string{"blog.example UTC privacy 1 masked masked 2", "shop.example Europe/Berlin then Pacific/Auckland", "strict.example UTC privacy 4 masked off 0"}) {
		t.Errorf("listed: %q", got)
	}
	if got := siteCommand(t, dir, "list"); !strings.Contains(got, "default  396 days   4     masked  off     0      2") {
		t.Errorf("list printed %q", got)
	}
	try := func(domain, field, text, want string) {
		t.Helper()
		if got := siteCommand(t, dir, "redact", "try", domain, "--field", field, text); got != want+"\n" {
			t.Errorf("%s: %q becomes %q, want %q", field, text, got, want)
		}
	}
	try("blog.example", "path", "/customers/4711/anna", "/customers/{customer}/{person}")
	try("blog.example", "path", "/write/someone@example.com", "/write/{email}")
	try("blog.example", "name", "Anna bought", "{person} bought")
	try("blog.example", "referrer", "news.example/by/anna", "news.example/by/{person}")
	try("strict.example", "path", "/customers/4711/anna", "/customers/4711/anna")
	if got := siteCommand(t, dir, "redact", "rm", "blog.example", "1"); strings.Contains(got, "customers") {
		t.Errorf("redact rm printed %q", got)
	}
	var rules []site.Rule
	if err := json.Unmarshal([]byte(siteCommand(t, dir, "redact", "blog.example", "--json")), &rules); err != nil || !cmp.Equal(rules, []site.Rule{{Field: "all", Match: "(?i)anna", As: "{person}"}}) {
		t.Errorf("redact listed %q, %v", rules, err)
	}
	siteCommand(t, dir, "redact", "rm", "www.blog.example", "1")
	if got := siteCommand(t, dir, "redact", "blog.example"); !strings.Contains(got, "no rules") {
		t.Errorf("redact printed %q", got)
	}
	siteCommand(t, dir, "set", "blog.example", "--address-mask", "2", "--hash-address", "full", "--geo-from", "cut")
	siteCommand(t, dir, "rm", "strict.example", "--yes")
}

// presetCommands are the part of TestSite about presets and what goes with them. It leaves no other site.
func presetCommands(t *testing.T, dir string) {
	t.Helper()
	shown := func(want, unwanted []string, args ...string) {
		t.Helper()
		got := siteCommand(t, dir, args...)
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("%q: no %q in %q", args, text, got)
			}
		}
		for _, text := range unwanted {
			if strings.Contains(got, text) {
				t.Errorf("%q: %q in %q", args, text, got)
			}
		}
	}
	const fresh, none, brackets = "may be counted twice", "no visitor numbers from now on", "In brackets: what is set"
	siteCommand(t, dir, "add", "p.example", "--preset", "cnil", "--retention-days", "1000", "--address-mask", "1", "--city", "--dnt=true",
		"--allow-props", " plan, colour,size ", "--min-visitors", "3", "--brand-name", "Müller & Söhne", "--brand-color", "#1A5FB4")
	shown([]string{"cnil     759 days (1000)  2 (1)  masked (full)  masked (cut)  0", brackets}, nil, "list")
	shown([]string{
		"p.example: preset strict, time zone UTC, events are kept for 31 days (1000)\n", "address mask 4 (1), no visitor numbers (full), no locations (cut), no region and city (yes)\n",
		"times to the hour, hosts of referrers, no versions, no screens\n", "no properties, campaigns none\n", "fewer than 10 visitors (3), DNT is an objection\n",
		"name \"Müller & Söhne\", colour #1a5fb4\n", brackets, none,
	}, []string{fresh}, "set", "p.example", "--preset", "strict")
	shown([]string{"strict   31 days (1000)  4 (1)  none (full)"}, nil, "list")
	shown([]string{
		"preset masked", "kept for 999 days\n", "visitor numbers from the masked address (full), locations from the masked address (cut), no region and city\n",
		"times to the second, hosts and paths of referrers, major versions, screen classes\n", "all properties, redacted", "fewer than 3 visitors, DNT is ignored", fresh,
	}, []string{none, "(yes)"}, "set", "p.example", "--preset", "masked", "--retention-days", "999", "--city=false", "--dnt=false")
	shown([]string{"only the properties plan, colour, size, campaigns masked\n", "times to the minute"}, []string{fresh}, "set", "p.example", "--preset", "cnil")
	shown([]string{"allow_props, which names none"}, []string{fresh}, "set", "p.example", "--allow-props", "")
	shown([]string{"answers show every row", fresh}, []string{"opt-out page", brackets, "new events"},
		"set", "p.example", "--preset", "default", "--min-visitors", "0", "--brand-name=", "--brand-color=")

	// JSON has both what holds and what is set.
	var info admin.SiteInfo
	if err := json.Unmarshal([]byte(siteCommand(t, dir, "set", "p.example", "--preset", "strict", "--json")), &info); err != nil {
		t.Fatal(err)
	}
	want := admin.SiteInfo{
		Domain: "p.example", Timezone: "UTC", Preset: "strict", RetentionDays: 31, AddressMask: 4, HashAddress: "masked", GeoFrom: "off", AllowProps: []string{}, MinVisitors: 10,
		Redact: []site.Rule{}, Created: info.Created, TimeStep: "hour", ReferrerHost: true, Props: "none", Campaigns: "none",
		OwnRetentionDays: 999, OwnAddressMask: 1, OwnHashAddress: "full", OwnGeoFrom: "cut", OwnMinVisitors: new(0), NewNumbers: true,
	}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Error(diff)
	}
	siteCommand(t, dir, "rm", "p.example", "--yes")
}

// The hot path sees a change within a second; a site that is removed takes its rows along.
func TestSite_running(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	const domain = "shop.example"
	known := func(want bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
			got := p.do("POST", "/api/event", pageview(domain, "/try"))
			if got.status == 202 && (got.header.Get("X-Plausible-Dropped") == "") == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("a second after the change: %+v", got)
			}
		}
	}
	known(false)
	siteCommand(t, dir, "add", domain)
	known(true)
	p.post(domain, "/kept")
	if got := p.settled(domain); !cmp.Equal(got, map[string]int{"/try": 1, "/kept": 1}) {
		t.Errorf("stored: %v", got)
	}
	p.post(domain, "/not stored yet")

	code, _, stderr := daysalt(t, "site", "rm", domain, "--data-dir", dir)
	if code != 2 || !strings.Contains(stderr, "--yes") {
		t.Errorf("rm without --yes ended with %d: %s", code, stderr)
	}
	known(true)
	siteCommand(t, dir, "rm", domain, "--yes")
	known(false)
	if _, err := p.pages(domain); err == nil || !strings.Contains(err.Error(), "site_id: is not one of the sites") {
		t.Errorf("a question about a removed site: %v", err)
	}
	siteCommand(t, dir, "add", domain)
	if got, err := p.pages(domain); err != nil || len(got) != 0 {
		t.Errorf("a site of the same name begins with %v, %v", got, err)
	}
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	e := startEngine(t, dir, freeAddress(t))
	database := e.sql("SELECT database FROM system.tables WHERE name = 'events' AND database != 'system'")
	if got := e.sql("SELECT count() FROM " + database + ".events"); got != "0" {
		t.Errorf("%s rows are left", got)
	}
}

// What is wrong with a command line is said by its name, and told from what fails by the exit code.
func TestUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serve(t, dir) // TestSite is without one
	siteCommand(t, dir, "add", "taken.example")
	f := func(want int, text string, args ...string) {
		t.Helper()
		code, stdout, stderr := daysalt(t, append(args, "--data-dir", dir)...)
		if code != want || !strings.Contains(stderr, text) || stdout != "" {
			t.Errorf("%q ended with %d, want %d; no %q in %q%q", args, code, want, text, stdout, stderr)
		}
	}
	f(2, "name a command")
	f(2, "name a command", "site")
	f(2, `unknown command "sell"`, "sell")
	f(2, "sell", "site", "sell")
	f(2, "--nothing", "serve", "--nothing")
	f(2, "--nothing", "site", "list", "--nothing")
	f(2, "now", "serve", "now")
	f(2, "now", "engine", "now")
	f(2, "now", "migrate", "now")
	f(2, "now", "version", "now")
	f(2, "arg", "site", "add")
	f(2, "arg", "site", "add", "a.example", "b.example")
	f(2, "a.example", "site", "list", "a.example")
	f(2, "arg", "site", "set")
	f(2, "arg", "site", "rm")
	f(2, "domain: ", "site", "add", "https://shop.example/")
	f(2, "domain: ", "site", "add", "")
	f(2, "domain: ", "site", "add", "shop_example")
	f(2, "timezone: ", "site", "add", "shop.example", "--timezone", "Berlin")
	f(2, "timezone: ", "site", "add", "shop.example", "--timezone", "")
	f(2, "retention_days: ", "site", "add", "shop.example", "--retention-days", "-1")
	f(2, "retention_days: ", "site", "add", "shop.example", "--retention-days", "0")
	f(2, "retention_days: ", "site", "add", "shop.example", "--retention-days", "3651")
	f(2, "--retention-days", "site", "add", "shop.example", "--retention-days", "long")
	f(2, "address_mask: is 7, and must be between 1 ", "site", "add", "shop.example", "--address-mask", "7")
	f(2, "address_mask: ", "site", "add", "shop.example", "--address-mask", "0")
	f(2, "--address-mask", "site", "add", "shop.example", "--address-mask", "all")
	f(2, "hash_address: ", "site", "add", "shop.example", "--hash-address", "half")
	f(2, "hash_address: ", "site", "add", "shop.example", "--hash-address", "")
	f(2, "geo_from: ", "site", "add", "shop.example", "--geo-from", "full")
	f(2, "preset: ", "site", "add", "shop.example", "--preset", "lax")
	f(2, "--city must be true or false", "site", "add", "shop.example", "--city=maybe")
	f(2, "--dnt must be true or false", "site", "set", "taken.example", "--dnt=maybe")
	f(1, "domain: ", "site", "add", "taken.example")
	f(2, "address_mask: ", "site", "set", "taken.example", "--address-mask", "7")
	f(2, "hash_address: ", "site", "set", "taken.example", "--hash-address", "half")
	f(2, "geo_from: ", "site", "set", "taken.example", "--geo-from", "full")
	f(1, "domain: ", "site", "redact", "unknown.example")
	f(2, "arg", "site", "redact")
	f(2, "arg", "site", "redact", "sell", "taken.example")
	f(2, "arg", "site", "redact", "add")
	f(2, "redact[0].match: ", "site", "redact", "add", "taken.example", "--as", "x")
	f(2, "redact[0].match: ", "site", "redact", "add", "taken.example", "--match", "(", "--as", "x")
	f(2, "redact[0].field: ", "site", "redact", "add", "taken.example", "--field", "city", "--match", "a", "--as", "x")
	f(1, "domain: ", "site", "redact", "add", "unknown.example", "--match", "a", "--as", "x")
	f(2, "arg", "site", "redact", "rm", "taken.example")
	f(2, "number of a rule", "site", "redact", "rm", "taken.example", "first")
	f(2, "number of a rule", "site", "redact", "rm", "taken.example", "0")
	f(1, "redact: ", "site", "redact", "rm", "taken.example", "1")
	f(2, "arg", "site", "redact", "try", "taken.example")
	f(2, "field: ", "site", "redact", "try", "taken.example", "--field", "city", "text")
	f(1, "domain: ", "site", "redact", "try", "unknown.example", "text")
	f(2, "timezone: ", "site", "set", "taken.example", "--timezone", "Mars")
	f(2, "retention_days: ", "site", "set", "taken.example", "--retention-days", "0")
	f(2, "nothing to change", "site", "set", "taken.example")
	f(1, "domain: ", "site", "set", "unknown.example", "--retention-days", "30")
	f(1, "domain: ", "site", "rm", "unknown.example", "--yes")
	for _, odd := range []string{"", ".", "..", "../sites", "a/b", "%", "a?b", "a#b"} {
		f(1, "domain: ", "site", "rm", odd, "--yes")
	}
	f(2, "engine.listen: ", "engine", "--engine-listen", "0.0.0.0:0")
	f(2, "engine.listen: ", "engine", "--engine-listen", "192.0.2.1:8123")
	f(2, "web.listen: ", "serve", "--web-listen", "nowhere")
	f(2, "log.level: ", "serve", "--log-level", "loud")
	f(2, "journal.quota: ", "serve", "--journal-quota", "1MiB")
	f(2, "clickhouse.dsn: ", "serve", "--clickhouse-dsn", "mysql://user:hunter2@127.0.0.1")
	if got := listed(t, dir); !cmp.Equal(got, []string{"taken.example UTC"}) {
		t.Errorf("listed afterwards: %q", got)
	}
	if code, stdout, _ := daysalt(t, "version", "--json"); code != 0 || stdout != "{\n  \"version\": \""+version+"\"\n}\n" {
		t.Errorf("version ended with %d: %q", code, stdout)
	}
}

// A server that cannot start says which setting is at fault.
func TestServe_refused(t *testing.T) {
	t.Parallel()
	dir, library := t.TempDir(), testkit.Library(t)
	f := func(environment, texts []string, args ...string) {
		t.Helper()
		p := start(t, environment, append([]string{"serve", "--web-listen", "127.0.0.1:0", "--admin-listen="}, args...)...)
		code := p.wait()
		for _, text := range texts {
			if code != 1 && code != 2 || !strings.Contains(p.log.String(), text) {
				t.Errorf("%q %q ended with %d; no %q in %q", environment, args, code, text, &p.log)
			}
		}
		for _, secret := range []string{"hunter2", "panic", "goroutine"} {
			if strings.Contains(p.log.String(), secret) {
				t.Errorf("%q %q: %q in %q", environment, args, secret, &p.log)
			}
		}
	}
	const remedy = "run make engine, or set DAYSALT_CLICKHOUSE_DSN"
	f(nil, []string{remedy}, "--data-dir", t.TempDir(), "--engine-library", filepath.Join(dir, "libchdb.so"))
	f([]string{"DAYSALT_ENGINE_LIBRARY=" + dir}, []string{remedy}, "--data-dir", t.TempDir())
	f([]string{"DAYSALT_WEB_LISTN=:8000"}, []string{"DAYSALT_WEB_LISTN"}, "--data-dir", t.TempDir())
	f([]string{"DAYSALT_LOG_LEVEL=loud"}, []string{"log.level"}, "--data-dir", t.TempDir())
	f(nil, []string{"clickhouse.dsn"}, "--data-dir", t.TempDir(), "--clickhouse-dsn", "clickhouse://user:hunter2@[::1/daysalt")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	f(nil, []string{"web.listen", l.Addr().String()}, "--data-dir", t.TempDir(), "--engine-library", library, "--web-listen", l.Addr().String())
	f(nil, []string{"admin.listen", l.Addr().String()}, "--data-dir", t.TempDir(), "--engine-library", library, "--admin-listen", l.Addr().String())
	f(nil, []string{"data.dir", "socket"}, "--data-dir", filepath.Join(t.TempDir(), strings.Repeat("long/", 30)), "--engine-library", library)

	running := serve(t, dir, "--web-demo")
	f(nil, []string{"data.dir", dir}, "--data-dir", dir, "--engine-library", library)
	running.post(demo, "/") // and the first one did not notice
}
