package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	loader "github.com/daysalt/daysalt/internal/load"
)

// past returns a file of events of the last days, by people who come again when a visit just goes on and when it just does not, around midnight too. It notes
// them in the book as accepted.
func (r *rig) past(domain string, people, each int) string {
	type line struct {
		at   time.Time
		text string
	}
	rng := rand.New(rand.NewPCG(r.seed, 2))
	var lines []line
	n := uint64(0)
	for person := range people {
		at := time.Now().UTC().Truncate(24 * time.Hour).Add(-96*time.Hour + time.Duration(rng.IntN(4*3600))*time.Second)
		for range each {
			switch rng.IntN(6) {
			case 0: // A visit lasts for 30 minutes.
				at = at.Add(time.Duration(1799+rng.IntN(3)) * time.Second)
			case 1:
				at = at.Add(time.Duration(rng.IntN(5*3600)) * time.Second)
			default:
				at = at.Add(time.Duration(rng.IntN(120)) * time.Second)
			}
			n++
			id := r.seed<<40 | 1<<38 | n
			r.book.Send(1)
			r.book.Accept(id)
			what := []string{`"n":"pageview"`, `"n":"pageview"`, `"n":"pageview"`, `"n":"engagement","e":1500,"sd":40`, `"n":"Signup"`, `"n":"Seen","i":false`}[rng.IntN(6)]
			lines = append(lines, line{at, fmt.Sprintf(`{"time":%q,"ip":"81.3.%d.%d","ua":%q,%s,"u":"https://%s/%c","d":%q,"p":{"id":%q}}`+"\n",
				at.Format(time.RFC3339), person>>8, person&255, chrome, what, domain, 'a'+rng.IntN(26), domain, loader.AppendID(nil, id))})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
	}
	return b.String()
}

// A file of some days is imported while events come in and the server is killed. Their visits end after half an hour and at the site's midnight.
func TestTorture_import(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const shop = "shop.example"
	r.sites = append(r.sites, shop)
	r.start()
	siteCommand(t, r.dir, "add", shop, "--timezone", "Europe/Berlin")
	const people, each = 400, 40
	running := start(t, nil, importArgs(t, r.dir, "events", eventsFile(t, r.past(shop, people, each)))...)
	f := r.load(stallRate / 3)
	for range databaseKills {
		time.Sleep(100*time.Millisecond + rand.N(400*time.Millisecond))
		r.server.kill()
		r.start()
	}
	if code := running.wait(); code != 0 {
		t.Fatalf("the import ended with %d: %s%s", code, &running.out, &running.log)
	}
	f.end()
	o := r.settle()
	t.Logf("seed %d: import of %d lines and load, with kill -9 of the server, %d times: %v", r.seed, people*each, databaseKills, o)
	if o.visits < people*2 {
		t.Errorf("%d visits: hardly any ended", o.visits)
	}
}
