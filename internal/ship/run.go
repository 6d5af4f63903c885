package ship

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/daysalt/daysalt/internal/journal"
)

const (
	// lookEvery is how long the line pauses when it has read everything, so that an event costs its producer no wake-up while there are many.
	lookEvery = 20 * time.Millisecond
	// busyLooks is how many looks in a row find nothing until it sleeps and is woken: about a second.
	busyLooks = 50
)

// Run ships until ctx ends. It then goes on for at most DrainFor with what is in the journal, writes a checkpoint and returns nil. What it did not
// get done is shipped after the next start. After Close, or a second time, it does nothing and returns ErrStopped.
func (s *Shipper) Run(ctx context.Context) error {
	select {
	case <-s.stopped:
		return ErrStopped
	default:
	}
	defer func() { _ = s.Close() }() // Everything in the file of cuts was synced.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		cancel()
		if s.flight != nil { // The sink has the rows until it returns.
			<-s.flight.done
		}
	}()
	defer context.AfterFunc(ctx, func() {
		drained := time.NewTimer(s.cfg.DrainFor)
		defer drained.Stop()
		select {
		case <-work.Done():
		case <-drained.C:
			cancel()
		}
	})()

	s.startTimers()
	defer s.stopTimers()
	s.checkedAt = s.cfg.Now()
	s.discardOld() // Before anything is read.

	for s.step(ctx, work) || s.replay && !s.ended && ctx.Err() == nil { // Where it has to go back, step begins with that.
		continue
	}
	if s.isClean() {
		s.checkpoint(work)
	}
	return nil
}

func (s *Shipper) startTimers() {
	s.flushTimer = time.NewTimer(time.Hour)
	s.flushTimer.Stop()
	s.lookTimer = time.NewTimer(time.Hour)
	s.lookTimer.Stop()
	s.checkTimer = time.NewTimer(s.cfg.CheckpointEvery)
	s.hour = time.NewTicker(time.Hour)
}

func (s *Shipper) stopTimers() {
	s.flushTimer.Stop()
	s.lookTimer.Stop()
	s.checkTimer.Stop()
	s.hour.Stop()
}

// isClean says whether everything that was read is stored: the visits are those of s.pos then.
func (s *Shipper) isClean() bool { return s.batch.frames == 0 && s.flight == nil && s.edge == s.pos }

// step does the next thing there is to do, and waits for it if need be. It returns false when Run has to end, or the line has to go back.
func (s *Shipper) step(ctx, work context.Context) bool {
	if s.suspect {
		s.suspect = false
		asks := s.cfg.Keep >= 0 && s.sinceBase() || len(s.watch.known()) == 0
		s.replay = s.replay || asks && s.ask(work)
	}
	if s.replay && ctx.Err() == nil && !s.goBack(work) { // When it ends, the next Shipper goes back.
		return false
	}
	s.collectWaiters()
	f, ok, err := s.reader.TryNext()
	switch {
	case errors.Is(err, io.EOF):
		s.ended = true
		if s.commit(work) && s.settle(work) && !s.replay {
			s.answer()
		}
		return false
	case err != nil:
		// The reader stays where it is: the file may be read again when the disk is back.
		return s.retry(work, "read the journal", func(context.Context) error {
			f, ok, err = s.reader.TryNext()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}) && (!ok || s.take(work, &f))
	case ok:
		return s.take(work, &f)
	}
	return s.caughtUp(ctx, work)
}

// caughtUp is called when everything there is was read. A recorded cut has no more frames than these.
func (s *Shipper) caughtUp(ctx, work context.Context) bool {
	wanted := len(s.answering) > 0 || ctx.Err() != nil
	if (s.batch.fixed || s.flushDue || wanted) && !s.commit(work) {
		return false
	}
	if (wanted || s.hasLanded()) && !s.settle(work) {
		return false
	}
	if s.replay || s.suspect && ctx.Err() == nil { // What is waited for may have been lost.
		return ctx.Err() == nil
	}
	if wanted {
		s.answer()
	}
	if s.isClean() {
		if !s.flushQuarantine(work) {
			return false
		}
		s.edge = later(s.edge, s.reader.Position())
		s.setPos(s.edge)
		if s.eraseWaiting(work); s.replay {
			return ctx.Err() == nil
		}
		if s.checkDue {
			s.forgetIdle()
			if s.checkpoint(work); !s.replay {
				s.giveRoom() // Where the journal refuses events, no batch comes that would do it.
			}
			if s.replay { // It is not waited for an event until it goes back.
				return ctx.Err() == nil
			}
		}
	}
	if ctx.Err() != nil {
		return false
	}
	s.wait(ctx)
	return true
}

// hasLanded says whether a batch is under way and its insert has come out.
func (s *Shipper) hasLanded() bool {
	if s.flight == nil {
		return false
	}
	select {
	case <-s.flight.done:
		return true
	default:
		return false
	}
}

func later(a, b journal.Position) journal.Position {
	if a.Compare(b) < 0 {
		return b
	}
	return a
}

// wait waits until there may be something to do.
func (s *Shipper) wait(ctx context.Context) {
	if s.asked.Load() {
		return
	}
	ready, look, landed := s.reader.Ready(), (<-chan time.Time)(nil), (<-chan struct{})(nil)
	if s.looks < busyLooks {
		s.looks++
		s.lookTimer.Reset(lookEvery)
		ready, look = nil, s.lookTimer.C
	}
	if s.flight != nil {
		landed = s.flight.done
	}
	select {
	case <-ctx.Done():
	case <-ready:
	case <-look:
	case <-landed:
	case <-s.poke:
	case <-s.flushTimer.C:
		s.flushDue = true
	case <-s.checkTimer.C:
		s.checkDue = true
	case <-s.hour.C:
		s.discardOld()
	}
}

// openVisits returns how many visits are remembered.
func (s *Shipper) openVisits() int64 { return int64(s.visits.Len()) + s.imports.open }

// setPos notes that everything before pos is stored. It goes back in goBack only.
func (s *Shipper) setPos(pos journal.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pos.Compare(s.pos) > 0 {
		s.pos = pos
		s.endAgain(pos)
	}
}

// point is a place where tests end the process.
func (s *Shipper) point(name string) {
	if s.failpoint != nil {
		s.failpoint(name)
	}
}
