package ship

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/journal"
	"github.com/daysalt/daysalt/internal/visit"
)

// Erasure says what is taken away here before rows are deleted in the database. A field may be nil: what it chooses stays then.
type Erasure struct {
	Event func(f *event.Frame, e *event.Event) (matches bool) // of a line of the quarantine
	Visit func(v *visit.Visit) (keep bool)                    // an open visit, whose EntryPage it may change
	Bytes []byte                                              // what no file may hold afterwards; only what can mean nothing else
}

// Erased is what was taken away.
type Erased struct {
	Barrier     journal.Position // no frame before it is on the disk any more
	Visits      int              // that were forgotten
	Changed     int              // visits whose entry page was changed
	Quarantined int              // lines of the quarantine that were removed
	Undecoded   int              // lines of the quarantine that stay, because nobody can tell what they hold
	Segments    int              // of the journal that were deleted, the last one that was appended to among them
	Searched    int              // files that were searched afterwards
	Left        []string         // names of those in which something was found
}

// erasing is a call of Erase under way.
type erasing struct {
	what   Erasure
	taken  atomic.Bool // by the one who does it, or by the caller, who gave up
	erased Erased
	err    error
}

// Erase waits until everything that was appended before the call is stored, and then takes away what could bring it back: every segment of the journal, base and cut before, and of
// the checkpoint and the quarantine what the erasure chooses. After it no restart of the database or of the machine has anything sent again that was appended before the call. Then it
// looks whether something is left. Events are taken and shipped meanwhile.
//
// What was acknowledged by the database is as durable as the database made it from then on: nothing is here to be sent again. So it is not done while the
// database does not answer. It needs Run, and returns ErrStopped when that has ended. It is Unavailable where ctx ends first, the journal has no room for a new segment, or the
// database does not say since when it runs; nothing was taken away then. After another error a part was, and the call may be made again.
func (s *Shipper) Erase(ctx context.Context, what Erasure) (Erased, error) {
	head, err := s.j.Roll()
	if errors.Is(err, journal.ErrFull) {
		return Erased{}, fault.Unavailablef(err, "the journal has no room for a new segment")
	}
	if err != nil {
		return Erased{}, fmt.Errorf("cannot begin a segment of the journal: %w", err)
	}
	job := &erasing{what: what}
	w := &waiter{head: head, done: make(chan struct{}), erase: job}
	if err := s.waitFor(ctx, w); err != nil {
		if job.taken.CompareAndSwap(false, true) {
			if errors.Is(err, ErrStopped) {
				return Erased{}, err
			}
			return Erased{}, fault.Unavailablef(err, "what is in the journal was not stored in time")
		}
		select { // It is being done, and takes as long as it takes.
		case <-w.done:
		case <-s.stopped:
			return Erased{}, ErrStopped
		}
	}
	return job.erased, job.err
}

// Barrier is Erase of nothing but what could be sent again.
func (s *Shipper) Barrier(ctx context.Context) error {
	_, err := s.Erase(ctx, Erasure{})
	return err
}

// eraseWaiting does what callers of Erase wait for, as far as everything before is stored.
func (s *Shipper) eraseWaiting(ctx context.Context) {
	if len(s.answering) == 0 || !s.isClean() || s.suspect {
		return
	}
	s.answering = slices.DeleteFunc(s.answering, func(w *waiter) bool {
		if w.erase == nil || s.replay || s.again.id != "" || s.pos.Compare(w.head) < 0 {
			return false
		}
		// A restart that is noticed here has the line go back: what was lost is sent again first.
		answers := s.cfg.Keep < 0
		if !answers {
			var err error
			if s.replay, err = s.askNow(ctx); s.replay {
				return false
			}
			answers = err == nil
		}
		if !w.erase.taken.CompareAndSwap(false, true) {
			return true // The caller gave up.
		}
		if answers {
			w.erase.erased, w.erase.err = s.erase(ctx, w)
		} else {
			w.erase.err = fault.Unavailablef(nil, "the database does not answer")
		}
		close(w.done)
		return true
	})
}

// erase does it, between two batches with nothing under way. The order matters: the checkpoint is durable before what it replaces goes.
func (s *Shipper) erase(ctx context.Context, w *waiter) (done Erased, err error) {
	done.Barrier = w.head
	what := &w.erase.what
	if what.Visit != nil {
		for _, tracker := range s.trackers() {
			forgotten, changed := tracker.Edit(what.Visit)
			done.Visits, done.Changed = done.Visits+forgotten, done.Changed+changed
		}
		s.imports.recount()
		s.counter.visits.Store(s.openVisits())
	}
	segments := s.segmentsBefore(w.head)
	s.dirty = true // Where it cannot be written now, it is soon.
	if err := s.writeCheckpoint(); err != nil {
		return done, fmt.Errorf("cannot write checkpoint: %w", err)
	}
	if err := s.forgetBases(); err != nil {
		return done, fmt.Errorf("cannot release what was kept: %w", err)
	}
	if err := s.j.Finish(); err != nil {
		s.log.Warn("a segment that was released could not be synced before", "error", err)
	}
	done.Segments = segments - s.segmentsBefore(w.head)
	s.point("erase quarantine")
	if !s.flushQuarantine(ctx) {
		return done, context.Cause(ctx)
	}
	if done.Quarantined, done.Undecoded, err = s.quarantine.erase(what); err != nil {
		return done, err
	}
	s.point("erased")
	done.Searched, done.Left, err = s.searchErased(what, w.head)
	return done, err
}

// trackers returns all visits that are remembered.
func (s *Shipper) trackers() []*visit.Tracker {
	all := []*visit.Tracker{s.visits}
	for i := range s.imports.all {
		all = append(all, s.imports.all[i].visits)
	}
	return all
}

// forgetBases makes the checkpoint, which was just written, the only base, and deletes every segment before it.
func (s *Shipper) forgetBases() error {
	if s.cfg.Keep < 0 {
		return s.release(len(s.bases))
	}
	if err := s.linkBase(); err != nil {
		return err
	}
	return s.release(len(s.bases) - 1)
}

// searchErased looks through the files of this package, and for those of the journal before the barrier. It returns how many it looked at and in which something is left.
func (s *Shipper) searchErased(what *Erasure, barrier journal.Position) (searched int, left []string, err error) {
	if n := s.segmentsBefore(barrier); n > 0 {
		left = append(left, fmt.Sprintf("%d segments of the journal", n))
	}
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return 0, left, fmt.Errorf("cannot search: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(s.cfg.Dir, entry.Name())
		if !entry.Type().IsRegular() || filepath.Ext(entry.Name()) == ".seg" {
			continue // They may share a directory.
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return searched, left, fmt.Errorf("cannot search: %w", err)
		}
		searched++
		found := len(what.Bytes) > 0 && bytes.Contains(b, what.Bytes)
		if strings.HasPrefix(entry.Name(), filepath.Base(checkpointPath(s.cfg.Dir))) {
			again, err := hasVisit(path, what.Visit)
			found = found || again || err != nil // Nobody can tell what is in a file that cannot be read.
		}
		if found {
			left = append(left, entry.Name())
		}
	}
	lines, err := s.quarantine.matches(what)
	if lines > 0 {
		left = append(left, filepath.Base(s.quarantine.path))
	}
	return searched, left, err
}

// segmentsBefore returns how many segments there are before the one of pos.
func (s *Shipper) segmentsBefore(pos journal.Position) (n int) {
	for _, seg := range s.j.Segments() {
		if seg.ID < pos.Segment {
			n++
		}
	}
	return n
}

// hasVisit says whether a checkpoint or base has a visit that the erasure would forget or change.
func hasVisit(path string, edit func(v *visit.Visit) bool) (bool, error) {
	if edit == nil || strings.HasSuffix(path, ".tmp") {
		return false, nil
	}
	c, err := readCheckpoint(path)
	if err != nil {
		return false, fmt.Errorf("cannot search: %w", err)
	}
	present := Shipper{visits: visit.New(), imports: newImports()}
	if err := present.loadState(c); err != nil {
		return false, fmt.Errorf("cannot search: %w", err)
	}
	for _, tracker := range present.trackers() {
		if forgotten, changed := tracker.Edit(edit); forgotten+changed > 0 {
			return true, nil
		}
	}
	return false, nil
}
