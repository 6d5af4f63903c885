package importer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/importer"
)

// digest is the name of some file.
func digest(n int) string { return strings.Repeat(string("0123456789abcdef"[n]), 64) }

func begin(t *testing.T, s *importer.Service, lines uint64) importer.Progress {
	t.Helper()
	p, err := s.Begin(t.Context(), importer.Start{Digest: digest(1), Lines: lines})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// give sends lines from to, and wants next to be the next line.
func give(t *testing.T, s *importer.Service, id uint16, from, to int, next uint64) {
	t.Helper()
	p, err := s.Lines(t.Context(), id, uint64(from), text(from, to))
	if err != nil || p.NextLine != next {
		t.Fatalf("lines %d to %d: next is %d, want %d; %v", from, to, p.NextLine, next, err)
	}
}

func stored(t *testing.T, w *world, id uint16, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, w.paths(id)); diff != "" {
		t.Errorf("stored: %s", diff)
	}
}

// A whole import, and the same file again.
func TestService_whole(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	p := begin(t, s, 9)
	want := importer.Progress{ID: 1, State: importer.Open, Lines: 9, NextLine: 1, Dropped: map[string]uint64{}, Started: w.now.Truncate(time.Second)}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	give(t, s, 1, 1, 4, 5)
	if len(w.keys) != 1 {
		t.Error("there are no keys")
	}
	bot := strings.Replace(line(6, 1), chrome, "Googlebot/2.1 (+http://www.google.com/bot.html)", 1)
	other := strings.Replace(line(7, 1), "example.com", "unknown.example", 1)
	chunk := line(5, 1) + bot + other + "\r\n" + strings.TrimSpace(line(9, 1)) // an empty line, and a last one without its end
	if _, err := s.Lines(t.Context(), 1, 5, []byte(chunk)); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	p, err := s.End(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	want.State, want.NextLine, want.Kept, want.Ended = importer.Ended, 10, 6, w.now.Truncate(time.Second)
	want.Dropped = map[string]uint64{"bot": 1, "unknown_site": 1}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if len(w.keys) != 0 {
		t.Error("the keys are there after the end")
	}
	if len(w.highest) != 0 {
		t.Error("ship was not told the end")
	}
	for range 2 { // in this process and in the next one
		if again := begin(t, s, 9); !cmp.Equal(again, p) {
			t.Error(cmp.Diff(p, again))
		}
		give(t, s, 1, 1, 9, 10)
		if again, err := s.End(t.Context(), 1); err != nil || !cmp.Equal(again, p) {
			t.Error(cmp.Diff(p, again), err)
		}
		s = w.service()
	}
	stored(t, w, 1, append(pagesOf(1, 5), "/p9"))
	if list, err := s.List(t.Context()); err != nil || !cmp.Equal(list, []importer.Progress{p}) {
		t.Error(list, err)
	}
}

// A chunk whose answer was lost is sent again: by the same process, by the next one, and by one that knows less than the journal.
func TestService_lostAnswer(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	begin(t, s, 100)
	give(t, s, 1, 1, 20, 21)
	give(t, s, 1, 1, 20, 21)
	give(t, s, 1, 11, 30, 31)
	s = w.service()
	if p := begin(t, s, 100); p.NextLine != 31 || p.Kept != 30 {
		t.Errorf("after a restart: %+v", p)
	}
	give(t, s, 1, 25, 40, 41)

	// Killed after ingest and before the record: the frames are in the journal, and come a second time.
	w.set(func() { w.away = errors.New("the disk is gone") })
	if _, err := s.Lines(t.Context(), 1, 41, text(41, 60)); fault.KindOf(err) != fault.Unavailable {
		t.Fatal(err)
	}
	w.set(func() { w.away = nil })
	s = w.service()
	give(t, s, 1, 41, 70, 71)
	stored(t, w, 1, pagesOf(1, 70))
	if w.dropped != 20 {
		t.Errorf("ship dropped %d frames, and 20 were there twice", w.dropped)
	}
	give(t, s, 1, 71, 100, 101)
	if p, err := s.End(t.Context(), 1); err != nil || p.Kept != 100 || p.Dropped["unknown_site"] != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// While the database is away, or the journal is full, nothing is recorded; what the journal has is not appended again and again.
func TestService_unavailable(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	begin(t, s, 20)
	w.set(func() { w.away = errors.New("refused") })
	for range 3 {
		_, err := s.Lines(t.Context(), 1, 1, text(1, 10))
		kind(t, err, fault.Unavailable, "")
	}
	if len(w.frames) != 10 {
		t.Errorf("%d frames are in the journal for 10 lines", len(w.frames))
	}
	if p := begin(t, s, 20); p.NextLine != 1 || p.Kept != 0 {
		t.Errorf("recorded: %+v", p)
	}
	w.set(func() { w.away = nil })
	give(t, s, 1, 1, 10, 11)

	w.set(func() { w.full = 4 })
	_, err := s.Lines(t.Context(), 1, 11, text(11, 20))
	kind(t, err, fault.Unavailable, "")
	w.set(func() { w.full = -1 })
	give(t, s, 1, 11, 20, 21)
	w.set(func() { w.full = 0 })
	_, err = s.End(t.Context(), 1)
	kind(t, err, fault.Unavailable, "")
	w.set(func() { w.full, w.away = -1, errors.New("refused") })
	_, err = s.End(t.Context(), 1)
	kind(t, err, fault.Unavailable, "")
	w.set(func() { w.away = nil })
	p, err := s.End(t.Context(), 1)
	if err != nil || p.Kept != 20 {
		t.Errorf("%+v, %v", p, err)
	}
	stored(t, w, 1, pagesOf(1, 20))
	if w.dropped != 0 {
		t.Errorf("%d frames came twice", w.dropped)
	}
}

func TestService_wrong(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	ctx := t.Context()
	for _, start := range []importer.Start{{Lines: 1}, {Digest: digest(1)}, {Digest: strings.ToUpper(digest(10)), Lines: 1}, {Digest: digest(1)[1:], Lines: 1}, {Digest: strings.Repeat("x", 64), Lines: 1}, {Digest: digest(1), Lines: 1<<48 + 1}} {
		if _, err := s.Begin(ctx, start); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", start, err)
		}
	}
	begin(t, s, 10)
	_, err := s.Begin(ctx, importer.Start{Digest: digest(1), Lines: 11})
	kind(t, err, fault.Invalid, "lines")
	give(t, s, 1, 1, 4, 5)
	f := func(want fault.Kind, field, part string, id uint16, from uint64, chunk []byte) {
		t.Helper()
		_, err := s.Lines(ctx, id, from, chunk)
		kind(t, err, want, field)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in %v", part, err)
		}
	}
	f(fault.Conflict, "from", "line 5 is the next one", 1, 6, text(6, 7))
	f(fault.Conflict, "from", "", 1, 0, text(1, 2))
	f(fault.Invalid, "lines", "up to 11", 1, 5, text(5, 11))
	f(fault.Invalid, "lines", "", 1, 5, make([]byte, importer.MaxChunk+1))
	f(fault.NotFound, "id", "", 2, 1, text(1, 2))
	f(fault.NotFound, "id", "", 0, 1, text(1, 2))
	f(fault.Invalid, "line 6", "url: ", 1, 5, []byte(line(5, 1)+`{"time":"2026-11-20T10:00:00Z","ip":"192.0.2.1","ua":"secret"}`+"\n"))
	if _, err := s.Lines(ctx, 1, 5, []byte("\nsecret")); fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "secret") {
		t.Errorf("not refused, or quoted: %v", err)
	}
	_, err = s.End(ctx, 1)
	kind(t, err, fault.Conflict, "lines")
	_, err = s.End(ctx, 2)
	kind(t, err, fault.NotFound, "id")
	_, err = s.Remove(ctx, 2)
	kind(t, err, fault.NotFound, "id")
	give(t, s, 1, 5, 10, 11)
	if _, err := s.End(ctx, 1); err != nil {
		t.Error(err)
	}
	stored(t, w, 1, pagesOf(1, 10))
}

// A person of the file has one number on a day, however often the process began anew, and no number of another import.
func TestService_numbers(t *testing.T) {
	w := newWorld(t)
	for n := range 2 {
		id := uint16(n + 1)
		s := w.service()
		if _, err := s.Begin(t.Context(), importer.Start{Digest: digest(n), Lines: 30}); err != nil {
			t.Fatal(err)
		}
		give(t, s, id, 1, 15, 16)
		give(t, w.service(), id, 16, 30, 31)
	}
	people := map[uint64]int{}
	for _, rows := range w.rows {
		for _, one := range rows {
			people[one.visitor]++
		}
	}
	if len(people) != 6 {
		t.Errorf("3 people in 2 imports are %d", len(people))
	}
	for number, events := range people {
		if events != 10 {
			t.Errorf("%x has %d events", number, events)
		}
	}
}

// One command at a time works on an import; others go on meanwhile.
func TestService_busy(t *testing.T) {
	w := newWorld(t)
	w.entered, w.leave = make(chan struct{}), make(chan struct{})
	s := w.service()
	begin(t, s, 10)
	first := make(chan error)
	go func() {
		_, err := s.Lines(context.Background(), 1, 1, text(1, 10))
		first <- err
	}()
	<-w.entered
	for name, err := range map[string]error{
		"begin": second(s.Begin(t.Context(), importer.Start{Digest: digest(1), Lines: 10})), "lines": second(s.Lines(t.Context(), 1, 1, text(1, 10))),
		"end": second(s.End(t.Context(), 1)), "remove": second(s.Remove(t.Context(), 1)),
	} {
		if got, ok := errors.AsType[*fault.Error](err); !ok || got.Kind != fault.Conflict || got.Field != importer.Busy {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Tend(t.Context())
	if err := s.FinishRemovals(t.Context()); err != nil {
		t.Error(err)
	}
	if list, err := s.List(t.Context()); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
	if _, err := s.Begin(t.Context(), importer.Start{Digest: digest(2), Lines: 10}); err != nil {
		t.Errorf("another file: %v", err)
	}
	w.leave <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	w.entered = nil
	give(t, s, 1, 1, 10, 11)
	stored(t, w, 1, pagesOf(1, 10))

	// Whoever asked has gone: its chunk does not block the import.
	w.entered = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := s.Lines(ctx, 2, 1, text(1, 10))
		first <- err
	}()
	<-w.entered
	cancel()
	if err := <-first; fault.KindOf(err) != fault.Unavailable {
		t.Error(err)
	}
	w.entered = nil
	give(t, s, 2, 1, 10, 11)
	stored(t, w, 2, pagesOf(1, 10))
}

func second[T any](_ T, err error) error { return err }
