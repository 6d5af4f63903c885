package journal

import (
	"context"
	"errors"
	"time"
)

// background syncs what was written, ends old segments and lets a full journal try again.
func (j *Journal) background(ctx context.Context) {
	defer close(j.done)
	tick := time.NewTicker(j.cfg.Interval)
	defer tick.Stop()
	age := time.NewTicker(j.cfg.SegmentAge)
	defer age.Stop()
	var old *segment // it had frames one SegmentAge ago
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			j.tick()
		case <-age.C:
			old = j.retire(old)
		}
	}
}

func (j *Journal) tick() {
	j.mu.Lock()
	active := j.active
	j.blocked = nil
	j.mu.Unlock()
	if active != nil {
		if err := active.sync(j.disk, active.end.Load()); err != nil {
			j.fail(active, err)
		}
	}
	_ = j.finishSealed() // It is logged and counted there.
}

// retire seals the active segment if it is old, and makes an empty one, so that a reader can move on and what it has read can be released. It
// returns the active segment if it has frames.
func (j *Journal) retire(old *segment) *segment {
	j.mu.Lock()
	defer j.wake()
	defer j.mu.Unlock()
	if j.active == nil || j.active.end.Load() == headerBytes {
		return nil
	}
	if j.active != old {
		return j.active
	}
	j.seal()
	_ = j.makeSegment() // It is logged there; the next Append tries again.
	return nil
}

// finishSealed syncs the sealed segments, gives the space that they do not use back to the disk and closes them. A segment is synced once.
func (j *Journal) finishSealed() error {
	j.mu.Lock()
	sealed := j.sealed
	j.sealed = nil
	j.mu.Unlock()
	var all error
	for _, seg := range sealed {
		if err := seg.finish(j.disk); err != nil {
			j.fail(seg, err)
			all = errors.Join(all, err)
		}
	}
	return all
}
