package journal

import (
	"context"
	"errors"
	"time"
)

// background syncs what was written, ends old segments and lets a full journal try again.
func (j *Journal) background(ctx context.Context) {
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
	if active := j.active.Load(); active != nil {
		if err := active.syncNew(j.disk); err != nil {
			j.fail(active, err)
		}
	}
	_ = j.finishSealed() // It is logged and counted there.
	_ = j.lookAtDisk()   // It is for Pressed; whoever makes a segment looks again.
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.next == nil {
		j.pokeMaker()
	}
}

// retire seals the active segment if it is old, and takes an empty one, so that a reader can move on and what it has read can be released. It
// returns the active segment if it has frames.
func (j *Journal) retire(old *segment) *segment {
	defer j.wake()
	active := j.active.Load()
	if active == nil || active.tail.Load() == headerBytes {
		return nil
	}
	if active != old {
		return active
	}
	active.seal()
	_ = j.turn(active) // It is logged there; the next Append tries again.
	return nil
}

// finishSealed finishes the sealed segments that no producer is in, and syncs the others.
func (j *Journal) finishSealed() error {
	j.finishing.Lock() // Who comes second finds done what the first one took.
	defer j.finishing.Unlock()
	j.mu.Lock()
	sealed := j.sealed
	j.sealed = nil
	j.mu.Unlock()
	var busy []*segment
	var all error
	for _, seg := range sealed {
		var err error
		if seg.drained() {
			err = seg.finish(j.disk)
		} else {
			busy = append(busy, seg)
			err = seg.syncNew(j.disk)
		}
		if err != nil {
			j.fail(seg, err)
			all = errors.Join(all, err)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sealed = append(busy, j.sealed...)
	return all
}

// fail counts a failed sync of seg and sees that nothing more is written there: the kernel reports such an error once and then forgets the pages, so
// a second sync that succeeds means nothing.
func (j *Journal) fail(seg *segment, err error) {
	seg.syncMu.Lock()
	first := !seg.failed
	seg.failed = true
	seg.syncMu.Unlock()
	if first {
		j.counter.syncErrors.Add(1)
		j.log.Error("cannot sync journal segment, its last frames may not survive a loss of power", "segment", seg.id, "error", err)
	}
	if seg.wasLive() && !seg.isSealed() {
		seg.seal()
		_ = j.turn(seg) // It is logged there; the next Append tries again.
	}
}
