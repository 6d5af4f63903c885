package ship

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daysalt/daysalt/internal/journal"
	"github.com/daysalt/daysalt/internal/visit"
)

// make returns a Shipper that is not run.
func (l *line) make() *Shipper {
	l.t.Helper()
	s, err := New(l.cfg, l.j, visit.New(), l.sink, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// isOpen says whether a file is open, and closes it.
func isOpen(f *os.File) bool { return f != nil && !errors.Is(f.Close(), os.ErrClosed) }

// ended returns a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// follows says whether a reader that has read everything is told of a new frame.
func (l *line) follows(r *journal.Reader) bool {
	l.t.Helper()
	l.append(numbered(0, 1)...)
	select {
	case <-r.Ready():
		return true
	default:
		return false
	}
}

// readOut reads what there is, which also opens the segment's file.
func readOut(t *testing.T, r *journal.Reader) {
	t.Helper()
	for {
		if _, ok, err := r.TryNext(); err != nil {
			t.Fatal(err)
		} else if !ok {
			return
		}
	}
}

func TestClose_withoutRun(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.append(numbered(0, 3)...)
		s := l.make()
		readOut(t, s.reader)
		if !l.follows(s.reader) {
			t.Fatal("the reader follows nothing before Close")
		}
		readOut(t, s.reader)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		waiting := make(chan error, 1)
		go func() { waiting <- s.Flush(ctx) }()
		synctest.Wait()
		file := s.cuts.file
		for range 2 {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if isOpen(file) {
			t.Error("the file of cuts is open")
		}
		if l.follows(s.reader) {
			t.Error("the journal still has the reader")
		}
		if err := <-waiting; !errors.Is(err, ErrStopped) {
			t.Errorf("Flush before Close: %v", err)
		}
		if err := s.Flush(ctx); !errors.Is(err, ErrStopped) {
			t.Errorf("Flush after Close: %v", err)
		}
		if err := s.Run(ended()); !errors.Is(err, ErrStopped) {
			t.Errorf("Run after Close: %v", err)
		}
		if n := len(l.sink.stored()); n != 0 {
			t.Errorf("%d rows are stored, want 0", n)
		}
		// Nothing is lost: the next one ships it.
		l.start()
		l.flush()
		l.end()
		if n := len(l.sink.stored()); n != 5 {
			t.Errorf("%d rows are stored, want 5", n)
		}
	})
}

func TestClose_afterRun(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.append(numbered(0, 3)...)
		l.start()
		l.end()
		before, err := os.ReadFile(cutPath(l.cfg.Dir))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := l.s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		after, err := os.ReadFile(cutPath(l.cfg.Dir))
		if err != nil || !bytes.Equal(after, before) {
			t.Errorf("Close changed the file of cuts: %v", err)
		}
		if st := l.s.Stats(); st.Rows != 3 {
			t.Errorf("after Close: %+v", st)
		}
		if err := l.s.Run(ended()); !errors.Is(err, ErrStopped) {
			t.Errorf("a second Run: %v", err)
		}
	})
}

func TestNew_leavesNothingOpenWhenItFails(t *testing.T) {
	f := func(spoil func(l *line)) {
		t.Helper()
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			spoil(l)
			s := &Shipper{cfg: l.cfg, log: slog.New(slog.DiscardHandler), j: l.j, visits: visit.New(), sink: l.sink}
			if err := s.load(); err == nil {
				t.Fatal("load succeeded")
			}
			if s.cuts == nil || isOpen(s.cuts.file) {
				t.Error("the file of cuts is open, or was never")
			}
		})
	}
	f(func(l *line) { l.closeJournal() })
	f(func(l *line) {
		if err := os.MkdirAll(filepath.Join(l.cfg.Dir, "quarantine.jsonl"), 0o700); err != nil {
			l.t.Fatal(err)
		}
	})
}

// The number is a gauge: it has to be right before the first batch too.
func TestStats_openVisitsOfTheCheckpoint(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.append(numbered(0, 20)...)
		l.start()
		l.end()
		want := l.s.Stats().OpenVisits
		s := l.make()
		if got := s.Stats().OpenVisits; want == 0 || got != want {
			t.Errorf("%d open visits after a start, want %d", got, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
