//go:build !race

package ingest_test

import (
	"testing"

	"github.com/daysalt/daysalt/internal/agent"
)

// discard is a journal that costs nothing.
type discard struct{}

func (discard) Append([]byte) error { return nil }

// A warm event allocates nothing of our own. Under the race detector a sync.Pool forgets at random, so this file is left out there.
func TestIngest_allocations(t *testing.T) {
	in, _ := newIngester(t, discard{})
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
	f("two sites", `{"n":"pageview","u":"https://example.com/","d":"example.com,shop.example.com"}`, 0)
}
