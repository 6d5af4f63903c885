package abuse_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daysalt/daysalt/internal/abuse"
)

// running is a recorder in a bubble of fake time, which begins at a full minute.
type running struct {
	*abuse.Recorder
	sink *database
	log  *bytes.Buffer
	end  func()
}

func run(t *testing.T) *running {
	t.Helper()
	p := &running{sink: newDatabase(t), log: new(bytes.Buffer)}
	var err error
	p.Recorder, err = abuse.New(abuse.Config{MaxEntries: 100}, p.sink, time.Now, slog.New(slog.NewTextHandler(p.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	p.end = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	return p
}

// record counts an event that is told from all others by its site.
func (p *running) record(site uint32) { p.Record(site, time.Now(), netip.Addr{}, "kept") }

// wait sleeps, and lets everything happen that was to happen by then.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func away(context.Context) (bool, error) { return false, errors.New("away") }

// What a minute brought is written when it ends, in one insert; a minute without anything writes nothing.
func TestRun_minutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait(10 * time.Second)
		p := run(t)
		start := time.Now().Truncate(time.Minute)
		p.record(1)
		wait(49 * time.Second)
		p.record(1)
		p.record(2)
		expect(t, "before the minute ends", p.sink.rows(), []abuse.Row{})
		wait(2 * time.Second)
		want := []abuse.Row{row(1, start, "::", "kept", 2), row(2, start, "::", "kept", 1)}
		expect(t, "after it ended", p.sink.rows(), want)
		wait(3 * time.Minute)
		if n := p.sink.inserts(); n != 1 {
			t.Errorf("%d inserts for one minute", n)
		}
		minute := time.Now().Truncate(time.Minute)
		p.record(3)
		p.end()
		expect(t, "after the end", p.sink.rows(), append(want, row(3, minute, "::", "kept", 1)))
		if p.log.Len() > 0 {
			t.Errorf("it logged %s", p.log)
		}
	})
}

// A failure is tried again a minute later under its token with its rows; the sink checks that. It holds up nobody else's minute.
func TestRun_failure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		f := func(answer func(context.Context) (bool, error), calls int, events uint64, want abuse.Stats) {
			t.Helper()
			p.sink.set(answer)
			p.record(1)
			wait(time.Minute)
			if p.sink.inserts() != calls || p.sink.events() != events {
				t.Errorf("%d inserts and %d events, want %d and %d", p.sink.inserts(), p.sink.events(), calls, events)
			}
			expect(t, "stats", p.Stats(), want)
		}
		f(nil, 1, 1, abuse.Stats{Rows: 1})
		f(away, 2, 1, abuse.Stats{Rows: 1, Failures: 1, Waiting: 1})
		f(away, 4, 1, abuse.Stats{Rows: 1, Failures: 3, Waiting: 2})
		f(func(context.Context) (bool, error) { return true, errors.New("the answer was lost") }, 7, 4, abuse.Stats{Rows: 1, Failures: 6, Waiting: 3})
		f(nil, 11, 5, abuse.Stats{Rows: 5, Failures: 6})
		f(nil, 12, 6, abuse.Stats{Rows: 6, Failures: 6})
		p.end()
		if got := p.log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "away") || !strings.Contains(got, "stored again") {
			t.Errorf("it logged %s", got)
		}
	})
}

// One batch that the database refuses does not hold up the others.
func TestRun_oneRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		p.sink.set(away)
		p.record(1)
		wait(time.Minute)
		first := true
		p.sink.set(func(context.Context) (bool, error) {
			defer func() { first = false }()
			if first {
				return false, errors.New("refused")
			}
			return true, nil
		})
		p.record(2)
		wait(time.Minute)
		expect(t, "stats", p.Stats(), abuse.Stats{Rows: 1, Failures: 2, Waiting: 1})
		p.end()
	})
}

// After ten minutes of tries a batch is dropped and counted; what came later is not.
func TestRun_awayForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		p.sink.set(away)
		for range 9 {
			p.record(1)
			wait(time.Minute)
		}
		expect(t, "nine minutes", p.Stats(), abuse.Stats{Failures: 45, Waiting: 9})
		for range 3 {
			p.record(1)
			p.record(1)
			wait(time.Minute)
		}
		expect(t, "twelve minutes", p.Stats(), abuse.Stats{Failures: 75, Waiting: 9, Dropped: 3})
		p.sink.set(nil)
		wait(time.Minute)
		expect(t, "back", p.Stats(), abuse.Stats{Failures: 75, Dropped: 3, Rows: 9})
		if got := p.sink.events(); got != 12 {
			t.Errorf("%d events, want 12", got)
		}
		p.end()
		if got := p.log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "dropped_events=3") {
			t.Errorf("it logged %s", got)
		}
	})
}

// A database that does not answer takes at most half of each minute, and five seconds of the end.
func TestRun_hanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		p.sink.set(func(ctx context.Context) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		})
		p.record(1)
		wait(time.Minute + 31*time.Second)
		expect(t, "first minute", p.Stats(), abuse.Stats{Failures: 1, Waiting: 1})
		p.record(1)
		wait(time.Minute)
		expect(t, "second minute", p.Stats(), abuse.Stats{Failures: 3, Waiting: 2})
		p.record(1)
		began := time.Now()
		p.end()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the end took %v", took)
		}
		expect(t, "the end", p.Stats(), abuse.Stats{Failures: 6, Dropped: 3})
		if got := p.log.String(); !strings.Contains(got, "before the end") || !strings.Contains(got, "dropped_events=3") {
			t.Errorf("it logged %s", got)
		}
	})
}

// The end comes while an insert is under way: it is cut off, and tried again at once.
func TestRun_endsWithinInsert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		p.sink.set(func(ctx context.Context) (bool, error) {
			<-ctx.Done()
			p.sink.set(nil)
			return true, ctx.Err() // it had arrived
		})
		p.record(1)
		wait(time.Minute + time.Second)
		p.record(2)
		p.end()
		if got := p.sink.events(); got != 2 {
			t.Errorf("%d events, want 2", got)
		}
		if p.log.Len() > 0 {
			t.Errorf("it logged %s", p.log)
		}
	})
}

// Who deletes rows first has all of them written, and learns that some are not.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		defer p.end()
		p.sink.set(away)
		p.record(1)
		if err := p.Flush(t.Context()); err == nil || err.Error() != "away" {
			t.Errorf("away: %v", err)
		}
		p.sink.set(nil)
		p.record(2)
		if err := p.Flush(t.Context()); err != nil || p.sink.events() != 2 {
			t.Errorf("back: %v, %d events", err, p.sink.events())
		}
		hang := make(chan struct{})
		p.sink.set(func(context.Context) (bool, error) { <-hang; return true, nil })
		p.record(3)
		go func() { _ = p.Flush(context.Background()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("behind another one: %v", err)
		}
		close(hang)
		synctest.Wait()
		if got := p.sink.events(); got != 3 {
			t.Errorf("%d events, want 3", got)
		}
	})
}

// The patience of who flushes is no try, and makes no more wait than may.
func TestFlush_impatient(t *testing.T) {
	sink := newDatabase(t)
	r := newRecorder(t, 10, sink)
	for range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		sink.set(func(context.Context) (bool, error) { cancel(); return false, context.Canceled })
		r.Record(1, noon, netip.Addr{}, "kept")
		if err := r.Flush(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if s := r.Stats(); s.Waiting != 10 || s.Dropped != 0 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
	sink.set(nil)
	flush(t, r)
	flush(t, r)
	if got := sink.events(); got != 30 {
		t.Errorf("%d events, want 30", got)
	}
}
