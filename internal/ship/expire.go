package ship

import (
	"bytes"
	"errors"
	"os"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/visit"
)

const (
	daySeconds = 86_400
	// forgetAfter is how far behind the clock the newest event is when the visits of an idle line are forgotten.
	forgetAfter = 24 * time.Hour
)

// discardOld removes what has become too old to be kept here, shipped or not: frames, lines of the quarantine, and the visits of a checkpoint that nothing followed.
// Where it fails, the rest is done all the same, and what is left is tried again an hour later.
func (s *Shipper) discardOld() {
	s.eraseFrames()
	days := int64(s.cfg.MaxAge / (24 * time.Hour))
	if err := s.quarantine.prune(max(1, days)); err != nil {
		s.log.Error("cannot remove old lines of the quarantine, trying again", "error", err)
	}
	if err := s.scrub(); err != nil {
		s.log.Error("cannot remove old visits from the checkpoint, trying again", "error", err)
	}
	s.point("discard")
}

// scrub removes the visits from checkpoints that nothing followed for as long as frames may be kept, because the database was away. The frames that could have joined
// these visits are erased by then. It changes files alone: what is in memory goes on, and the next checkpoint replaces them.
func (s *Shipper) scrub() error {
	limit := s.cfg.Now().Add(-s.cfg.MaxAge - visit.Idle*time.Second).UnixNano()
	paths := []string{checkpointPath(s.cfg.Dir)}
	for _, b := range s.bases {
		paths = append(paths, basePath(s.cfg.Dir, b.number))
	}
	for _, path := range paths {
		c, err := readCheckpoint(path)
		if errors.Is(err, os.ErrNotExist) || err == nil && (c.version < checkpointVersion || c.written > limit) {
			continue
		}
		if err != nil {
			return err
		}
		m := newImports()
		if _, rest, ok := cutVisits(c.state); !ok || m.load(rest) != nil {
			return errCheckpoint
		}
		for i := range m.all {
			m.forget(&m.all[i])
		}
		if b := appendState(bytes.Clone(c.head), visit.New(), &m); len(b) != len(c.head)+len(c.state)+4 {
			if err := writeFile(path, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// eraseFrames erases what is too old in segments that are no longer written to. A live frame is as old as its event; of another one it is only known
// that it is younger than its segment, which may have been made long before on an idle server.
func (s *Shipper) eraseFrames() {
	now := s.cfg.Now().Unix()
	due := map[uint64]int64{}
	for _, seg := range s.j.Segments() {
		age := now - seg.Created
		if next, looked := s.eraseDue[seg.ID]; !seg.Sealed || age < min(daySeconds, s.maxAge()) || looked && now < next {
			if looked {
				due[seg.ID] = next
			}
			continue
		}
		soonest := now + 365*daySeconds
		n, err := s.j.Erase(seg.ID, func(payload []byte) bool {
			limit, since, ok := s.ageLimit(payload)
			if since > now { // The clock was wrong, then or now.
				since = 0
			}
			end := max(seg.Created, since) + limit
			if ok && now <= end {
				soonest = min(soonest, end+1)
			}
			return ok && now > end
		})
		s.counter.expired.Add(uint64(n))
		if err != nil {
			s.log.Error("cannot erase old frames of the journal, trying again", "segment", seg.ID, "error", err)
			continue
		}
		if n > 0 {
			s.log.Warn("frames of the journal were too old to be kept, they were erased", "segment", seg.ID, "frames", n)
		}
		due[seg.ID] = soonest // Nothing in it becomes too old before that.
	}
	s.eraseDue = due
}

func (s *Shipper) maxAge() int64 { return int64(s.cfg.MaxAge / time.Second) }

// ageLimit returns how many seconds a frame may be kept: as long as its event may, and MaxAge at most; and since when there is a live one, in unix
// seconds, 0 for others. ok is false for a frame that holds nothing of a visitor.
func (s *Shipper) ageLimit(payload []byte) (seconds, since int64, ok bool) {
	var f event.Frame
	var e event.Event
	if err := f.Decode(payload, &e); err != nil {
		return s.maxAge(), 0, true
	}
	if f.Type == event.LiveFrame {
		since = e.Time
	}
	switch {
	case f.Type == event.VoidFrame, f.Type == event.EndFrame:
		return 0, 0, false
	case e.RetentionDays == 0:
		return s.maxAge(), since, true
	}
	return min(s.maxAge(), int64(e.RetentionDays)*daySeconds), since, true
}

// forgetIdle forgets the visits of live events when the newest event is of more than a day ago: an idle site's last visitors would stay in the checkpoint
// otherwise. It is called when everything there is was shipped.
//
// No later row is another one for it. A live event has the time at which it arrived, so each that is still to come is more than visit.Idle newer than all that
// are remembered: none of them could join one of these visits, and each begins one, or stands alone, whether they are remembered or not. So a replay, which may
// begin with them, gives the same rows too.
func (s *Shipper) forgetIdle() {
	newest, ok := s.visits.Newest()
	if !ok || s.visits.Len() == 0 || s.cfg.Now().Unix()-newest <= int64(forgetAfter/time.Second) {
		return
	}
	s.visits.Reset()
	s.dirty = true
	s.counter.visits.Store(s.openVisits())
}
