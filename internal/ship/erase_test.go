package ship

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/visit"
)

// secrets is the erasure of all paths that begin so, as one by path is made.
func secrets() Erasure {
	return Erasure{
		Event: func(_ *event.Frame, e *event.Event) bool { return strings.HasPrefix(e.Path, "/secret") },
		Visit: func(v *visit.Visit) bool {
			if strings.HasPrefix(v.EntryPage, "/secret") {
				v.EntryPage = "{erased}"
			}
			return true
		},
		Bytes: []byte("/secret"),
	}
}

// withSecrets returns events as numbered does. Every fifth is of a secret path; marked are refused by the database.
func withSecrets(from, n int, mark string) []event.Event {
	all := numbered(from, n)
	for i := range all {
		if (from+i)%5 == 0 {
			all[i].Path = "/secret" + all[i].Path
		}
		if (from+i)%10 == 5 || (from+i)%10 == 6 {
			all[i].Path += mark
		}
	}
	return all
}

// remove deletes rows as an erasure in the database does, and has it start anew without its tokens: whatever it is sent again it stores.
func (d *database) remove(gone func(r *event.Row) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.parts {
		d.parts[i].rows = slices.DeleteFunc(slices.Clone(d.parts[i].rows), func(r event.Row) bool { return gone(&r) })
	}
	d.tokens = nil
	d.started += 100
}

func isSecret(r *event.Row) bool { return strings.HasPrefix(r.Path, "/secret") }

// found returns the files below dir that have these bytes.
func found(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			names = append(names, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// checkErased wants the rows of all events but the secret ones, once each, and in the visits they are in without the erasure.
func (l *line) checkErased(d *database, events []event.Event) {
	l.t.Helper()
	want := map[string]event.Row{}
	for _, r := range joined(events) {
		if !isSecret(&r) && !isPoison(&r) {
			want[r.Path] = r
		}
	}
	got := map[string]bool{}
	for _, r := range d.rows() {
		w, ok := want[r.Path]
		if got[r.Path] || !ok || r.VisitStart != w.VisitStart || r.Seq != w.Seq || r.Source != w.Source {
			l.t.Errorf("%s: twice %v, expected %v: %+v", r.Path, got[r.Path], ok, r)
		}
		got[r.Path] = true
	}
	if len(got) != len(want) {
		l.t.Errorf("%d events are stored, want %d", len(got), len(want))
	}
}

func TestErase(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		d := newDatabase(t)
		d.poison = refuse
		l.startWith(d)
		var events []event.Event
		feed := func(n int, mark string) {
			for range n {
				more := withSecrets(len(events), 1, mark)
				events = append(events, more...)
				l.append(more...)
				time.Sleep(5 * time.Second)
			}
		}
		feed(90, "!")
		if l.j.Stats().Segments < 2 || len(l.s.bases) < 2 || len(l.inQuarantine()) != 18 {
			t.Fatalf("%d segments, %d bases and %d lines are not what this is about", l.j.Stats().Segments, len(l.s.bases), len(l.inQuarantine()))
		}
		if names := found(t, l.dir, "/secret"); len(names) < 3 {
			t.Fatalf("it would be found only in %q", names)
		}
		old, err := os.ReadFile(checkpointPath(l.cfg.Dir))
		if err != nil {
			t.Fatal(err)
		}
		erased, err := l.s.Erase(t.Context(), secrets())
		if err != nil || erased.Visits != 0 || erased.Changed == 0 || erased.Quarantined != 9 || erased.Undecoded != 0 || erased.Segments < 2 || erased.Searched < 3 || len(erased.Left) > 0 {
			t.Errorf("%+v, %v", erased, err)
		}
		if names := found(t, l.dir, "/secret"); len(names) > 0 {
			t.Errorf("it is still found in %q", names)
		}
		if n := len(l.inQuarantine()); n != 9 || l.j.Stats().Segments != 1 || len(l.s.bases) != 1 {
			t.Errorf("%d lines, %d segments and %d bases are left", n, l.j.Stats().Segments, len(l.s.bases))
		}
		// What is left somewhere is seen.
		for name, text := range map[string]string{"odd": "x/secret-y", "checkpoint.base-99": "damaged"} {
			if err := os.WriteFile(filepath.Join(l.cfg.Dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(l.cfg.Dir, "checkpoint.base-98"), old, 0o600); err != nil {
			t.Fatal(err)
		}
		byVisit := secrets()
		byVisit.Bytes = nil
		for want, what := range map[string]Erasure{"checkpoint.base-98 checkpoint.base-99 odd": secrets(), "checkpoint.base-98 checkpoint.base-99": byVisit} {
			if again, err := l.s.Erase(t.Context(), what); err != nil || strings.Join(again.Left, " ") != want {
				t.Errorf("left is %q, %v; want %s", again.Left, err, want)
			}
		}
		d.remove(isSecret)
		for range 30 {
			more := numbered(len(events), 1) // None of them is secret: they would be there by right.
			events = append(events, more...)
			l.append(more...)
			time.Sleep(time.Second)
		}
		l.flush()
		if n := l.s.Stats().Replays; n != 1 {
			t.Errorf("the line went back %d times: nobody sees what that does", n)
		}
		l.checkErased(d, events)
		if !slices.ContainsFunc(d.rows(), func(r event.Row) bool { return r.EntryPage == "{erased}" }) {
			t.Error("no visit goes on that began on an erased page")
		}
		l.end()
	})
}

// Whatever an erasure is killed at, it can be called again, and nothing comes back after it.
func TestErase_diesAtEveryStep(t *testing.T) {
	var deaths int
	for step, alive := 1, false; !alive; step++ {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			d := newDatabase(t)
			d.poison = refuse
			l.cfg.CheckpointEvery = 20 * time.Second
			events := withSecrets(0, 60, "!")
			l.startWith(d)
			for _, e := range events {
				l.append(e)
				time.Sleep(5 * time.Second)
			}
			l.flush()
			l.end()
			var n atomic.Int64
			n.Store(int64(step))
			l.failpoint = func(string) {
				if n.Add(-1) == 0 {
					runtime.Goexit()
				}
			}
			l.startWith(d)
			_, err := l.s.Erase(t.Context(), secrets())
			if alive = err == nil; !alive && !errors.Is(err, ErrStopped) {
				t.Errorf("step %d: %v", step, err)
			}
			l.stop()
			<-l.dead
			if alive = alive && l.err == nil; !alive {
				deaths++
			}
			l.failpoint = nil
			l.startWith(d)
			erased, err := l.s.Erase(t.Context(), secrets())
			if err != nil || len(erased.Left) > 0 {
				t.Errorf("step %d, again: %+v, %v", step, erased, err)
			}
			if names := found(t, l.dir, "/secret"); len(names) > 0 {
				t.Errorf("step %d: it is still found in %q", step, names)
			}
			d.remove(isSecret)
			more := numbered(61, 4)
			l.append(more...)
			l.flush()
			l.checkErased(d, append(events, more...))
			l.end()
		})
		if t.Failed() {
			t.Fatalf("died at step %d", step)
		}
	}
	if deaths < 6 {
		t.Errorf("only %d steps to die at", deaths)
	}
}

// While the database is away nothing is erased, and nothing is later either when nobody waits any more.
func TestErase_away(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		d := newDatabase(t)
		l.startWith(d)
		events := withSecrets(0, 30, "")
		l.append(events...)
		l.flush()
		time.Sleep(time.Minute)
		f := func(what string, more ...event.Event) {
			t.Helper()
			before := found(t, l.dir, "/secret")
			d.mu.Lock()
			d.before = func() error { return errors.New("no connection") }
			d.mu.Unlock()
			events = append(events, more...)
			l.append(more...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := l.s.Erase(ctx, secrets()); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%s: %v", what, err)
			}
			d.mu.Lock()
			d.before = nil
			d.mu.Unlock()
			l.flush()
			time.Sleep(time.Minute)
			if after := found(t, l.dir, "/secret"); len(after) < len(before) {
				t.Errorf("%s: it was found in %q, and is in %q", what, before, after)
			}
		}
		f("something to store", numbered(31, 3)...)
		f("nothing to store")
		if erased, err := l.s.Erase(t.Context(), secrets()); err != nil || erased.Changed == 0 {
			t.Errorf("afterwards: %+v, %v", erased, err)
		}
		d.remove(isSecret)
		l.append(numbered(36, 1)...)
		l.flush()
		l.checkErased(d, append(events, numbered(36, 1)...))
		l.end()
		if _, err := l.s.Erase(t.Context(), secrets()); !errors.Is(err, ErrStopped) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// A line of the quarantine that cannot be read stays, unless its bytes say what it is; and so does one of another site.
func TestErase_quarantine(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.start()
		l.append(numbered(0, 3)...)
		for _, text := range []string{"\xffno frame at all", "\xffno frame, with /secret in it"} {
			if err := l.j.Append([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		l.flush()
		erased, err := l.s.Erase(t.Context(), secrets())
		if err != nil || erased.Quarantined != 1 || erased.Undecoded != 1 || len(erased.Left) > 0 {
			t.Errorf("%+v, %v", erased, err)
		}
		if lines := l.inQuarantine(); len(lines) != 1 || string(lines[0].Frame) != "\xffno frame at all" {
			t.Errorf("the quarantine has %+v", lines)
		}
		l.append(numbered(3, 1)...)
		if err := l.j.Append([]byte("\xffanother")); err != nil {
			t.Fatal(err)
		}
		l.flush()
		if lines := l.inQuarantine(); len(lines) != 2 || string(lines[1].Frame) != "\xffanother" {
			t.Errorf("afterwards it has %+v", lines)
		}
		l.end()
	})
}

// An erasure comes through while events do not stop coming.
func TestErase_underLoad(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		d := newDatabase(t)
		d.after = func() error { time.Sleep(10 * time.Millisecond); return nil }
		l.cfg.BatchRows = 20 // Batches are stored between the call and the barrier.
		l.startWith(d)
		var sent atomic.Int64
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				_ = l.j.Append(event.AppendEvent(nil, &numbered(i, 1)[0]))
				sent.Add(1)
				time.Sleep(2 * time.Millisecond)
			}
		}()
		time.Sleep(time.Second)
		for range 3 {
			l.append(numbered(0, 300)...)
			sent.Add(300)
			start, before := time.Now(), sent.Load()
			erased, err := l.s.Erase(t.Context(), secrets())
			if took := time.Since(start); err != nil || took > time.Second || len(erased.Left) > 0 || erased.Segments == 0 {
				t.Errorf("%+v, %v after %s", erased, err, took)
			}
			if n := len(d.rows()); n < int(before) {
				t.Errorf("%d of %d were stored", n, before)
			}
		}
		close(stop)
		<-stopped
		l.flush()
		synctest.Wait()
		if n := len(d.rows()); n != int(sent.Load()) {
			t.Errorf("%d rows of %d", n, sent.Load())
		}
		l.end()
	})
}
