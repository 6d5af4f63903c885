package importer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/importer"
)

// stuck asserts that an import cannot go on, whoever asks, that this says what to do, and that doing it helps.
func stuck(t *testing.T, w *world, s *importer.Service) {
	t.Helper()
	for range 2 {
		_, err := s.Begin(t.Context(), importer.Start{Digest: digest(1), Lines: 20})
		kind(t, err, fault.Conflict, "import")
		if err == nil || !strings.Contains(err.Error(), "daysalt import rm 1 --yes") {
			t.Errorf("no advice: %v", err)
		}
		_, err = s.Lines(t.Context(), 1, 11, text(11, 20))
		kind(t, err, fault.Conflict, "import")
		_, err = s.End(t.Context(), 1)
		kind(t, err, fault.Conflict, "lines")
		if len(w.keys) != 0 {
			t.Error("keys are left")
		}
		if list, err := s.List(t.Context()); err != nil || len(list) != 1 || list[0].State != importer.Expired {
			t.Error(list, err)
		}
		s = w.service()
	}
	stored(t, w, 1, pagesOf(1, 10))
	if p, err := s.Remove(t.Context(), 1); err != nil || p.Kept != 10 {
		t.Error(p, err)
	}
	stored(t, w, 1, nil)
	if p := begin(t, s, 20); p.ID != 2 || p.NextLine != 1 {
		t.Errorf("it begins anew with %+v", p)
	}
	give(t, s, 2, 1, 20, 21)
}

// half is an import of which half is stored.
func half(t *testing.T) (*world, *importer.Service) {
	t.Helper()
	w := newWorld(t)
	s := w.service()
	begin(t, s, 20)
	give(t, s, 1, 1, 10, 11)
	return w, s
}

// The machine began anew: its memory is empty.
func TestKeys_lost(t *testing.T) {
	w, _ := half(t)
	w.set(func() { clear(w.keys) })
	stuck(t, w, w.service())
}

// The keys are lost before the first chunk is recorded, but some of its lines are in the journal.
func TestKeys_lostEarly(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	begin(t, s, 20)
	w.set(func() { w.away = errors.New("refused") })
	if _, err := s.Lines(t.Context(), 1, 1, text(1, 10)); err == nil {
		t.Fatal("no error")
	}
	w.set(func() { clear(w.keys); w.away = nil })
	s = w.service()
	_, err := s.Lines(t.Context(), 1, 1, text(1, 10))
	kind(t, err, fault.Conflict, "import")
	if len(w.keys) != 0 {
		t.Error("keys were made for the same people again")
	}
}

func TestKeys_old(t *testing.T) {
	f := func(name string, age func(w *world)) {
		t.Run(name, func(t *testing.T) {
			w, s := half(t)
			age(w)
			stuck(t, w, s)
		})
		t.Run(name+", tended", func(t *testing.T) {
			w, s := half(t)
			s.Tend(t.Context())
			if len(w.keys) != 1 {
				t.Fatal("young keys are destroyed")
			}
			age(w)
			s.Tend(t.Context())
			if len(w.keys) != 0 {
				t.Error("keys are left")
			}
			stuck(t, w, s)
		})
	}
	f("a day", func(w *world) { w.pass(importer.KeysFor) })
	f("a day on a clock that was set back", func(w *world) {
		w.pass(importer.KeysFor)
		w.set(func() { w.now = w.now.Add(-30 * 24 * time.Hour) })
	})
	f("a day by the wall's clock alone", func(w *world) { w.set(func() { w.now = w.now.Add(importer.KeysFor) }) })
	w, s := half(t)
	w.pass(importer.KeysFor - time.Second)
	s.Tend(t.Context())
	give(t, s, 1, 11, 20, 21)

	// The keys say so themselves.
	w, s = half(t)
	w.set(func() { w.keys[1].old = true })
	_, err := s.Lines(t.Context(), 1, 11, text(11, 20))
	kind(t, err, fault.Conflict, "import")
	stuck(t, w, w.service())

	// A process that did not open the keys finds that they are old, and destroys them.
	w, _ = half(t)
	w.pass(importer.KeysFor)
	w.service().Tend(t.Context())
	if len(w.keys) != 0 {
		t.Error("keys are left")
	}
	stuck(t, w, w.service())
}

// Nothing more is to be numbered: age does not matter, and the keys go all the same.
func TestKeys_oldAndWhole(t *testing.T) {
	w, s := half(t)
	give(t, s, 1, 11, 20, 21)
	w.pass(importer.KeysFor)
	s.Tend(t.Context())
	if len(w.keys) != 0 {
		t.Error("keys are left")
	}
	if p := begin(t, s, 20); p.State != importer.Open || p.NextLine != 21 {
		t.Errorf("%+v", p)
	}
	if p, err := w.service().End(t.Context(), 1); err != nil || p.State != importer.Ended {
		t.Error(p, err)
	}
}

// Keys that a try left which came to nothing are no reason to stop, however old they are.
func TestKeys_unused(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	begin(t, s, 20)
	w.keys[1] = &keys{w: w, id: 1, old: true}
	give(t, s, 1, 1, 20, 21)
}

func TestRemove(t *testing.T) {
	w, s := half(t)
	w.set(func() { w.away = errors.New("refused") })
	_, err := s.Remove(t.Context(), 1)
	kind(t, err, fault.Unavailable, "")
	if len(w.keys) != 0 {
		t.Error("keys are left")
	}
	for range 2 {
		_, err = s.Begin(t.Context(), importer.Start{Digest: digest(1), Lines: 20})
		kind(t, err, fault.Conflict, "import")
		_, err = s.Lines(t.Context(), 1, 11, text(11, 20))
		kind(t, err, fault.Conflict, "import")
		_, err = s.End(t.Context(), 1)
		kind(t, err, fault.Conflict, "import")
		if list, err := s.List(t.Context()); err != nil || len(list) != 1 || list[0].State != importer.Removing {
			t.Error(list, err)
		}
		if err := s.FinishRemovals(t.Context()); err == nil {
			t.Error("it is said to be gone")
		}
		s = w.service()
	}
	w.set(func() { w.away = nil })
	if err := s.FinishRemovals(t.Context()); err != nil {
		t.Error(err)
	}
	stored(t, w, 1, nil)
	if list, err := s.List(t.Context()); err != nil || !cmp.Equal(list, []importer.Progress{}) {
		t.Error(list, err)
	}
	if len(w.highest) != 0 {
		t.Error("ship was not told the end")
	}

	// One that ended can be removed too; what is in the journal goes with it.
	p := begin(t, s, 20)
	give(t, s, p.ID, 1, 20, 21)
	if _, err := s.End(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(t.Context(), p.ID); err != nil {
		t.Error(err)
	}
	stored(t, w, p.ID, nil)
}

// An id is in frames and rows with 16 bits.
func TestBegin_ids(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	begin(t, s, 20)
	if _, err := w.db.ExecContext(t.Context(), `UPDATE sqlite_sequence SET seq = 65534 WHERE name = 'imports'`); err != nil {
		t.Fatal(err)
	}
	if p, err := s.Begin(t.Context(), importer.Start{Digest: digest(2), Lines: 1}); err != nil || p.ID != 65535 {
		t.Error(p, err)
	}
	_, err := s.Begin(t.Context(), importer.Start{Digest: digest(3), Lines: 1})
	kind(t, err, fault.Conflict, "imports")
	if p := begin(t, s, 20); p.ID != 1 {
		t.Errorf("%+v", p)
	}
}
