package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/testkit"
)

// What a rich event holds that some presets do not store.
const (
	campaignMarker = "qzxcampaign"
	keyMarker      = "qzxkey"
	valueMarker    = "qzxvalue"
	pathMarker     = "qzxpeople"
)

// phone is an agent with minor versions of both browser and system.
const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 Mobile/15E148 Safari/604.1"

// presetZone is a zone whose hours begin at a quarter past, by UTC.
const presetZone = "Asia/Kathmandu"

// richEvent is the members of an event that says all that an event can say, for some sites.
func richEvent(name string, domains ...string) string {
	utm := make([]string, 0, 5)
	for _, part := range []string{"source", "medium", "campaign", "content", "term"} {
		utm = append(utm, "utm_"+part+"="+campaignMarker+part)
	}
	return fmt.Sprintf(`"n":%q,"d":%q,"u":"https://www.shop.example/buy?%s&gclid=1","r":"https://www.news.example/%s/jane?q=1","p":{%q:%q,"plan":"pro"},"sd":65,"e":4200`,
		name, strings.Join(domains, ","), strings.Join(utm, "&"), pathMarker, keyMarker, valueMarker)
}

// presetRow is what is read of a row.
type presetRow struct {
	Site       int    `json:"site_id"`
	Origin     int    `json:"origin"`
	Name       string `json:"name"`
	Visitor    bool   `json:"has_visitor"`
	Time       int64  `json:"at"`
	VisitStart int64  `json:"visit_at"`
	Day        string `json:"day"`

	Source         string   `json:"source"`
	Channel        string   `json:"channel"`
	Referrer       string   `json:"referrer"`
	ClickID        string   `json:"click_id"`
	UTM            []string `json:"utm"`
	Country        string   `json:"country"`
	Region         string   `json:"region"`
	City           int      `json:"city"`
	Browser        string   `json:"browser"`
	BrowserVersion string   `json:"browser_version"`
	OS             string   `json:"os"`
	OSVersion      string   `json:"os_version"`
	Screen         string   `json:"screen"`
	Keys           []string `json:"prop_keys"`
	Values         []string `json:"prop_values"`
	Scroll         int      `json:"scroll"`
	Engaged        int      `json:"engaged_ms"`
	Retention      int      `json:"retention_days"`
}

// presetRows returns the rows of the sites of presets, which come after the first. The server must have stopped.
func presetRows(t *testing.T, dir string) (rows []presetRow) {
	t.Helper()
	e := startEngine(t, dir, freeAddress(t))
	defer e.stop()
	text := e.sql("SELECT *, visitor > 0 ? true : false AS has_visitor, toUnixTimestamp(ts) AS at, toUnixTimestamp(visit_start) AS visit_at, " +
		"[utm_source, utm_medium, utm_campaign, utm_content, utm_term] AS utm FROM daysalt.events WHERE site_id > 1 ORDER BY site_id, name, origin " +
		"FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0")
	for line := range strings.Lines(text) {
		var one presetRow
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rows = append(rows, one)
	}
	return rows
}

// drivePresets starts a server, measures a site for each preset, after one that says when all is stored, and sends each a rich event, engagement, and an
// event of a file. It returns what was stored, and what the server logged.
func drivePresets(t *testing.T, dir string, past time.Time, presets ...string) (rows []presetRow, log string) {
	t.Helper()
	p := serve(t, dir, "--web-trusted-proxies", "127.0.0.1", "--geo-database", testkit.Places(t), "--addresses-store", "--log-level", "debug")
	siteCommand(t, dir, "add", "last.example")
	var domains []string
	for _, preset := range presets {
		domains = append(domains, preset+".example")
		siteCommand(t, dir, "add", preset+".example", "--preset", preset, "--timezone", presetZone, "--retention-days", "1000", "--city", "--allow-props", "plan")
	}
	for _, name := range []string{"order", "engagement"} {
		if got := p.do("POST", "/api/event", "{"+richEvent(name, domains...)+"}", "X-Forwarded-For", "8.8.8.8", "User-Agent", phone); got.status != 202 {
			t.Fatalf("%s: %+v", name, got)
		}
	}
	line := fmt.Sprintf(`{"time":%q,"ip":"8.8.8.8","ua":%q,%s}`+"\n", past.Format(time.RFC3339), phone, richEvent("order", domains...))
	importCommand(t, dir, "events", eventsFile(t, line))
	p.settled("last.example")
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	return presetRows(t, dir), p.log.String()
}

// filesWith returns the files below a directory that hold a text.
func filesWith(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// What each preset stores of live and imported events, as the database has it, and that what it does not store is in no file.
func TestPresets(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation(presetZone)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().Truncate(time.Second)
	past := began.Add(-3 * time.Hour).UTC().Truncate(time.Hour).Add(29*time.Minute + 56*time.Second) // 14:56 past an hour there
	lax, strict := t.TempDir(), t.TempDir()
	laxRows, _ := drivePresets(t, lax, past, "default", "masked")
	strictRows, log := drivePresets(t, strict, past, "cnil", "strict")

	markers := []string{campaignMarker, keyMarker, valueMarker, pathMarker}
	for _, marker := range markers {
		if len(filesWith(t, lax, marker)) == 0 {
			t.Errorf("the search finds %s in no file of sites that store it", marker)
		}
		if names := filesWith(t, strict, marker); len(names) > 0 || strings.Contains(log, marker) {
			t.Errorf("%s is in %q, in the log: %v", marker, names, strings.Contains(log, marker))
		}
	}

	values := func(value string) []string {
		return []string{value + "source", value + "medium", value + "campaign", value + "content", value + "term"}
	}
	full := presetRow{
		Site: 2, Name: "order", Visitor: true, Source: campaignMarker + "source", Channel: "Referral", Referrer: "news.example/" + pathMarker + "/jane", ClickID: "gclid",
		UTM: values(campaignMarker), Country: "US", Browser: "Safari", BrowserVersion: "17", OS: "iOS", OSVersion: "17",
		Keys: []string{keyMarker, "plan"}, Values: []string{valueMarker, "pro"}, Scroll: 65, Engaged: 4200, Retention: 1000,
	}
	masked := full
	masked.Site = 3
	cnil := full
	cnil.Source, cnil.Referrer, cnil.Retention = "{masked}", "news.example", 759
	cnil.UTM, cnil.Keys, cnil.Values = []string{"{masked}", "{masked}", "{masked}", "{masked}", "{masked}"}, []string{"plan"}, []string{"pro"}
	none := cnil
	none.Site, none.Visitor, none.Country, none.BrowserVersion, none.OSVersion, none.Retention = 3, false, "", "", "", 31
	none.UTM, none.Keys, none.Values, none.Scroll, none.Engaged = []string{"", "", "", "", ""}, []string{}, []string{}, 255, 0

	f := func(preset string, rows []presetRow, want presetRow, step time.Duration) {
		t.Helper()
		// cut is when a step of the zone's clocks began.
		cut := func(at time.Time) int64 {
			_, offset := at.In(zone).Zone()
			return at.Add(time.Duration(offset)*time.Second).Truncate(step).Unix() - int64(offset)
		}
		engaged, orders := 0, 0
		for _, got := range rows {
			if got.Site != want.Site {
				continue
			}
			from, to := past, past
			if got.Origin == 0 {
				from, to = began, time.Now()
			}
			if day := got.Day; day != from.In(zone).Format(time.DateOnly) && day != to.In(zone).Format(time.DateOnly) {
				t.Errorf("%s: day %s", preset, day)
			}
			if got.Time < cut(from) || got.Time > cut(to) || got.Time != cut(time.Unix(got.Time, 0)) || got.VisitStart != cut(time.Unix(got.VisitStart, 0)) {
				t.Errorf("%s: stored at %s, in a visit from %s on", preset, time.Unix(got.Time, 0).UTC(), time.Unix(got.VisitStart, 0).UTC())
			}
			if got.Name == "engagement" {
				engaged++
				continue
			}
			orders++
			want := want
			want.Origin, want.Time, want.VisitStart, want.Day = got.Origin, got.Time, got.VisitStart, got.Day
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, import %d (-want +got):\n%s", preset, got.Origin, diff)
			}
		}
		if orders != 2 || (engaged == 1) != want.Visitor || engaged > 1 {
			t.Errorf("%s: %d events, %d of engagement", preset, orders, engaged)
		}
	}
	f("default", laxRows, full, time.Second)
	f("masked", laxRows, masked, time.Second)
	f("cnil", strictRows, cnil, time.Minute)
	f("strict", strictRows, none, time.Hour)
}

// A visit that is open when a site stores less from now on does not carry on what it began with.
func TestPresets_openVisit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir, "--web-demo")
	siteCommand(t, dir, "add", "shop.example", "--preset", "masked")
	view := func(path, more string) {
		t.Helper()
		body := fmt.Sprintf(`{"n":"pageview","u":"https://shop.example%s","d":"shop.example"%s}`, path, more)
		if got := p.do("POST", "/api/event", body, "User-Agent", phone); got.status != 202 || got.header.Get("X-Plausible-Dropped") != "" {
			t.Fatalf("%+v", got)
		}
	}
	view("/first?utm_campaign="+campaignMarker, `,"r":"https://news.example/`+pathMarker+`"`)
	siteCommand(t, dir, "set", "shop.example", "--preset", "cnil")
	view("/second", "")
	p.settled(demo)
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	e := startEngine(t, dir, freeAddress(t))
	defer e.stop()
	got := e.sql("SELECT path, referrer, utm_campaign, entry_page, seq FROM daysalt.events WHERE site_id > 1 ORDER BY path FORMAT TSV")
	want := fmt.Sprintf("/first\tnews.example/%s\t%s\t/first\t0\n/second\t\t\t/second\t0", pathMarker, campaignMarker)
	if got != want {
		t.Errorf("rows are %q, want %q", got, want)
	}
}
