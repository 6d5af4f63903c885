package journal

import (
	"fmt"
)

// Append writes one frame behind all others. When it returns nil the frame survives kill -9 of this process, and with Always a loss of power too.
// It keeps nothing of frame.
//
// It returns ErrFull where the quota or the disk has no room for another segment, ErrTooLarge for an empty frame and for one longer than
// MaxFrame or than a segment, and ErrClosed after Close. Behind any error the frame may still be found by the reader.
func (j *Journal) Append(frame []byte) error {
	if len(frame) == 0 || len(frame) > MaxFrame || frameBytes(len(frame)) > j.cfg.SegmentBytes-headerBytes {
		return ErrTooLarge
	}
	seg, end, err := j.write(frame)
	if err != nil {
		return err
	}
	if j.asleep.Load() && j.asleep.CompareAndSwap(true, false) {
		j.wake()
	}
	if j.cfg.Sync == Always {
		if err := seg.sync(j.disk, end); err != nil {
			j.fail(seg, err)
			return fmt.Errorf("cannot append frame: %w", err)
		}
	}
	return nil
}

func (j *Journal) write(frame []byte) (seg *segment, end int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, 0, ErrClosed
	}
	n := frameBytes(len(frame))
	if j.active != nil && j.active.end.Load()+n > j.active.size.Load() {
		j.seal()
	}
	if j.active == nil {
		if err := j.makeSegment(); err != nil {
			j.counter.refused.Add(1)
			return nil, 0, err
		}
	}
	seg = j.active
	start := seg.end.Load()
	j.buf = appendFrame(j.buf[:0], seg.seed, start, frame)
	if _, err := j.disk.writeAt(seg.file, j.buf, start); err != nil {
		// What is on the disk now is unknown: nothing is written behind it.
		j.counter.writeErrors.Add(1)
		j.seal()
		return nil, 0, fmt.Errorf("cannot append frame: %w", err)
	}
	seg.end.Store(start + n)
	j.counter.frames.Add(1)
	j.counter.frameBytes.Add(uint64(len(frame)))
	return seg, start + n, nil
}

// makeSegment makes the next segment the active one. After a failure it does not try again until Release or the background clears j.blocked, because it is
// called for every event. The caller holds j.mu.
func (j *Journal) makeSegment() error {
	if j.blocked != nil {
		return j.blocked
	}
	var used int64
	for _, seg := range j.segments {
		used += seg.size.Load()
	}
	if used+j.cfg.SegmentBytes > j.cfg.QuotaBytes {
		j.refuse(ErrFull)
		return j.blocked
	}
	seg, err := createSegment(j.disk, j.cfg.Dir, j.nextID, j.cfg.SegmentBytes)
	if err != nil {
		j.refuse(fmt.Errorf("%w: %w", ErrFull, err))
		return j.blocked
	}
	j.nextID++
	j.refusing = false
	j.segments = append(j.segments, seg)
	j.active = seg
	return nil
}

// refuse notes why no segment can be made, and logs the first of a row of such reasons. The caller holds j.mu.
func (j *Journal) refuse(err error) {
	j.blocked = err
	if !j.refusing {
		j.refusing = true
		j.log.Error("journal has no room, events are refused", "quota_bytes", j.cfg.QuotaBytes, "error", err)
	}
}

// seal ends the active segment: nothing is appended to it any more. The caller holds j.mu.
func (j *Journal) seal() {
	if j.active == nil {
		return
	}
	j.active.sealed.Store(true)
	j.sealed = append(j.sealed, j.active)
	j.active = nil
}

// fail counts a failed sync of seg and sees that nothing more is written there: the kernel reports such an error once and then forgets the pages, so
// a second sync that succeeds means nothing.
func (j *Journal) fail(seg *segment, err error) {
	j.mu.Lock()
	first := !seg.failed
	seg.failed = true
	if j.active == seg {
		j.seal()
	}
	j.mu.Unlock()
	if first {
		j.counter.syncErrors.Add(1)
		j.log.Error("cannot sync journal segment, its last frames may not survive a loss of power", "segment", seg.id, "error", err)
	}
}
