package ship

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/daysalt/daysalt/internal/journal"
)

// checkpoint writes where we are, which must be between two batches with nothing under way, unless the database was restarted: a checkpoint must not say that it
// is as before when what it lost was not sent again.
func (s *Shipper) checkpoint(ctx context.Context) {
	switch {
	case s.replay:
		return
	case s.cfg.Keep >= 0 && (s.sinceBase() || s.pos != s.checked):
		if s.replay = s.ask(ctx); s.replay {
			return
		}
	}
	s.save()
}

// forgot is called when a batch that is under way must not be sent any more as it is, because the database was restarted. Where the line can go back it does, and the batch is
// read again; otherwise forgot returns true, and the batch is to be looked for.
func (s *Shipper) forgot() (here bool) {
	if len(s.bases) > 0 {
		s.replay, s.dropped = true, true
		return false
	}
	s.epoch = s.watch.seen()
	s.log.Warn("the database was restarted, what is not known to be stored is looked for")
	s.sendAgain(s.restartID())
	return true
}

// goBack sets the line back to its base, so that everything is sent again that the database acknowledged since: the same cuts, with the same
// rows, because the visits are those of the base. What the database has is found there (again.go). It returns false when ctx ended first, or the journal is closed.
func (s *Shipper) goBack(ctx context.Context) bool {
	if !s.settle(ctx) && s.flight != nil {
		return false
	}
	s.log.Warn("the database or the machine was restarted, what may have been lost is sent again")
	present := appendState(nil, s.visits, &s.imports)
	for ; len(s.bases) > 0; s.bases = s.bases[1:] {
		path := basePath(s.cfg.Dir, s.bases[0].number)
		_, err := s.loadFrom(path)
		if err == nil {
			return s.restart(ctx, s.bases[0])
		}
		s.log.Error("a base cannot be used, the next one is tried", "error", err)
		_ = os.Remove(path)
	}
	c, err := s.loadFrom(checkpointPath(s.cfg.Dir))
	if err == nil {
		return s.restart(ctx, base{pos: c.pos, blocks: c.blocks})
	}
	s.log.Error("there is no base to go back to, what the database lost stays lost", "error", err)
	if s.dropped { // What was under way is read again, in visits that begin anew.
		s.visits.Reset()
		s.imports.reset()
		return s.restart(ctx, base{pos: s.pos, blocks: s.blocks})
	}
	if err := s.loadState(&checkpoint{version: checkpointVersion, state: present[:len(present)-4]}); err != nil {
		s.log.Error("cannot go on with the present visits", "error", err)
	}
	s.replay, s.epoch = false, s.watch.seen()
	s.sendAgain(s.restartID())
	return true
}

// loadFrom sets the visits and the imports to those of a checkpoint or base.
func (s *Shipper) loadFrom(path string) (*checkpoint, error) {
	c, err := readCheckpoint(path)
	if err == nil {
		err = s.fits(c)
	}
	if err == nil {
		err = s.loadState(c)
	}
	return c, err
}

// restart goes on behind a base, whose state is loaded. The checkpoint is set back first: after a crash the next Shipper goes on from there, looks for the same
// batches, and does not take bases for durable that lie behind it.
func (s *Shipper) restart(ctx context.Context, b base) bool {
	s.counter.replays.Add(1)
	s.log.Info("shipping goes back", "segment", b.pos.Segment, "offset", b.pos.Offset)
	s.batch.reset()
	s.flushTimer.Stop()
	s.flushDue = false
	s.counter.oldest.Store(0)
	s.cuts.rewind()
	s.reader.Close()
	if !s.retry(ctx, "read the journal", func(context.Context) (err error) {
		s.reader, err = s.j.Reader(b.pos)
		if s.ended = errors.Is(err, journal.ErrClosed); s.ended {
			return nil
		}
		return err
	}) || s.ended {
		return false
	}
	s.reader.OnSkip(s.skipped)
	s.mu.Lock()
	s.pos = b.pos
	s.mu.Unlock()
	s.edge, s.blocks = b.pos, b.blocks
	s.replay, s.dropped, s.epoch = false, false, s.watch.seen()
	s.sendAgain(s.restartID())
	s.point("go back")
	if err := s.writeCheckpoint(); err != nil {
		s.counter.checkpointErrors.Add(1) // The next one is as good: until then the checkpoint knows the server as it was, and the next Shipper goes back too.
	}
	if len(s.bases) == 0 {
		return true
	}
	for _, newer := range s.bases[1:] {
		_ = os.Remove(basePath(s.cfg.Dir, newer.number)) // A base behind the checkpoint is removed by the next Shipper at the latest.
	}
	s.bases = slices.Clone(s.bases[:1])
	return true
}

// takeOver takes what a checkpoint says of the database and of the machine. It says whether the machine was rebooted since.
func (s *Shipper) takeOver(c *checkpoint) (rebooted bool) {
	s.blocks, s.checkedBlocks, s.written = c.blocks, c.blocks, c.written
	s.watch.set(c.servers)
	s.again = c.again
	s.boot = c.boot
	if s.cfg.BootID != "" && s.cfg.BootID != c.boot {
		s.boot = s.cfg.BootID
		return c.boot != ""
	}
	return false
}
