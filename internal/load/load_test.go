package load_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/daysalt/daysalt/internal/load"
)

var sites = []string{"one.example", "two.example", "three.example"}

func newGenerator(seed uint64) *load.Generator {
	return load.New(load.Config{Seed: seed, Sites: sites, Visitors: 5000, IDs: true})
}

// The same seed makes the same requests to the byte; another seed makes others.
func TestGenerator_seed(t *testing.T) {
	a, b, other := newGenerator(7), newGenerator(7), newGenerator(8)
	for range 5000 {
		first, id := a.Next(nil)
		second, again := b.Next(nil)
		third, foreign := other.Next(nil)
		if !bytes.Equal(first, second) || id != again {
			t.Fatalf("seed 7 made\n%s\nand\n%s", first, second)
		}
		if bytes.Equal(first, third) || id == foreign {
			t.Fatalf("seeds 7 and 8 made\n%s", first)
		}
	}
}

// wire is a body.
type wire struct {
	N, U, D string
	R       *string
	SD, E   *int
	P       map[string]string
}

// Every request is one of HTTP with nothing behind it, and has the id that Next says and nobody else has.
func TestGenerator_requests(t *testing.T) {
	g := newGenerator(3)
	known := map[uint64]bool{}
	for i := range 20_000 {
		text, id := g.Next(nil)
		reader := bufio.NewReader(bytes.NewReader(text))
		r, err := http.ReadRequest(reader)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || reader.Buffered() > 0 || int64(len(body)) != r.ContentLength {
			t.Fatalf("%v, %d of %d bytes, %d behind it in\n%s", err, len(body), r.ContentLength, reader.Buffered(), text)
		}
		var w wire
		if err := json.Unmarshal(body, &w); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		got, ok := load.ParseID(w.P["id"])
		if !ok || got != id || known[id] || load.NumberOf(id) != uint64(i+1) {
			t.Fatalf("the id is %q, the %dth is said to be %d", w.P["id"], i+1, id)
		}
		known[id] = true
		if address, err := netip.ParseAddr(r.Header.Get("X-Forwarded-For")); err != nil || !address.IsGlobalUnicast() || address.IsPrivate() {
			t.Fatalf("the address is %v, %v", address, err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/api/event" || r.UserAgent() == "" || r.Header.Get("Accept-Language") == "" || r.Close {
			t.Fatalf("the request is\n%s", text)
		}
	}
}

// What comes is spread as visits are: many people, few pages that most of them see, a third of all visits from nowhere.
func TestGenerator_distribution(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := newGenerator(seed)
	const n = 100_000
	people, agents, perSite, pages, names := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	var entries, direct, campaigns, twoProps, custom int
	for range n {
		var e load.Event
		g.NextEvent(&e)
		var w wire
		if err := json.Unmarshal(e.Body, &w); err != nil {
			t.Fatal(err)
		}
		people[e.Address.String()+e.Agent]++
		agents[e.Agent]++
		perSite[w.D]++
		names[w.N]++
		switch w.N {
		case "pageview":
			page, query, _ := strings.Cut(w.U, "?")
			if w.D == sites[0] {
				pages[page]++
			}
			if !strings.Contains(*w.R, w.D) { // the first of its visit
				entries++
				if *w.R == "" && query == "" {
					direct++
				}
				if strings.Contains(query, "utm_source") {
					campaigns++
				}
			}
		case "engagement":
			if w.SD == nil || w.E == nil || *w.SD < 0 || *w.SD > 100 || *w.E < 500 {
				t.Fatalf("%s", e.Body)
			}
		default:
			custom++
			if len(w.P) == 3 {
				twoProps++
			}
		}
	}
	between := func(what string, got, low, high float64) {
		t.Helper()
		t.Logf("%s: %.3g", what, got)
		if got < low || got > high {
			t.Errorf("%s: %.3g is not from %.3g to %.3g", what, got, low, high)
		}
	}
	top := 0
	for _, n := range pages {
		top = max(top, n)
	}
	between("people", float64(len(people)), 4500, 5000)
	between("agents", float64(len(agents)), 130, 170)
	between("pageviews", float64(names["pageview"])/n, 0.40, 0.48)
	between("engagement", float64(names["engagement"])/n, 0.42, 0.50)
	between("custom events", float64(custom)/n, 0.085, 0.115)
	between("custom events with two properties", float64(twoProps)/float64(custom), 1, 1)
	between("pages of a visit", float64(names["pageview"])/float64(entries), 2, 2.6)
	between("direct", float64(direct)/float64(entries), 0.32, 0.38)
	between("campaigns", float64(campaigns)/float64(entries), 0.05, 0.12)
	between("pages of a site", float64(len(pages)), 450, 500)
	between("the first page's share", float64(top)/float64(names["pageview"])*float64(len(sites)), 0.1, 0.2)
	for _, site := range sites {
		between(site, float64(perSite[site])/n, 0.3, 0.37)
	}
}

func TestID(t *testing.T) {
	for _, id := range []uint64{0, 1, 1<<40 + 5, 1<<64 - 1, 0x0123456789abcdef} {
		text := string(load.AppendID(nil, id))
		if got, ok := load.ParseID(text); !ok || got != id || len(text) != load.IDLetters {
			t.Errorf("%x is %q, which is %x, %v", id, text, got, ok)
		}
	}
	for _, text := range []string{"", "aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaq", "AAAAAAAAAAAAAAAA", "aaaaaaa{aaaaaaaa", "aaaaaaa\x00aaaaaaaa"} {
		if id, ok := load.ParseID(text); ok {
			t.Errorf("%q is said to be %d", text, id)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	g := newGenerator(1)
	var buf []byte
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = g.Next(buf[:0])
		n += len(buf)
	}
	b.ReportMetric(float64(n)/float64(b.N), "bytes/request")
}

// A request is made for nothing, or the driver would be what is measured.
func TestGenerator_allocations(t *testing.T) {
	g := newGenerator(1)
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(1000, func() { buf, _ = g.Next(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func ExampleGenerator() {
	g := load.New(load.Config{Seed: 1, Sites: []string{"one.example"}})
	var e load.Event
	g.NextEvent(&e)
	fmt.Println(load.NumberOf(e.ID), bytes.Contains(e.Body, []byte(`"d":"one.example"`)))
	// Output: 1 true
}
