//go:build !race

package ingest_test

import (
	"testing"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/redact"
	"github.com/daysalt/daysalt/internal/site"
)

// discard is a journal that costs nothing.
type discard struct{}

func (discard) Append([]byte) error { return nil }

// A warm event allocates nothing of our own. Under the race detector a sync.Pool forgets at random, so this file is left out there.
func TestIngest_allocations(t *testing.T) {
	in, sites := newIngester(t, discard{})
	addresses, err := abuse.New(abuse.Config{}, nil, noon, nil)
	if err != nil {
		t.Fatal(err)
	}
	in.Abuse = addresses
	f := func(name, body string, want float64) {
		t.Helper()
		h := hit(body)
		h.Hints = agent.Hints{Brands: `"Google Chrome";v="131"`, Platform: `"Windows"`, Mobile: "?0"}
		got := testing.AllocsPerRun(200, func() {
			if verdict, err := in.Ingest(h); err != nil || verdict.Kept == 0 {
				t.Fatalf("%+v, %v", verdict, err)
			}
		})
		t.Logf("%s: %v allocations", name, got)
		if got != want {
			t.Errorf("%s: %v allocations, want %v", name, got, want)
		}
	}
	f("a pageview", `{"n":"pageview","u":"https://www.example.com/a%20b?utm_source=news&x=1","d":"example.com","r":"https://www.google.com/"}`, 0)
	f("an engagement", `{"n":"engagement","u":"https://example.com/","d":"example.com","sd":65,"e":4200}`, 0)
	f("an event with properties", `{"n":"Order \"now\"","u":"https://example.com/","d":"example.com","p":{"plan":"pro","price":12.5}}`, 0)
	f("personal data everywhere", `{"n":"Bob bob@example.org","u":"https://example.com/u/bob@example.org/550e8400-e29b-41d4-a716-446655440000?utm_source=x&utm_term=123456789","d":"example.com","r":"https://news.example/4f9a1c2e7b8d3f60a1b2c3d4","p":{"ip":"192.0.2.77","to":"https://u:p@x.example/?q=1","iban":"DE89 3704 0044 0532 0130 00"}}`, 0)
	for _, preset := range []string{"cnil", "strict"} {
		if _, err := sites.Set(t.Context(), "example.com", site.Change{Preset: &preset, AllowProps: &[]string{"plan"}}); err != nil {
			t.Fatal(err)
		}
		f(preset, `{"n":"404","u":"https://example.com/a?utm_source=flyer&utm_medium=x","d":"example.com","r":"https://news.example/jane","p":{"plan":"pro","price":12.5}}`, 0)
	}
	usual := "default"
	if _, err := sites.Set(t.Context(), "example.com", site.Change{Preset: &usual}); err != nil {
		t.Fatal(err)
	}
	masked, rules := "masked", []redact.Rule{{Field: "all", Match: "jane-[a-z]+", As: "{who}"}}
	if _, err := sites.Set(t.Context(), "example.com", site.Change{HashAddress: &masked, GeoFrom: &masked, Redact: &rules}); err != nil {
		t.Fatal(err)
	}
	f("masked, own rules that find nothing", `{"n":"pageview","u":"https://example.com/a","d":"example.com","r":"https://www.google.com/"}`, 0)
	f("own rules that find one thing", `{"n":"pageview","u":"https://example.com/jane-doe","d":"example.com"}`, 2) // package regexp returns what it found on the heap
	line := []byte(`{"time":"2026-11-20T12:00:00Z","ip":"192.0.2.7","ua":"` + chrome + `","n":"pageview","u":"https://example.com/","d":"example.com"}`)
	im := &ingest.Import{Origin: 1, Keys: in.Keys}
	if n := testing.AllocsPerRun(200, func() { _, _ = in.Import(im, 1, line) }); n != 0 {
		t.Errorf("a line of a file: %v allocations", n)
	}
	f("two sites", `{"n":"pageview","u":"https://example.com/","d":"example.com,shop.example.com"}`, 0)
}
