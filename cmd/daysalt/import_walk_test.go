package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/importer"
)

// naming returns the "d" member of a line and the URL's host, with the sites that the line is for and how many of its names are of no site here. Names are
// repeated, blank and unknown; without "d" the host is the one name, whatever is in it.
func naming(rng *rand.Rand, sites []string) (member, host string, named []string, unknown int) {
	host = sites[rng.IntN(len(sites))]
	switch rng.IntN(6) {
	case 0:
		return "", host, []string{host}, 0
	case 1: // Many more than a line may name.
		return "", strings.Join(slices.Repeat(sites, 1+rng.IntN(8)), ","), nil, 1
	}
	var names []string
	for range 1 + rng.IntN(10) {
		switch one := sites[rng.IntN(len(sites))]; rng.IntN(8) {
		case 0:
			names = append(names, strings.Repeat(" ", rng.IntN(2)))
		case 1:
			names = append(names, "unknown.example")
			unknown++
		default:
			names = append(names, " "+one+" ")
			if !slices.Contains(named, one) {
				named = append(named, one)
			}
		}
	}
	list := strings.Join(names, ",")
	if strings.Trim(list, " ,") == "" { // That is a wrong line.
		return fmt.Sprintf(`,"d":%q`, host), host, []string{host}, 0
	}
	return fmt.Sprintf(`,"d":%q`, list), host, named, unknown
}

// Of a long file whose lines name several sites, with names that are repeated, blank or no site, every event that is said to be kept is stored, page by page. The
// numbers that lines sent twice are known by do not run into each other.
func TestImport_walk(t *testing.T) {
	t.Parallel()
	const lines, pages = 60_000, 3_000 // several chunks
	sites := []string{"one.example", "two.example", "three.example", "four.example", "five.example"}
	dir := t.TempDir()
	for _, name := range sites {
		siteCommand(t, dir, "add", name)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	from := time.Now().Add(-6 * time.Hour)
	var content strings.Builder
	var kept, unknown uint64
	want := map[string]map[string]int{}
	for n := range lines {
		member, host, named, strangers := naming(rng, sites)
		path := fmt.Sprintf("/p%d", rng.IntN(pages))
		fmt.Fprintf(&content, `{"time":%q,"ip":"198.51.100.%d","ua":%q,"n":"pageview","u":"https://%s%s"%s}`+"\n",
			from.Add(time.Duration(n)*100*time.Millisecond).UTC().Format(time.RFC3339), n%200, chrome, host, path, member)
		for _, name := range named {
			if want[name] == nil {
				want[name] = map[string]int{}
			}
			want[name][path]++
			kept++
		}
		unknown += uint64(strangers)
	}
	result := importResult(t, dir, "events", eventsFile(t, content.String()))
	if result.Kept != kept || !cmp.Equal(result.Dropped, map[string]uint64{"unknown_site": unknown}) || result.Lines != lines || result.OutOfOrder != 0 {
		t.Errorf("%d events should be kept and %d dropped: %+v", kept, unknown, result)
	}
	p := serve(t, dir)
	for _, name := range sites {
		wantPages(t, p, name, want[name])
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A file that is not in order is imported, and the end says what that means.
func TestImport_outOfOrder(t *testing.T) {
	t.Parallel()
	const shop = "shop.example"
	dir := t.TempDir()
	siteCommand(t, dir, "add", shop)
	noon := time.Now().UTC().AddDate(0, 0, -1).Truncate(24 * time.Hour).Add(12 * time.Hour)
	view := func(minutes, person int) string {
		return viewAt(noon.Add(time.Duration(minutes)*time.Minute), person, shop, "/", "")
	}
	got := importCommand(t, dir, "events", eventsFile(t, view(300, 1)+view(200, 1)+view(250, 2)+view(100, 1)))
	if !strings.Contains(got, "\n2 lines are older than a line before them of the same visitor") || !strings.Contains(got, `"daysalt import rm 1 --yes", sort the file by time`) {
		t.Error(got)
	}
	if got = importCommand(t, dir, "events", eventsFile(t, view(100, 1)+view(200, 1)+view(50, 2))); strings.Contains(got, "older") {
		t.Error(got)
	}
}

// What is said at the end about a result.
func TestPrintImport(t *testing.T) {
	f := func(r importer.Result, parts ...string) {
		t.Helper()
		var b strings.Builder
		printImport(&b, r)
		for _, part := range parts {
			if !strings.Contains(b.String(), part) {
				t.Errorf("no %q in %q", part, b.String())
			}
		}
		if text := b.String(); len(parts) == 1 && (strings.Contains(text, "older") || strings.Contains(text, "two") || strings.Contains(text, "rm 7")) {
			t.Errorf("there is nothing to do: %q", text)
		}
	}
	one := importer.Progress{ID: 7, State: importer.Ended, Lines: 9, NextLine: 10, Kept: 9, Dropped: map[string]uint64{}, Ended: time.Unix(0, 0).UTC()}
	f(importer.Result{Progress: one, From: 1}, "kept     9 events")
	f(importer.Result{Progress: one, From: 1, Known: true}, "import 7, 1970-01-01): nothing was done", "To import it again", `"daysalt import rm 7 --yes"`)
	f(importer.Result{Progress: one, From: 1, OutOfOrder: 5}, "5 lines are older", `"daysalt import rm 7 --yes"`)
	one.Forgotten = 3
	f(importer.Result{Progress: one, From: 1}, "3 visits may be counted as two", "kept")
}
