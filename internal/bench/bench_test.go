package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/load"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/testkit"
)

const seed = 5

func id(n uint64) uint64 { return seed<<40 | n }

// row is an event with an id as it would be stored.
func row(n int, text string) event.Row {
	e := event.Event{
		SiteID: 1, Day: 20_000, Time: 1_728_000_000 + int64(n), Visitor: uint64(n + 1), Kind: event.Pageview, Name: "pageview", Path: "/", Scroll: event.NoScroll,
		PropKeys: []string{"plan", "id"}, PropValues: []string{"pro", text}, RetentionDays: 3650,
	}
	return event.Row{Event: e, VisitStart: e.Time}
}

// A database that lost one event, has one twice, one that was refused, one of nobody's and one without an id is found out, and one with all is not.
func TestBook_check(t *testing.T) {
	e := testkit.Engine(t)
	s, err := store.Open(t.Context(), store.Config{Transport: e.RoundTripper()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := &asker{e.RoundTripper(), "daysalt"}
	f := func(name string, stored []string, lost, duplicated, unexpected int) {
		t.Helper()
		rows := make([]event.Row, len(stored))
		for i, text := range stored {
			rows[i] = row(i, text)
		}
		if _, err := q.ask(t.Context(), "TRUNCATE TABLE events"); err != nil {
			t.Fatal(err)
		}
		if err := s.Insert(t.Context(), name, rows); err != nil {
			t.Fatal(err)
		}
		b := newBook(seed)
		b.add(load.Result{Accepted: []uint64{id(1), id(2), id(3)}, Unknown: []uint64{id(5)}}) // 4 was refused
		var run Run
		if err := b.check(t.Context(), q, &run); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{len(stored), lost, duplicated, unexpected}, []int{*run.Stored, *run.Lost, *run.Duplicated, *run.Unexpected}); diff != "" {
			t.Errorf("%s: stored, lost, duplicated, unexpected: -want +got\n%s", name, diff)
		}
		if wrong := run.wrong(); (wrong != "") != (lost+duplicated+unexpected > 0) {
			t.Errorf("%s: %q", name, wrong)
		}
	}
	text := func(all ...uint64) (texts []string) {
		for _, n := range all {
			texts = append(texts, string(load.AppendID(nil, id(n))))
		}
		return texts
	}
	f("all", text(1, 2, 3), 0, 0, 0)
	f("all, and one of which nothing is known", text(1, 2, 3, 5), 0, 0, 0)
	f("one lost", text(1, 3), 1, 0, 0)
	f("nothing", nil, 3, 0, 0)
	f("one twice", text(1, 2, 2, 3), 0, 1, 0)
	f("one three times, one unknown twice", text(1, 2, 2, 2, 3, 5, 5), 0, 2, 0)
	f("one refused", text(1, 2, 3, 4), 0, 0, 1)
	f("one never sent", text(1, 2, 3, 99), 0, 0, 1)
	f("one of another seed", append(text(1, 2, 3), string(load.AppendID(nil, 6<<40|1))), 0, 0, 1)
	f("one without an id", append(text(1, 2, 3), "{token}"), 0, 0, 1)
}

// What wrk sent is counted: distinct events are at least those accepted and at most those sent, and none is there twice.
func TestBook_wrk(t *testing.T) {
	f := func(sent, accepted int, want verdict, numbers ...uint64) {
		t.Helper()
		b := newBook(seed)
		b.sent, b.accepted = sent, accepted
		for _, n := range numbers {
			b.store((seed+1)<<40 | n)
		}
		if got := b.verdict(); got != want {
			t.Errorf("%d sent, %d accepted, %x: %+v, want %+v", sent, accepted, numbers, got, want)
		}
	}
	f(4, 3, verdict{}, 1, 2, 3)
	f(4, 3, verdict{}, 1, 2, 3, 4)
	f(4, 3, verdict{lost: 1}, 1, 2)
	f(4, 3, verdict{lost: 1, duplicated: 1}, 1, 1, 2)
	f(4, 3, verdict{unexpected: 1}, 1, 2, 3, 4, 5)
	f(4, 3, verdict{unexpected: 1}, 1, 2, 3, 1<<36|1) // of a thread that there is not
	f(0, 0, verdict{unexpected: 1}, 1)
}

// What this process uses is what is read.
func TestUsage(t *testing.T) {
	before, _, err := usage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	x := 0
	for began := time.Now(); time.Since(began) < 300*time.Millisecond; x++ {
		_ = fmt.Sprintf("%d,%d", x, x)
	}
	after, resident, err := usage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// Other processes may have had the processor meanwhile; more than two of them this one cannot have used.
	if used := after - before; used < 30*time.Millisecond || used > time.Second || resident < 1<<20 {
		t.Errorf("%v on a processor, %d bytes", used, resident)
	}
	if _, _, err := usage(1 << 30); err == nil {
		t.Error("a process that is not there has used something")
	}
}

func TestMedian(t *testing.T) {
	f := func(want float64, all ...float64) {
		t.Helper()
		if got := median(all); got != want {
			t.Errorf("of %v: %v", all, got)
		}
	}
	f(0)
	f(3, 3)
	f(2, 3, 1)
	f(2, 9, 2, 1)
}

func TestIngest_validate(t *testing.T) {
	good := Ingest{Duration: time.Second, Connections: 1, Sites: 1, Visitors: 1, Pairs: 1}
	f := func(field string, change func(o *Ingest)) {
		t.Helper()
		o := good
		change(&o)
		err := o.Validate()
		bad, is := errors.AsType[*fault.Error](err)
		if field == "" && err != nil || field != "" && (!is || bad.Field != field || bad.Kind != fault.Invalid) {
			t.Errorf("want a fault of %q, got %v", field, err)
		}
	}
	f("", func(*Ingest) {})
	f("rate", func(o *Ingest) { o.Rate = -1 })
	f("duration", func(o *Ingest) { o.Duration = 0 })
	f("duration", func(o *Ingest) { o.Duration, o.Wrk = 1500*time.Millisecond, true })
	f("connections", func(o *Ingest) { o.Connections = 0 })
	f("sites", func(o *Ingest) { o.Sites = 101 })
	f("visitors", func(o *Ingest) { o.Visitors = 0 })
	f("pairs", func(o *Ingest) { o.Pairs = 0 })
	f("wrk", func(o *Ingest) { o.Wrk, o.Rate = true, 5 })
}

// A result with ratios, one row missed, in text and in JSON.
func TestTable(t *testing.T) {
	n := func(v int) *int { return &v }
	lag := 2.0
	server := Run{Accepted: 10, CPUMicros: 30, EventsPerSec: 50, P99Micros: 10, LagSeconds: &lag, DrainSeconds: &lag, Stored: n(12), Lost: n(0), Duplicated: n(0), Unexpected: n(0)}
	bare := Run{Accepted: 10, CPUMicros: 20, EventsPerSec: 100, P99Micros: 10}
	r := func() *Report {
		all := &Report{Server: []Run{server}, Baseline: []Run{bare}}
		all.sum()
		return all
	}
	all := &Table{Paused: r(), Storing: r(), Alone: r(), Open: r(), Ship: &ShipReport{Ship: Ship{Events: 5}, Stored: 5, EventsPerSec: 200_000, Disk: &Disk{BytesPerEvent: 13.5}}}
	all.judge()
	var got []string
	for _, row := range all.Rows {
		got = append(got, fmt.Sprint(row.Value, " ", row.Met))
	}
	want := []string{"1.5 false", "1.5 true", "2 false", "0.5 false", "0.5 false", "1 true", "1 true", "200000 true", "13.5 true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	var text bytes.Buffer
	all.Print(&text)
	if s := text.String(); strings.Count(s, "not met") != 4 || !strings.Contains(s, "of 48 events stored: lost 0, duplicated 0") {
		t.Errorf("%s", s)
	}
	if _, err := json.Marshal(all); err != nil {
		t.Error(err)
	}
	if wrong := all.Wrong(); wrong != "" {
		t.Error(wrong)
	}
	all.Ship.Stored = 4
	if all.Wrong() == "" {
		t.Error("a lost event is not wrong")
	}
}

// A program that cannot be run, and one that says nothing and ends, are errors with its name.
func TestStart_fails(t *testing.T) {
	for _, executable := range []string{"/nowhere/daysalt", "/bin/false"} {
		b, err := New(Config{Executable: executable, Library: testkit.Library(t), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.bare(context.Background(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "bench") {
			t.Errorf("%s: %v", executable, err)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a bench of nothing")
	}
}
