package ship

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
)

// marked returns n events of which these are refused.
func marked(n int, poison ...int) []event.Event {
	events := numbered(0, n)
	for _, i := range poison {
		events[i].Path += "!"
		events[i].RetentionDays = 30
	}
	return events
}

func TestPoison(t *testing.T) {
	f := func(n int, poison ...int) {
		t.Helper()
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			events := marked(n, poison...)
			d := newDatabase(t)
			d.poison = refuse
			l.append(events...)
			l.startWith(d)
			l.flush()
			st := l.s.Stats()
			l.end()
			l.checkStored(d, events)
			if st.QuarantinedRows != uint64(len(poison)) || st.Rows != uint64(n-len(poison)) || st.LagBytes != 0 || len(poison) > 0 && n > 1 && st.Split == 0 {
				t.Errorf("%+v", st)
			}
			for _, q := range l.inQuarantine() {
				want := quarantined{Segment: 1, Offset: q.Offset, CRC: q.CRC, Reason: "refused by the database: path: violates a constraint", Day: 10_957, Retention: 30, Frame: q.Frame}
				if diff := cmp.Diff(want, q); diff != "" || q.Offset == 0 || q.CRC == 0 {
					t.Error(diff)
				}
			}
			if strings.Contains(l.logs.String(), "value is") != (len(poison) > 0) { // What the sink says is its own matter,
				t.Error("the log does not say why")
			}
			b, _ := os.ReadFile(filepath.Join(l.cfg.Dir, "quarantine.jsonl"))
			if strings.Contains(string(b), "value is") { // but the reason holds no value.
				t.Errorf("the quarantine holds a value: %s", b)
			}
			// Everything is sent again, and nothing else comes of it.
			l.removeCheckpoints()
			l.startWith(d)
			l.flush()
			l.end()
			l.checkStored(d, events)
		})
	}
	f(5)
	f(1, 0)
	f(2, 1)
	f(30, 17)
	f(30, 0, 29)
	f(16, 3, 4, 5, 6, 7, 8)
	f(3, 0, 1, 2)
}

// A batch is divided only when it was refused three times, and a row put away the same.
func TestPoison_isTriedAgain(t *testing.T) {
	f := func(refusals, wantSplits int) {
		t.Helper()
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			d := newDatabase(t)
			n := 0
			d.poison = func(*event.Row) error {
				if n++; n <= refusals {
					return &fault.Error{Kind: fault.Invalid, Message: "not now"}
				}
				return nil
			}
			events := numbered(0, 8)
			l.append(events...)
			l.startWith(d)
			l.flush()
			l.end()
			d.poison = nil // No row is refused in the end.
			l.checkStored(d, events)
			if got := l.s.Stats().Split; got != uint64(wantSplits) {
				t.Errorf("after %d refusals a batch was divided %d times, want %d", refusals, got, wantSplits)
			}
		})
	}
	f(2, 0)
	f(3, 1)
	f(4, 2)
	f(5, 3) // Now it is one row,
	f(7, 3) // which is tried three times too.
}

// When the cause ends after a crash, the halves that were stored are not stored again with the whole: what was decided stays decided.
func TestPoison_theCauseEnds(t *testing.T) {
	points := 0
	for dies, alive := 1, false; !alive; dies++ {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			events := marked(12, 5)
			d := newDatabase(t)
			d.poison = refuse
			n := 0
			die := func() error {
				if n++; n == dies {
					runtime.Goexit()
				}
				return nil
			}
			d.before, d.after, l.failpoint = die, die, func(string) { _ = die() }
			l.append(events...)
			l.startWith(d)
			_ = l.s.Flush(t.Context()) // It ends when the Shipper does.
			l.stop()
			<-l.dead
			alive = l.err == nil
			points = max(points, n)
			quarantine := l.inQuarantine()
			d.before, d.after, d.poison, l.failpoint = nil, nil, nil, nil
			for range 2 {
				l.startWith(d)
				l.flush()
				l.end()
				l.removeCheckpoints()
			}
			times := map[string]int{}
			for _, r := range d.rows() {
				times[r.Path]++
			}
			for _, path := range pathsOf(t, l.inQuarantine()) {
				times[path]++
			}
			for _, e := range events {
				if times[e.Path] != 1 {
					t.Errorf("event %s is %d times where it belongs", e.Path, times[e.Path])
				}
			}
			if len(quarantine) > 1 || len(times) != len(events) {
				t.Errorf("%d lines in the quarantine, %d events", len(quarantine), len(times))
			}
			if t.Failed() {
				t.Fatalf("died at step %d", dies)
			}
		})
	}
	if points < 25 {
		t.Errorf("only %d steps to die at", points)
	}
}

// hanging is a sink that takes an attempt and does not answer.
type hanging struct {
	*fakeSink
	hangs func(attempt int) bool
	took  []time.Duration
}

func (h *hanging) Insert(ctx context.Context, token string, rows []event.Row) error {
	h.took = append(h.took, 0)
	if !h.hangs(len(h.took)) {
		return h.fakeSink.Insert(ctx, token, rows)
	}
	begun := time.Now()
	<-ctx.Done()
	h.took[len(h.took)-1] = time.Since(begun)
	return ctx.Err()
}

func TestInsert_givesUpAnAttemptThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		h := &hanging{fakeSink: l.sink, hangs: func(attempt int) bool { return attempt <= 5 || attempt == 7 }}
		l.startWith(h)
		l.append(numbered(0, 3)...)
		l.flush()
		l.append(numbered(3, 3)...)
		l.flush()
		want := []time.Duration{2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute, 0, 2 * time.Minute, 0}
		if diff := cmp.Diff(want, h.took); diff != "" {
			t.Errorf("attempts took %s", diff)
		}
		// What does not return when the drain is over is told to.
		h.hangs = func(int) bool { return true }
		l.append(numbered(6, 3)...)
		time.Sleep(5 * time.Second)
		begun := time.Now()
		l.end()
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("Run ended after %s, want 10s", took)
		}
		l.start()
		l.end()
		if diff := cmp.Diff(joined(numbered(0, 9)), l.sink.stored()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReasonOf(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if got := reasonOf(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(errors.New("the value is 7"), unknownReason)
	f(&fault.Error{Kind: fault.Invalid, Err: errors.New("the value is 7")}, unknownReason)
	f(&fault.Error{Kind: fault.Invalid, Message: "too long", Err: errors.New("the value is 7")}, unknownReason+": too long")
	f(&fault.Error{Kind: fault.Invalid, Field: "path", Message: "too long"}, unknownReason+": path: too long")
}

// A piece of the journal that is no frame is kept, once, and counted.
func TestSkipped(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		events := numbered(0, 10)
		l.append(events...)
		l.closeJournal()
		path := filepath.Join(l.dir, "journal", "00000000000000000001.seg")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(b, []byte("a.test/4"))
		b[at] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l.openJournal()
		for range 2 {
			l.start()
			l.flush()
			l.end()
			if st := l.s.Stats(); st.Skipped != 1 || st.Rows != 9 {
				t.Errorf("%+v", st)
			}
			lines := l.inQuarantine()
			if len(lines) != 1 || lines[0].Reason != "no frame" || !strings.Contains(string(lines[0].Frame), ".test/4") || lines[0].Offset > int64(at) {
				t.Errorf("quarantine: %+v", lines)
			}
			l.removeCheckpoints()
		}
		raw, _ := os.ReadFile(filepath.Join(l.cfg.Dir, "quarantine.jsonl"))
		if !strings.Contains(string(raw), base64.StdEncoding.EncodeToString(l.inQuarantine()[0].Frame)) {
			t.Error("the bytes are not there as base64")
		}
	})
}
