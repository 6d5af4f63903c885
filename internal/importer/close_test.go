package importer_test

import (
	"context"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/importer"
)

// A command that outlives the server's patience ends before its keys are let go of; those that come later are refused.
func TestService_close(t *testing.T) {
	w := newWorld(t)
	w.entered, w.leave = make(chan struct{}), make(chan struct{})
	s := importer.New(w.deps)
	begin(t, s, 20)
	first, closed := make(chan error, 1), make(chan error, 1)
	go func() { first <- second(s.Lines(context.Background(), 1, 1, text(1, 10))) }()
	<-w.entered
	go func() { closed <- s.Close() }()
	refused := func() error { return second(s.Lines(t.Context(), 2, 1, text(1, 10))) } // of another import, which nobody works on
	for deadline := time.Now().Add(10 * time.Second); fault.KindOf(refused()) == fault.NotFound; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("Close does not refuse anything")
		}
	}
	select {
	case err := <-closed:
		t.Errorf("it closed the keys that are in use: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	w.leave <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	w.entered = nil
	start := importer.Start{Digest: digest(1), Lines: 20}
	for name, err := range map[string]error{
		"begin": second(s.Begin(t.Context(), start)), "lines": refused(), "end": second(s.End(t.Context(), 1)), "remove": second(s.Remove(t.Context(), 1)),
	} {
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Tend(t.Context())
	if err := s.FinishRemovals(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	s = w.service()
	give(t, s, 1, 11, 20, 21)
	stored(t, w, 1, pagesOf(1, 20))
}

// A file is known by a hash under a salt that the installation keeps: not by its digest, and not as in another installation.
func TestService_knowsFiles(t *testing.T) {
	names := map[string]bool{}
	for range 2 {
		w := newWorld(t)
		for range 2 { // The second process finds the salt of the first.
			s := w.service()
			var group sync.WaitGroup
			for range 3 {
				group.Go(func() {
					p, err := s.Begin(t.Context(), importer.Start{Digest: digest(1), Lines: 20})
					if got := fault.KindOf(err); err == nil && p.ID != 1 || err != nil && got != fault.Conflict {
						t.Error(p, err)
					}
				})
			}
			group.Wait()
		}
		for n, table := range []string{"imports", "import_salt"} {
			var rows int
			if err := w.db.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&rows); err != nil || rows != 1 {
				t.Errorf("%d: %d rows, %v", n, rows, err)
			}
		}
		var name string
		var salt []byte
		if err := w.db.QueryRowContext(t.Context(), `SELECT file, salt FROM imports, import_salt`).Scan(&name, &salt); err != nil || len(salt) != 16 {
			t.Errorf("%x, %v", salt, err)
		}
		if raw, err := hex.DecodeString(name); err != nil || len(raw) != 32 || name == digest(1) {
			t.Errorf("%q, %v", name, err)
		}
		names[name] = true
	}
	if len(names) != 2 {
		t.Error("two installations know a file by the same name")
	}
}

// Who gave up does not wait for others' hashes.
func TestService_beginGivesUp(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.service().Begin(ctx, importer.Start{Digest: digest(1), Lines: 20}); err == nil {
		t.Error("no error")
	}
	var rows int
	if err := w.db.QueryRowContext(t.Context(), `SELECT count(*) FROM imports`).Scan(&rows); err != nil || rows != 0 {
		t.Error(rows, err)
	}
}

// What ship forgot of an import is recorded with the chunk, once, also where the chunk comes again and where the process begins anew.
func TestService_forgotten(t *testing.T) {
	w := newWorld(t)
	w.early = 100 // of an import with this number that was removed
	s := w.service()
	begin(t, s, 40)
	f := func(from int, early, want uint64) {
		t.Helper()
		w.set(func() { w.early = early })
		for range 2 {
			p, err := s.Lines(t.Context(), 1, uint64(from), text(from, from+9))
			if err != nil || p.Forgotten != want {
				t.Errorf("%d visits, want %d; %v", p.Forgotten, want, err)
			}
		}
	}
	f(1, 100, 0)
	f(11, 107, 7)
	s = w.service()
	w.early = 0 // so has ship
	f(21, 0, 7)
	f(31, 3, 10)
	if p, err := s.End(t.Context(), 1); err != nil || p.Forgotten != 10 {
		t.Error(p, err)
	}
	if list, err := s.List(t.Context()); err != nil || list[0].Forgotten != 10 {
		t.Error(list, err)
	}
}

// The texts that tell an operator what to do.
func TestService_texts(t *testing.T) {
	w, s := half(t)
	w.set(func() { w.away = context.DeadlineExceeded })
	_, err := s.Remove(t.Context(), 1)
	if err == nil || !strings.HasPrefix(err.Error(), "import 1 is being removed; its events will be deleted as soon as the database answers") {
		t.Error(err)
	}
	_, err = s.Begin(t.Context(), importer.Start{Digest: digest(1), Lines: 20})
	if err == nil || !strings.Contains(err.Error(), "`daysalt import rm 1 --yes` says when that is done") {
		t.Error(err)
	}
}
