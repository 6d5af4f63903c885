package ship

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/journal"
	"github.com/daysalt/daysalt/internal/visit"
)

// file is an import as its sender sees it.
type file struct {
	origin uint16
	events []event.Event
	seqs   []uint64
	sent   int // so many came to the journal at least once
	known  int // so many are known to have come; what is behind is sent again after a crash
}

// newFile returns n events of six visitors that are mixed, each in order of its own time. The visitors are 40 days apart, but for two of one day.
func newFile(rng *rand.Rand, origin uint16, name string, base int64, n int) *file {
	f := &file{origin: origin}
	clocks := [6]int64{base, base + 40*86_400, base + 80*86_400, base - 40*86_400, base - 80*86_400, base}
	for line := uint64(1); len(f.events) < n; line++ {
		v := rng.IntN(len(clocks))
		clocks[v] += rng.Int64N(1000) + 1500*rng.Int64N(2)
		for place := range 1 + rng.Uint64N(2)*rng.Uint64N(2) {
			at := clocks[v]
			path := fmt.Sprintf("/%s/%d", name, len(f.events))
			f.events = append(f.events, event.Event{
				SiteID: uint32(1 + place), Day: event.Day(at / 86_400), Time: at, Visitor: uint64(v), Name: "pageview", Hostname: "a.test", Path: path, Source: "from " + path,
			})
			f.seqs = append(f.seqs, line<<4|place)
		}
	}
	return f
}

// send appends the events from f.known to before end. known says whether the answer arrived.
func (l *line) send(f *file, end int, known bool) {
	l.t.Helper()
	end = min(end, len(f.events))
	for i := f.known; i < end; i++ {
		l.frames(event.AppendImported(nil, f.origin, f.seqs[i], &f.events[i]))
	}
	f.sent = max(f.sent, end)
	if known {
		f.known = max(f.known, end)
	}
}

func (l *line) frames(frames ...[]byte) {
	l.t.Helper()
	for _, b := range frames {
		if err := l.j.Append(b); err != nil {
			l.t.Fatal(err)
		}
	}
}

// model returns the rows of events in the plainest way: nothing is forgotten, and nothing but these events counts.
func model(origin uint16, events []event.Event) (rows []event.Row) {
	type visitor struct {
		site uint32
		day  event.Day
		id   uint64
	}
	type open struct {
		first event.Event
		last  int64
		count uint16
	}
	visits := map[visitor]*open{}
	for _, e := range events {
		row := event.Row{Event: e, Origin: origin, VisitStart: e.Time}
		if e.Visitor != 0 {
			k := visitor{e.SiteID, e.Day, e.Visitor}
			v := visits[k]
			if v == nil || e.Time-v.last > 1800 {
				v = &open{first: e, last: e.Time}
				visits[k] = v
			}
			v.last = max(v.last, e.Time)
			row.VisitStart, row.Seq, row.EntryHost, row.EntryPage, row.Source = v.first.Time, v.count, v.first.Hostname, v.first.Path, v.first.Source
			v.count++
		}
		rows = append(rows, row)
	}
	return rows
}

// check compares what is stored with what the model makes of live events and of what was sent of each file.
func check(l *line, live []event.Event, files []*file) {
	l.t.Helper()
	events, want := slices.Clone(live), model(0, live)
	for _, f := range files {
		events = append(events, f.events[:f.sent]...)
		want = append(want, model(f.origin, f.events[:f.sent])...)
	}
	if diff := cmp.Diff(want, byPath(l.t, events, l.sink.stored())); diff != "" {
		l.t.Errorf("rows differ from those of an uninterrupted run:\n%s", diff)
	}
	for token, rows := range l.sink.tokens {
		if len(rows) == 0 {
			l.t.Errorf("an insert without a row: %s", token)
		}
	}
}

// senders sends files that are mixed with live traffic. Chunks are sent again, ends too, and numbers are used again after an end.
type senders struct {
	l     *line
	rng   *rand.Rand
	live  []event.Event
	files []*file // those that are sent are the last ones of their origin
	now   [3]*file
	at    int64
}

func newSenders(l *line, rng *rand.Rand) *senders {
	s := &senders{l: l, rng: rng, at: noon}
	for i := range s.now {
		s.begin(i)
	}
	return s
}

// begin starts another file at this place; where there was one, with its number and its visitors. Some are as old as live traffic is.
func (s *senders) begin(i int) {
	f := newFile(s.rng, []uint16{1, 300, 65_535}[i], fmt.Sprintf("f%d", len(s.files)), s.at-s.rng.Int64N(2)*365*86_400, 10+s.rng.IntN(60))
	s.now[i], s.files = f, append(s.files, f)
}

func (s *senders) step() {
	i := s.rng.IntN(len(s.now) + 1)
	if i == len(s.now) {
		s.at += s.rng.Int64N(400)
		e := event.Event{
			SiteID: 1, Day: event.Day(s.at / 86_400), Time: s.at - s.rng.Int64N(5), Visitor: s.rng.Uint64N(8), Name: "pageview",
			Path: fmt.Sprintf("/%d", len(s.live)), Source: fmt.Sprintf("s%d", len(s.live)),
		}
		s.live = append(s.live, e)
		s.l.append(e)
		return
	}
	f := s.now[i]
	switch {
	case f.known < len(f.events):
		s.l.send(f, f.known+1+s.rng.IntN(20), s.rng.IntN(3) > 0)
		if s.rng.IntN(8) == 0 { // Its sender was set back.
			f.known = s.rng.IntN(f.known + 1)
		}
	default:
		for range 1 + s.rng.IntN(2) {
			s.l.frames(event.AppendEnd(nil, f.origin))
		}
		s.begin(i)
	}
}

// However chunks, ends, live events and deaths are mixed, every event is stored once, in the visit that its file alone would give it.
func TestImports_exactlyOnceAndTheSameVisits(t *testing.T) {
	for seed := range uint64(8) {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			rng := rand.New(rand.NewPCG(seed, 4))
			s := newSenders(l, rng)
			kill(l, rng, func() {
				for range rng.IntN(4) {
					s.step()
				}
			}, func() {
				if rng.IntN(3) == 0 {
					l.closeJournal()
					l.openJournal()
				}
			})
			check(l, s.live, s.files)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// A death at each step there is: the same traffic, killed one step later each time, until a run gets through without dying.
func TestImports_diesAtEveryStep(t *testing.T) {
	var checkpoints uint64
	for left, alive := 1, false; !alive; left++ {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			s := newSenders(l, rand.New(rand.NewPCG(5, 5)))
			for range 20 {
				s.step()
			}
			var n atomic.Int64
			n.Store(int64(left))
			die := func() error {
				if n.Add(-1) == 0 {
					runtime.Goexit()
				}
				return nil
			}
			l.sink.before, l.sink.after = die, func() error {
				time.Sleep(time.Millisecond) // so that a checkpoint gets due
				return die()
			}
			l.cfg.Now = func() time.Time { _ = die(); return time.Now() }
			l.failpoint = func(string) { _ = die() }
			l.cfg.BatchRows, l.cfg.CheckpointEvery = 13, 2*time.Millisecond
			l.start()
			if err := l.s.Flush(t.Context()); err != nil && !errors.Is(err, ErrStopped) {
				t.Fatal(err)
			}
			checkpoints = max(checkpoints, l.s.Stats().Checkpoints)
			l.stop()
			<-l.dead
			alive = l.err == nil
			l.sink.before, l.sink.after, l.cfg.Now, l.failpoint = nil, nil, time.Now, nil
			l.start()
			for range 5 {
				s.step()
			}
			l.flush()
			l.end()
			check(l, s.live, s.files)
			if t.Failed() {
				t.Fatalf("died at step %d", left)
			}
			if alive && (left < 50 || checkpoints < 3) {
				t.Errorf("only %d steps to die at, with %d checkpoints", left, checkpoints)
			}
		})
	}
}

// What is sent again makes batches without a row: they are answered, recorded and left behind as others are, and stored again by no replay.
func TestImports_batchesWithoutRows(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.cfg.BatchRows, l.cfg.FlushEvery = 4, time.Hour
		f := newFile(rand.New(rand.NewPCG(1, 1)), 7, "f", noon, 9)
		l.start()
		l.send(f, 9, false)
		l.flush()
		l.send(f, 9, true)
		l.flush()
		if st := l.s.Stats(); st.Rows != 9 || st.Duplicates != 9 || st.Batches != 6 || st.LagBytes != 0 || st.LagSeconds != 0 || st.OpenVisits == 0 || st.Quarantined != 0 {
			t.Errorf("after a chunk was sent twice: %+v", st)
		}
		l.frames(event.AppendEnd(nil, 7), event.AppendEnd(nil, 7), event.AppendEnd(nil, 8))
		l.flush()
		if st := l.s.Stats(); st.Batches != 7 || st.OpenVisits != 0 || st.LagBytes != 0 {
			t.Errorf("after the end: %+v", st)
		}
		time.Sleep(time.Minute)
		checkpoints := l.s.Stats().Checkpoints
		l.send(f, 9, true) // nothing: all is known
		l.frames(event.AppendEnd(nil, 7))
		time.Sleep(2 * time.Hour)
		if st := l.s.Stats(); st.Batches != 8 || st.LagBytes != 0 || st.Checkpoints == checkpoints {
			t.Errorf("an end alone: %+v", st)
		}
		l.end()
		check(l, nil, []*file{f})
		l.start()
		l.flush()
		if st := l.s.Stats(); st.Batches != 0 {
			t.Errorf("batches were read again: %+v", st)
		}
		l.end()
	})
}

// Without the checkpoint a duplicate may look new. What was recorded as a batch without a row stays one.
func TestImports_withoutTheCheckpoint(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.closeJournal()
		l.openJournal()
		l.cfg.CheckpointEvery, l.cfg.Keep = time.Hour, -1
		first := newFile(rand.New(rand.NewPCG(1, 1)), 7, "f", noon, 60)
		l.start()
		l.send(first, 60, false)
		l.frames(event.AppendEnd(nil, 8)) // so that a flush ends a batch here
		l.flush()
		for l.j.Head().Segment == 1 { // Until the first segment, which knows the import, can be released.
			l.append(numbered(1000, 1)...)
		}
		l.flush()
		l.sink.rows = slices.DeleteFunc(l.sink.rows, func(r event.Row) bool { return r.Origin == 0 })
		l.send(first, 60, true)
		l.flush()
		l.end()
		if oldest := l.j.Stats().Oldest; oldest != 2 {
			t.Fatalf("the oldest segment is %d, want 2", oldest)
		}
		if err := os.Remove(checkpointPath(l.cfg.Dir)); err != nil {
			t.Fatal(err)
		}
		l.sink.strict = false
		l.start()
		l.flush()
		l.end()
		l.sink.rows = slices.DeleteFunc(l.sink.rows, func(r event.Row) bool { return r.Origin == 0 })
		check(l, nil, []*file{first})
	})
}

// A number may be used again after its end, also by a Shipper that comes later.
func TestImports_endForgets(t *testing.T) {
	f := func(restart bool) {
		t.Helper()
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			again := func() {
				if restart {
					l.flush()
					l.end()
					l.start()
				}
			}
			l.start()
			first, second := newFile(rand.New(rand.NewPCG(1, 1)), 7, "a", noon, 20), newFile(rand.New(rand.NewPCG(1, 1)), 7, "b", noon, 20)
			other := newFile(rand.New(rand.NewPCG(1, 1)), 8, "c", noon, 20)
			l.send(first, 20, true)
			l.send(other, 10, false)
			again()
			l.frames(event.AppendEnd(nil, 7))
			again()
			l.send(second, 10, false)
			again()
			l.send(second, 20, true)
			l.send(other, 20, true) // The end was of another one.
			l.flush()
			l.end()
			check(l, nil, []*file{first, second, other})
		})
	}
	f(false)
	f(true)
}

func TestStats_lagOfImports(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.cfg.FlushEvery = 24 * time.Hour
		l.start()
		f := func(want int64) {
			t.Helper()
			time.Sleep(21 * time.Millisecond) // so long it does not look at the journal
			synctest.Wait()
			if got := l.s.Stats().LagSeconds; got != want {
				t.Errorf("lag of %d s, want %d", got, want)
			}
		}
		old := newFile(rand.New(rand.NewPCG(1, 1)), 7, "f", time.Now().Unix()-365*86_400, 5)
		live := func(age time.Duration) event.Event {
			e := numbered(0, 1)[0]
			e.Time = time.Now().Add(-age).Unix()
			return e
		}
		f(0)
		l.send(old, 2, false)
		f(0)
		time.Sleep(30 * time.Second)
		f(30) // since it was read
		l.send(old, 5, true)
		f(30)
		l.append(live(50 * time.Second))
		f(50) // A live one has a time of its own,
		l.append(live(70 * time.Second))
		f(50)
		l.flush()
		f(0)
		l.append(live(20 * time.Second))
		l.frames(event.AppendImported(nil, 7, 1<<40, &old.events[0]))
		f(20) // and does not lose it to one that comes later.
		l.flush()
		l.frames(event.AppendImported(nil, 7, 1<<40, &old.events[0]))
		time.Sleep(time.Minute)
		f(0) // A duplicate is nothing that waits.
		l.end()
	})
}

func TestImports_areBounded(t *testing.T) {
	m := newImports()
	m.max, m.keep, m.room = 3, 4, 21
	early := map[uint16]uint64{}
	m.early = func(origin uint16, visits uint64) { early[origin] += visits }
	var row event.Row
	join := func(origin uint16, seq uint64) {
		t.Helper()
		row.Event = event.Event{SiteID: 1, Day: 1, Time: 86_400 + 3600*int64(seq), Visitor: seq} // Only the latest one is open.
		m.join(&event.Frame{Type: event.ImportedFrame, Origin: origin, Seq: seq}, &row)
	}
	// f wants these imports to be remembered, the one with the latest frame last, with so many visits.
	f := func(origins []uint16, visits ...int) {
		t.Helper()
		var have []uint16
		var open []int
		var sum int64
		for _, im := range m.all {
			have, open, sum = append(have, im.origin), append(open, im.visits.Len()), sum+int64(im.visits.Len())
		}
		if diff := cmp.Diff(origins, have) + cmp.Diff(visits, open); diff != "" {
			t.Error(diff)
		}
		if sum != m.open {
			t.Errorf("%d visits are counted, want %d", m.open, sum)
		}
		// A state that is loaded goes on in the same way.
		loaded := newImports()
		loaded.max, loaded.keep, loaded.room, loaded.early = m.max, m.keep, m.room, m.early
		if err := loaded.load(m.appendState(nil)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m.appendState(nil), loaded.appendState(nil)); diff != "" || loaded.open != m.open {
			t.Errorf("loaded: %d visits, want %d; %s", loaded.open, m.open, diff)
		}
		m = loaded
	}
	has := func(origin uint16, seq uint64, want bool) {
		t.Helper()
		if got := m.has(&event.Frame{Type: event.ImportedFrame, Origin: origin, Seq: seq}); got != want {
			t.Errorf("event %d of import %d came before: %t, want %t", seq, origin, got, want)
		}
	}
	has(1, 0, false)
	join(1, 0) // The smallest number is a number.
	has(1, 0, true)
	has(1, 1, false)
	join(2, 5)
	join(3, 5)
	has(2, 5, true)
	has(2, 6, false)
	f([]uint16{1, 2, 3}, 0, 1, 1) // The event without a visitor opened no visit.
	m.touch(1)
	f([]uint16{2, 3, 1}, 1, 1, 0)
	join(4, 1)
	f([]uint16{3, 1, 4}, 1, 0, 1)
	has(2, 5, false)
	for seq := range uint64(8) {
		join(3, 10+seq)
		join(1, 10+seq)
	}
	f([]uint16{4, 3, 1}, 1, 5, 8)
	m.drop(9)
	m.touch(4)
	for seq := range uint64(8) {
		join(4, 10+seq)
	}
	f([]uint16{3, 1, 4}, 5, 8, 5)
	join(1, 30)
	f([]uint16{3, 4, 1}, 5, 5, 5)
	for seq := range uint64(3) {
		join(1, 40+seq)
	}
	join(4, 40)
	join(4, 41)
	f([]uint16{3, 1, 4}, 5, 8, 7)
	join(4, 42)
	f([]uint16{3, 1, 4}, 5, 8, 8)
	join(3, 50)
	f([]uint16{1, 4, 3}, 0, 8, 6) // There was no more room; the numbers stay.
	has(1, 42, true)
	m.drop(4)
	f([]uint16{1, 3}, 0, 6)
	has(4, 0, false)
	// What was forgotten with an import that had not ended, and for want of room, could have gone on; what an end forgets could not.
	if diff := cmp.Diff(map[uint16]uint64{1: 1, 2: 1}, early); diff != "" {
		t.Errorf("forgotten early: %s", diff)
	}
}

func TestImports_loadRefuses(t *testing.T) {
	m := newImports()
	for origin := range uint16(3) {
		row := event.Row{Event: event.Event{SiteID: 1, Day: 1, Time: 86_400, Visitor: 1}}
		m.join(&event.Frame{Type: event.ImportedFrame, Origin: origin + 1, Seq: 5}, &row)
	}
	good := m.appendState(nil)
	f := func(what string, change func(b []byte) []byte) {
		t.Helper()
		loaded := newImports()
		loaded.touch(9)
		if err := loaded.load(change(slices.Clone(good))); err == nil {
			t.Errorf("%s: no error", what)
		}
		if len(loaded.all) != 0 || loaded.open != 0 {
			t.Errorf("%s: %d imports and %d visits are left", what, len(loaded.all), loaded.open)
		}
	}
	for n := range good {
		f("truncated", func(b []byte) []byte { return b[:n] })
	}
	f("a trailing byte", func(b []byte) []byte { return append(b, 0) })
	f("origin 0", func(b []byte) []byte { b[8] = 0; return b })
	f("an origin twice", func(b []byte) []byte { b[8] = 2; return b })
	f("a large origin", func(b []byte) []byte { b[10] = 1; return b })
	f("visits of another version", func(b []byte) []byte { b[32] = 99; return b })
}

// A frame that ends the batch before it is not in that batch's checkpoint.
func TestImports_diesBetweenACheckpointAndTheNextFrame(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		f := &file{origin: 7, events: numbered(0, 13)}
		for i := range f.events {
			f.events[i].Day -= event.Day(31 * i) // The 13th month ends the batch.
			f.seqs = append(f.seqs, uint64(i))
		}
		l.send(f, 13, true)
		l.cfg.CheckpointEvery = time.Nanosecond
		l.failpoint = func(name string) {
			switch name {
			case "cut":
				time.Sleep(time.Millisecond) // The checkpoint is due now.
			case "checkpoint":
				runtime.Goexit()
			}
		}
		l.start()
		<-l.dead
		if _, err := os.Stat(checkpointPath(l.cfg.Dir)); err != nil || len(l.sink.stored()) != 12 {
			t.Fatalf("it died at another step, with %d rows: %v", len(l.sink.stored()), err)
		}
		l.failpoint = nil
		l.start()
		l.flush()
		l.end()
		check(l, nil, []*file{f})
	})
}

// An end that dies between its record and the checkpoint is read again.
func TestImports_endIsReadAgain(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		f := newFile(rand.New(rand.NewPCG(1, 1)), 7, "f", noon, 20)
		l.cfg.CheckpointEvery = time.Hour
		l.send(f, 20, true)
		l.frames(event.AppendEnd(nil, 7))
		l.sink.after = func() error { runtime.Goexit(); return nil }
		l.start()
		<-l.dead
		l.sink.after = func() error { return errors.New("the answer is lost") }
		l.start()
		time.Sleep(time.Minute)
		l.sink.mu.Lock()
		l.sink.after = nil
		l.sink.mu.Unlock()
		l.flush()
		if n := l.s.Stats().OpenVisits; n != 0 {
			t.Errorf("%d visits are open after the end, want 0", n)
		}
		l.end()
		check(l, nil, []*file{f})
	})
}

// What was forgotten early is counted, for all and for each import.
func TestStats_forgotten(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		for n := range uint64(10) {
			for origin := range uint16(2) {
				e := numbered(0, 1)[0]
				e.Visitor = n + 1
				l.frames(event.AppendImported(nil, origin+1, n, &e))
			}
		}
		for _, e := range numbered(0, 7) {
			l.append(e)
			e.Visitor = 0
			l.append(e)
		}
		s, err := New(l.cfg, l.j, visit.NewUnordered(1, 2), l.sink, nil) // Live visits have more room than a test wants to fill.
		if err != nil {
			t.Fatal(err)
		}
		s.imports.room = 7
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		live, one, two := s.visits.Early(), s.Forgotten(1), s.Forgotten(2)
		if one+two != 20-uint64(s.imports.open) || one == 0 || two == 0 || s.Forgotten(0) != 0 || s.Forgotten(3) != 0 {
			t.Errorf("of the imports' 20 visits %d and %d were forgotten, and %d are open", one, two, s.imports.open)
		}
		if st := s.Stats(); st.Forgotten != live+one+two || live == 0 {
			t.Errorf("%d live ones were forgotten; %+v", live, st)
		}
	})
}

// Before a batch is stored, the journal is durable to its end.
func TestImports_areDurableFirst(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		s, err := New(l.cfg, l.j, visit.New(), l.sink, nil)
		if err != nil {
			t.Fatal(err)
		}
		var synced []journal.Position
		s.sync = func(upTo journal.Position) error {
			synced = append(synced, upTo)
			if err := l.j.Sync(upTo); err != nil {
				t.Error(err)
			}
			return errors.New("the disk is broken") // which does not hold up the line
		}
		l.sink.before = func() error {
			if len(synced) == 0 || synced[len(synced)-1] != l.j.Head() {
				t.Errorf("stored when the journal was synced to %v, want %v", synced, l.j.Head())
			}
			return nil
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		l.s = s
		l.append(numbered(0, 3)...)
		l.send(newFile(rand.New(rand.NewPCG(1, 1)), 7, "f", noon, 9), 9, true)
		l.append(numbered(3, 3)...)
		l.flush()
		l.append(numbered(6, 3)...)
		l.flush()
		if len(synced) != 2 || len(l.sink.stored()) != 18 {
			t.Errorf("%d rows are stored, and the journal was synced to %v", len(l.sink.stored()), synced)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
