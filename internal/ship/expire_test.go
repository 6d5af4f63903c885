package ship

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/visit"
)

const day = 24 * time.Hour

// down makes the sink fail, or work again.
func (l *line) down(err error) {
	l.sink.mu.Lock()
	defer l.sink.mu.Unlock()
	l.sink.before = func() error { return err }
}

// contains says whether a segment of the journal has these bytes.
func (l *line) contains(text string) bool {
	l.t.Helper()
	paths, err := filepath.Glob(filepath.Join(l.dir, "journal", "*.seg"))
	if err != nil || len(paths) == 0 {
		l.t.Fatal("no segments", err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			l.t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}

// retained returns an event that may be kept for so many days.
func retained(path string, days uint16) event.Event {
	e := numbered(0, 1)[0]
	e.Path, e.RetentionDays = path, days
	return e
}

// In an outage frames go when they are as old as they may become: seven days, or the site's own retention. The rest is stored when the database is back.
func TestExpire_inAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.down(errors.New("no connection"))
		l.start()
		for _, path := range []string{"/first", "/second"} { // They are in the batch that hangs, and in the one behind it.
			l.append(retained(path, 730))
			time.Sleep(time.Minute)
		}
		l.append(retained("/two-days", 2), retained("/always", 730), retained("/unset", 0))
		l.frames(event.AppendImported(nil, 7, 1, &event.Event{Path: "/old-import", RetentionDays: 1}), event.AppendEnd(nil, 7), []byte{9, '/', 'b', 'a', 'd'})
		f := func(wait time.Duration, wantGone string, wantExpired uint64) {
			t.Helper()
			time.Sleep(wait)
			for _, path := range []string{"/two-days", "/always", "/unset", "/old-import", "/bad", "/first", "/second"} {
				if gone := strings.Contains(wantGone, path); l.contains(path) == gone {
					t.Errorf("%s is there: %t", path, gone)
				}
			}
			if got := l.s.Stats().Expired; got != wantExpired {
				t.Errorf("%d frames have expired, want %d", got, wantExpired)
			}
		}
		f(20*time.Hour, "", 0)
		f(7*time.Hour, "/old-import", 1)
		f(day, "/old-import /two-days", 2)
		f(4*day, "/old-import /two-days", 2)
		f(day, "/old-import /two-days /always /unset /bad /first /second", 7)
		l.append(retained("/new", 730))
		l.down(nil)
		l.flush()
		var paths []string
		for _, r := range l.sink.stored() {
			paths = append(paths, r.Path)
		}
		if diff := cmp.Diff([]string{"/first", "/second", "/new"}, paths); diff != "" {
			t.Error(diff)
		}
		l.end()
	})
}

// It happens at the start too, before anything is read; and a recorded cut keeps its token then.
func TestExpire_atTheStart(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.sink.strict = false
		l.sink.after = func() error { return errors.New("the connection broke") }
		l.append(retained("/a", 730), retained("/b", 2), retained("/c", 730))
		l.start()
		time.Sleep(5 * time.Second)
		l.end() // It was stored, and nobody knows.
		l.sink.after = nil
		time.Sleep(3 * day)
		l.start()
		l.flush()
		if st := l.s.Stats(); st.Expired != 1 || st.Quarantined != 0 || l.contains("/b") {
			t.Errorf("%+v", st)
		}
		l.end()
		if n := len(l.sink.order); n != 1 || len(l.sink.stored()) != 3 {
			t.Errorf("%d tokens, %d rows", n, len(l.sink.stored()))
		}
	})
}

func TestQuarantine_linesGo(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		d := newDatabase(t)
		d.poison = func(*event.Row) error { return refuse(&event.Row{Event: event.Event{Path: "!"}}) }
		l.startWith(d)
		l.append(retained("/two-days", 2), retained("/always", 730))
		l.frames([]byte{9})
		l.flush()
		f := func(want ...string) {
			t.Helper()
			var have []string
			for _, q := range l.inQuarantine() {
				var f event.Frame
				var e event.Event
				_ = f.Decode(q.Frame, &e) // One of them is bad.
				have = append(have, e.Path)
			}
			if !slices.Equal(have, want) {
				t.Errorf("%q is in the quarantine after %s, want %q", have, time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), want)
			}
		}
		all := []string{"", "/two-days", "/always"}
		f(all...)
		time.Sleep(day)
		f(all...)
		time.Sleep(day)
		f("", "/always")
		time.Sleep(4 * day)
		f("", "/always")
		l.end()
		time.Sleep(2 * day)
		l.startWith(d)
		time.Sleep(time.Second)
		f()
		l.end()
	})
}

// Lines of earlier versions have no day: they get one, and go seven days later.
func TestQuarantine_linesWithoutADay(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		q, err := openQuarantine(t.TempDir(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		old := `{"segment":1,"offset":1184,"crc":367275921,"reason":"cannot decode frame: the type is unknown","frame":"CWJhZA=="}` + "\n"
		if err := os.WriteFile(q.path, []byte(old+"rubbish\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		f := func(wait time.Duration, want string) {
			t.Helper()
			time.Sleep(wait)
			if err := q.prune(7); err != nil {
				t.Fatal(err)
			}
			if b, _ := os.ReadFile(q.path); string(b) != want || q.size != int64(len(b)) {
				t.Errorf("the file is %q, want %q", b, want)
			}
		}
		dated := strings.TrimSuffix(old, "}\n") + `,"day":10957}` + "\n"
		f(0, dated)
		f(6*day, dated)
		f(day, "")
	})
}

// The visits of an idle site go, from the checkpoint and from the bases, and no later row is another one for it.
func TestForgetIdle(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		now := func(path string) event.Event {
			e := numbered(0, 1)[0]
			e.Time, e.Path = time.Now().Unix(), path
			return e
		}
		onDisk := func() (n int) {
			paths, _ := filepath.Glob(checkpointPath(l.cfg.Dir) + "*")
			for _, path := range paths {
				c, err := readCheckpoint(path)
				s := &Shipper{visits: visit.New(), imports: newImports()}
				if err != nil || s.loadState(c) != nil {
					t.Fatal(err)
				}
				n += s.visits.Len()
			}
			return n
		}
		l.start()
		var events []event.Event
		send := func(path string) {
			events = append(events, now(path))
			l.append(events[len(events)-1])
		}
		send("/a")
		send("/b")
		time.Sleep(23 * time.Hour)
		if l.s.Stats().OpenVisits != 1 || onDisk() == 0 {
			t.Errorf("%d visits are open, %d on disk", l.s.Stats().OpenVisits, onDisk())
		}
		time.Sleep(2 * time.Hour)
		if l.s.Stats().OpenVisits != 0 || onDisk() != 0 {
			t.Errorf("a day later %d visits are open, %d on disk", l.s.Stats().OpenVisits, onDisk())
		}
		send("/c")
		send("/d")
		l.flush()
		l.end()
		if diff := cmp.Diff(joined(events), l.sink.stored()); diff != "" {
			t.Error(diff)
		}
	})
}

// In an outage the checkpoint keeps its visits as long as the frames that could join them.
func TestScrub(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.start()
		l.append(retained("/of-the-visit", 0))
		l.frames(event.AppendImported(nil, 7, 1, &event.Event{Visitor: 1, Path: "/of-an-import"}))
		time.Sleep(time.Minute)
		l.down(errors.New("no connection"))
		l.append(numbered(1, 1)...)
		f := func(wait time.Duration, want bool) {
			t.Helper()
			time.Sleep(wait)
			paths, _ := filepath.Glob(checkpointPath(l.cfg.Dir) + "*")
			for _, path := range paths {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := readCheckpoint(path); err != nil {
					t.Error(err)
				}
				if path == checkpointPath(l.cfg.Dir) && bytes.Contains(b, []byte("/of-the-visit")) != want || !want && bytes.Contains(b, []byte("/of-")) {
					t.Errorf("after %s %s has visits", wait, path)
				}
			}
			if len(paths) < 2 {
				t.Errorf("there are only %q", paths)
			}
		}
		f(time.Hour, true)
		f(6*day, true)
		f(day+time.Hour, false)
		l.down(nil)
		l.flush()
		l.end()
		if n := len(l.sink.stored()); n != 3 {
			t.Errorf("%d rows", n)
		}
	})
}

// A segment is made before it is needed, on an idle server long before: what came last is not as old as that.
func TestExpire_afterIdleDays(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.start()
		time.Sleep(9 * day)
		l.down(errors.New("no connection"))
		e := retained("/kept", 1)
		e.Time = time.Now().Unix()
		l.append(e)
		time.Sleep(5 * time.Hour) // The segment is sealed meanwhile.
		l.end()
		l.down(nil)
		l.start()
		l.flush()
		if rows := l.sink.stored(); len(rows) != 1 || l.s.Stats().Expired != 0 {
			t.Errorf("%d rows, %+v", len(rows), l.s.Stats())
		}
		l.end()
	})
}

// Where the quarantine is full, an event that was kept is not dropped: the line waits until somebody has moved the file away.
func TestQuarantine_full(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		d := newDatabase(t)
		d.poison = refuse
		path := filepath.Join(l.dir, "ship", "quarantine.jsonl")
		line, err := json.Marshal(quarantined{Segment: 9, Reason: "a large one", Frame: make([]byte, (maxQuarantine-150)/4*3), Day: time.Now().Unix() / daySeconds})
		if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil || os.WriteFile(path, append(line, '\n'), 0o600) != nil {
			t.Fatal("cannot fill the quarantine", err)
		}
		l.startWith(d)
		events := marked(3, 1)
		l.append(events...)
		time.Sleep(10 * time.Minute)
		if st := l.s.Stats(); st.Retries < 10 || st.Batches != 0 {
			t.Errorf("the line went on: %+v", st)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		l.flush()
		if n := len(l.inQuarantine()); n != 1 {
			t.Errorf("%d lines in the quarantine", n)
		}
		l.end()
		l.checkStored(d, events)
	})
}
