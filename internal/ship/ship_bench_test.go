package ship

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/journal"
	"github.com/daysalt/daysalt/internal/visit"
)

// countingSink takes rows and does nothing with them but to wait as long as a database needs.
type countingSink struct {
	perRow time.Duration
	rows   atomic.Int64
}

func (s *countingSink) Insert(_ context.Context, _ string, rows []event.Row) error {
	time.Sleep(time.Duration(len(rows)) * s.perRow) // The engine works in threads of its own.
	s.rows.Add(int64(len(rows)))
	return nil
}

// fill appends n events of many visitors, about 250 bytes each, as they come to a busy server.
func fill(tb testing.TB, j *journal.Journal, n int) {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	browsers, countries := []string{"Chrome", "Firefox", "Safari"}, []string{"DE", "FR", "US", "NL"}
	var b []byte
	for i := range n {
		at := int64(noon + i/2000)
		e := event.Event{
			SiteID: uint32(1 + rng.IntN(20)), Day: event.Day(at / daySeconds), Time: at, Visitor: 1 + rng.Uint64N(uint64(1+n/5)), Name: "pageview", Interactive: true,
			Hostname: "www.example.test", Path: fmt.Sprintf("/articles/%d/some-longer-title-%d", rng.IntN(500), rng.IntN(10)), Source: "Google", Channel: "Organic Search",
			Referrer: "google.com/", Country: countries[rng.IntN(4)], Region: "DE-BE", City: 2_950_159, Browser: browsers[rng.IntN(3)], BrowserVersion: "145.0",
			OS: "Windows", OSVersion: "11", Device: "Desktop", Screen: "Large", Language: "de", Scroll: event.NoScroll, RetentionDays: 730,
		}
		if i%10 == 0 {
			e.Kind, e.Name, e.PropKeys, e.PropValues = event.Custom, "Sign up", []string{"plan", "id"}, []string{"pro", "1234567"}
		}
		b = event.AppendEvent(b[:0], &e)
		if err := j.Append(b); err != nil {
			tb.Fatal(err)
		}
	}
}

// used returns the processor time of this process.
func used(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What ship itself needs for an event, from the journal to the sink; and what the line needs while the sink takes three microseconds for a row in another core,
// which is how much of the two goes on at the same time.
func BenchmarkRun(b *testing.B) {
	f := func(name string, perRow time.Duration) {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "journal"), Now: time.Now}, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = j.Close() }() // It is measured no more.
			fill(b, j, b.N)
			sink := &countingSink{perRow: perRow}
			s, err := New(Config{Dir: filepath.Join(dir, "ship"), Now: time.Now}, j, visit.New(), sink, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := used(b)
			if err := s.Run(ended()); err != nil || sink.rows.Load() != int64(b.N) {
				b.Fatalf("%d of %d rows: %v", sink.rows.Load(), b.N, err)
			}
			b.ReportMetric(float64(used(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
	f("alone", 0)
	f("beside a database", 3*time.Microsecond)
}
