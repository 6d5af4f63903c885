package ship

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/journal"
	"github.com/daysalt/daysalt/internal/visit"
)

// fakeSink keeps rows in memory, once for each token, and does what before and after say on the way.
type fakeSink struct {
	t      *testing.T
	before func() error // its error means that nothing was stored
	after  func() error // its error comes although the rows were stored
	strict bool         // the rows of a token are the same each time

	mu       sync.Mutex
	rows     []event.Row
	tokens   map[string][]event.Row
	order    []string // of new tokens
	attempts []time.Time
}

func newSink(t *testing.T) *fakeSink {
	t.Helper()
	return &fakeSink{t: t, strict: true, tokens: map[string][]event.Row{}}
}

func (s *fakeSink) Insert(ctx context.Context, token string, rows []event.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts = append(s.attempts, time.Now())
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.before != nil {
		if err := s.before(); err != nil {
			return err
		}
	}
	if had, known := s.tokens[token]; known {
		if diff := cmp.Diff(had, rows); s.strict && diff != "" {
			s.t.Errorf("token %s came again with other rows:\n%s", token, diff)
		}
	} else {
		s.tokens[token] = slices.Clone(rows)
		s.order = append(s.order, token)
		s.rows = append(s.rows, rows...)
	}
	if s.after != nil {
		return s.after()
	}
	return nil
}

func (s *fakeSink) stored() []event.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rows)
}

// line is a journal and what ships it, in a bubble of synctest.
type line struct {
	t    *testing.T
	dir  string
	j    *journal.Journal
	sink *fakeSink
	cfg  Config
	logs *bytes.Buffer

	failpoint func(name string) // of the Shippers that are started

	s    *Shipper
	stop context.CancelFunc
	dead chan struct{} // closed when Run has ended, or was killed
	err  error         // of Run
}

func newLine(t *testing.T) *line {
	t.Helper()
	l := &line{t: t, dir: t.TempDir(), sink: newSink(t), logs: &bytes.Buffer{}}
	l.cfg = Config{Dir: filepath.Join(l.dir, "ship"), Now: time.Now}
	l.openJournal()
	return l
}

func (l *line) openJournal() {
	l.t.Helper()
	var err error
	l.j, err = journal.Open(journal.Config{Dir: filepath.Join(l.dir, "journal"), SegmentBytes: 8192, QuotaBytes: 64 << 20, Interval: time.Minute, Now: time.Now}, nil)
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *line) closeJournal() {
	l.t.Helper()
	if err := l.j.Close(); err != nil {
		l.t.Fatal(err)
	}
}

// start makes a Shipper and runs it.
func (l *line) start() {
	l.t.Helper()
	l.startWith(l.sink)
}

// startWith is start with another sink.
func (l *line) startWith(sink Sink) {
	l.t.Helper()
	s, err := New(l.cfg, l.j, visit.New(), sink, slog.New(slog.NewTextHandler(l.logs, nil)))
	if err != nil {
		l.t.Fatal(err)
	}
	s.failpoint = l.failpoint
	ctx, stop := context.WithCancel(context.Background())
	l.s, l.stop, l.dead = s, stop, make(chan struct{})
	l.err = errors.New("it was killed")
	go func(dead chan struct{}) {
		defer close(dead) // Also where the sink ends the goroutine.
		l.err = s.Run(ctx)
	}(l.dead)
}

// end stops it as a shutdown does.
func (l *line) end() {
	l.t.Helper()
	l.stop()
	<-l.dead
	if l.err != nil {
		l.t.Errorf("Run: %v", l.err)
	}
}

func (l *line) append(events ...event.Event) {
	l.t.Helper()
	for i := range events {
		if err := l.j.Append(event.AppendEvent(nil, &events[i])); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *line) flush() {
	l.t.Helper()
	if err := l.s.Flush(l.t.Context()); err != nil {
		l.t.Errorf("Flush: %v", err)
	}
}

const noon = 20_000*86_400 + 43_200

// numbered returns n events, a minute apart, that differ in their path.
func numbered(from, n int) (all []event.Event) {
	for i := range n {
		at := int64(noon + 60*(from+i))
		all = append(all, event.Event{
			SiteID: 1, Day: event.Day(at / 86_400), Time: at, Visitor: uint64(1 + (from+i)*(from+i)%7), Name: "pageview", Hostname: "a.test",
			Path: fmt.Sprintf("/%d", from+i), Source: fmt.Sprintf("s%d", from+i), PropKeys: []string{"k"}, PropValues: []string{strings.Repeat("v", (from+i)%200)},
		})
	}
	return all
}

// joined returns the rows of an uninterrupted run.
func joined(events []event.Event) (rows []event.Row) {
	tr := visit.New()
	for i := range events {
		var row event.Row
		tr.Join(&events[i], &row)
		rows = append(rows, row)
	}
	return rows
}

// bubble runs a test in which time passes only when everything waits.
func bubble(t *testing.T, f func(t *testing.T, l *line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t)
		defer func() { _ = l.j.Close() }() // Some tests have closed it.
		f(t, l)
	})
}

func TestRun_drainsAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		events := numbered(0, 200)
		l.append(events...)
		l.cfg.Keep = -1
		l.start()
		l.end()
		if diff := cmp.Diff(joined(events), l.sink.stored()); diff != "" {
			t.Error(diff)
		}
		batches := len(l.sink.order)
		if st := l.s.Stats(); st.Rows != 200 || st.Batches != uint64(batches) || st.LagBytes != 0 || st.LagSeconds != 0 || st.Checkpoints == 0 {
			t.Errorf("%+v", st)
		}
		if st := l.j.Stats(); st.Segments != 1 {
			t.Errorf("%d segments are left, want 1", st.Segments)
		}
		// The next one goes on with the same visits.
		more := numbered(200, 50)
		l.append(more...)
		l.start()
		l.end()
		if diff := cmp.Diff(joined(append(events, more...)), l.sink.stored()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRun_endsThoughTheSinkDoesNotWork(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		down := errors.New("no connection")
		l.sink.before = func() error { return down }
		events := numbered(0, 10)
		l.append(events...)
		l.start()
		time.Sleep(time.Hour)
		if st := l.s.Stats(); st.Retries < 300 || st.Retries > 800 || st.LagBytes == 0 || st.Rows != 0 {
			t.Errorf("after an hour: %+v", st)
		}
		start := time.Now()
		l.end()
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("Run ended after %s, want 10s", took)
		}
		for i, a := range l.sink.attempts[20:] {
			if gap := a.Sub(l.sink.attempts[19+i]); gap < 5*time.Second || gap > 10*time.Second {
				t.Errorf("pause of %s, want 5 to 10 s", gap)
			}
		}
		if n := strings.Count(l.logs.String(), "held up"); n < 5 || n > 30 {
			t.Errorf("%d lines in the log, want few", n)
		}
		l.sink.before = nil
		l.start()
		l.end()
		if diff := cmp.Diff(joined(events), l.sink.stored()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRun_endsBetweenACheckpointAndABatch(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		inserts := 0
		l.sink.before = func() error {
			if inserts++; inserts > 2 {
				return errors.New("no connection")
			}
			return nil
		}
		l.cfg.BatchRows = 3
		events := numbered(0, 10)
		l.append(events...)
		l.start()
		l.end()
		l.sink.before = nil
		l.start()
		l.end()
		if diff := cmp.Diff(joined(events), l.sink.stored()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRun_batches(t *testing.T) {
	f := func(change func(l *line), wait time.Duration, want ...int) {
		t.Helper()
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			change(l)
			l.start()
			l.append(numbered(0, 10)...)
			time.Sleep(wait)
			l.sink.mu.Lock()
			var got []int
			for _, token := range l.sink.order {
				got = append(got, len(l.sink.tokens[token]))
			}
			l.sink.mu.Unlock()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows of the batches after %s: %s", wait, diff)
			}
			l.end()
		})
	}
	f(func(*line) {}, 999*time.Millisecond)
	f(func(*line) {}, 1001*time.Millisecond, 10)
	f(func(l *line) { l.cfg.FlushEvery = 50 * time.Millisecond }, 51*time.Millisecond, 10)
	f(func(l *line) { l.cfg.BatchRows = 4 }, 21*time.Millisecond, 4, 4)
	f(func(l *line) { l.cfg.BatchRows = 4 }, 1001*time.Millisecond, 4, 4, 2)
}

func TestRun_aBatchHasFewMonthsAndOneSegment(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		var events []event.Event
		for i := range 40 {
			e := numbered(i, 1)[0]
			e.Day = event.Day(20_000 - 31*i)
			events = append(events, e)
		}
		events = append(events, numbered(40, 200)...)
		l.append(events...)
		l.start()
		l.end()
		if diff := cmp.Diff(joined(events), l.sink.stored()); diff != "" {
			t.Error(diff)
		}
		for _, token := range l.sink.order {
			months := map[int]bool{}
			for _, r := range l.sink.tokens[token] {
				months[monthOf(r.Day)] = true
			}
			if len(months) > 12 {
				t.Errorf("a batch has %d months", len(months))
			}
		}
		segments := l.j.Head().Segment
		if n := len(l.sink.order); n < int(segments)+3 {
			t.Errorf("%d batches of %d segments and 40 months", n, segments)
		}
	})
}

func TestRun_releasesWhatIsStored(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.closeJournal()
		var err error
		l.j, err = journal.Open(journal.Config{Dir: filepath.Join(l.dir, "small"), SegmentBytes: 8192, QuotaBytes: 6 * 8192, Now: time.Now}, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.start()
		events := numbered(0, 1000)
		for part := range slices.Chunk(events, 40) {
			l.append(part...)
			l.flush()
		}
		l.end()
		if diff := cmp.Diff(joined(events), l.sink.stored()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRun_checkpointsWhileIdle(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.start()
		l.append(numbered(0, 5)...)
		time.Sleep(time.Minute)
		if n := l.s.Stats().Checkpoints; n != 1 {
			t.Errorf("%d checkpoints in an idle minute, want 1", n)
		}
		time.Sleep(5 * time.Hour) // The journal ends its segment, so that it can be released.
		if st := l.j.Stats(); st.Segments != 1 || st.Oldest != 2 {
			t.Errorf("%d segments from %d, want the empty second", st.Segments, st.Oldest)
		}
		l.end()
	})
}

func TestFlush(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.cfg.FlushEvery = time.Hour
		l.start()
		l.flush() // Nothing to wait for.
		l.append(numbered(0, 3)...)
		start := time.Now()
		l.flush()
		if n := len(l.sink.stored()); n != 3 || time.Since(start) != 0 {
			t.Errorf("%d rows stored after %s, want 3 at once", n, time.Since(start))
		}
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				l.append(numbered(10*i, 10)...)
				l.flush()
				have := map[string]bool{}
				for _, r := range l.sink.stored() {
					have[r.Path] = true
				}
				for _, e := range numbered(10*i, 10) {
					if !have[e.Path] {
						t.Errorf("Flush returned before %s was stored", e.Path)
					}
				}
			})
		}
		group.Wait()

		l.sink.mu.Lock()
		l.sink.before = func() error { return errors.New("down") }
		l.sink.mu.Unlock()
		l.append(numbered(0, 1)...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.s.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush with a sink that is down: %v", err)
		}
		waiting := make(chan error)
		go func() { waiting <- l.s.Flush(t.Context()) }()
		synctest.Wait()
		l.stop()
		if err := <-waiting; !errors.Is(err, ErrStopped) {
			t.Errorf("Flush while Run ends: %v", err)
		}
		l.end()
		if err := l.s.Flush(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("Flush after Run: %v", err)
		}
	})
}

func TestQuarantine(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		bad := []byte{9, 'b', 'a', 'd'}
		l.append(numbered(0, 2)...)
		if err := l.j.Append(bad); err != nil {
			t.Fatal(err)
		}
		l.append(numbered(2, 2)...)
		path := filepath.Join(l.cfg.Dir, "quarantine.jsonl")
		for range 2 { // The second start reads it again, and writes no second line.
			l.start()
			l.end()
			if err := os.Remove(checkpointPath(l.cfg.Dir)); err != nil {
				t.Fatal(err)
			}
			if st := l.s.Stats(); st.Quarantined != 1 || st.Rows != 4 {
				t.Errorf("%+v", st)
			}
			// A crash tore its next line.
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = f.WriteString(`{"seg`)
			_ = f.Close()
			l.sink.strict = false
		}
		if diff := cmp.Diff(joined(numbered(0, 4)), l.sink.stored()); diff != "" {
			t.Error(diff)
		}
		if err := l.j.Append([]byte{1}); err != nil { // A batch without rows.
			t.Fatal(err)
		}
		l.start()
		l.flush()
		l.end()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], `"reason":"cannot decode frame: the type is unknown","frame":"CWJhZA=="`) {
			t.Errorf("quarantine: %q", lines)
		}
	})
}

func TestFiles_areClosedToOthers(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.append(numbered(0, 2)...)
		if err := l.j.Append([]byte{1}); err != nil {
			t.Fatal(err)
		}
		l.start()
		l.end()
		var names []string
		err := filepath.WalkDir(l.cfg.Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			want := fs.FileMode(0o600)
			if d.IsDir() {
				want = 0o700
			}
			if err == nil && info.Mode().Perm() != want {
				t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
			}
			names = append(names, d.Name())
			return err
		})
		if diff := cmp.Diff([]string{"ship", "checkpoint", "checkpoint.base-1", "cuts", "quarantine.jsonl"}, names); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}

func TestNew_refuses(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		f := func(change func(*Config), want string) {
			t.Helper()
			cfg := l.cfg
			change(&cfg)
			if _, err := New(cfg, l.j, visit.New(), l.sink, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		}
		f(func(c *Config) { c.Dir = "" }, "dir: ")
		f(func(c *Config) { c.BatchRows = 2_000_000 }, "batch_rows: ")
		f(func(c *Config) { c.FlushEvery = -1 }, "flush_every")
		f(func(c *Config) { c.MaxAge = time.Hour }, "max_age: ")
		f(func(c *Config) { c.Now = nil }, "now: ")
	})
}
