package importer

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// visitOf is a line of somebody at a time of 2026-11-20.
func visitOf(who int, clock, more string) string {
	return fmt.Sprintf(`{"time":"2026-11-20T%sZ","ip":"192.0.2.%d","ua":"a","n":"pageview"%s}`, clock, who, more)
}

// What is older than the last line of the same visitor, site and day is counted, and nothing else.
func TestOrder(t *testing.T) {
	f := func(want uint64, lines ...string) {
		t.Helper()
		o := newOrder()
		for _, line := range lines {
			o.add([]byte(line))
		}
		if o.count != want {
			t.Errorf("%d lines came late, want %d: %s", o.count, want, strings.Join(lines, "\n"))
		}
	}
	const early, late, site, other = "10:00:00", "10:00:01", `,"d":"a.example"`, `,"d":"b.example"`
	f(0)
	f(0, "", "  ", "[]", `{"time":7}`)
	f(0, visitOf(1, early, site), visitOf(1, early, site), visitOf(1, late, site))
	f(1, visitOf(1, late, site), visitOf(1, early, site))
	f(2, visitOf(1, late, site), visitOf(1, early, site), visitOf(1, early, site), visitOf(1, late, site))
	f(0, visitOf(1, late, site), visitOf(2, early, site), visitOf(3, early, site))
	f(0, visitOf(1, late, site), visitOf(1, early, other))
	f(0, visitOf(1, late, site), strings.Replace(visitOf(1, early, site), `"ua":"a"`, `"ua":"b"`, 1))
	f(1, visitOf(1, late, site), visitOf(1, early, `,"domain":"a.example"`))
	f(0, visitOf(1, late, `,"u":"https://a.example/x"`), visitOf(1, early, `,"u":"https://b.example/x"`))
	f(1, visitOf(1, late, `,"u":"https://a.example/x"`), visitOf(1, early, `,"url":"https://a.example?y"`))
	f(1, visitOf(1, late, ""), visitOf(1, early, ""))
	// Visitors have another number the next day.
	f(0, strings.Replace(visitOf(1, late, site), "11-20", "11-21", 1), visitOf(1, early, site))
	// The same moment in another zone.
	f(0, visitOf(1, late, site), strings.Replace(visitOf(1, late, site), "T10:00:01Z", "T12:00:01+02:00", 1))
	f(1, visitOf(1, late, site), strings.Replace(visitOf(1, late, site), "T10:00:01Z", "T11:59:59+02:00", 1))
}

// Memory is bounded; the visitors that came last are known.
func TestOrder_bounded(t *testing.T) {
	o := newOrder()
	o.most = 100
	for n := range 1000 {
		o.add([]byte(visitOf(n, "10:00:01", "")))
		if n >= 100 {
			o.add([]byte(visitOf(n-100, "10:00:00", "")))
		}
		if len(o.young)+len(o.old) > 200 {
			t.Fatal("there are more than 200")
		}
	}
	if o.count != 900 {
		t.Errorf("%d lines came late, want 900", o.count)
	}
}

func BenchmarkOrder(b *testing.B) {
	o := newOrder()
	lines := make([][]byte, 1000)
	for n := range lines {
		lines[n] = []byte(visitOf(n, time.Unix(int64(n), 0).UTC().Format(time.TimeOnly), `,"u":"https://www.example.com/some/page","d":"example.com","r":"https://www.google.com/"`))
	}
	for n := range b.N {
		o.add(lines[n%1000])
	}
}
