package journal

import (
	"errors"
	"fmt"
)

// maxFaults is how many segments an Append goes through that fail under it before it returns an error.
const maxFaults = 3

// Append writes one frame behind all others. When it returns nil the frame survives kill -9 of this process, and with Always a loss of power too.
// It keeps nothing of frame. It takes no lock, calls no kernel and waits for nobody, but where no next segment is ready, and with Always.
//
// It returns ErrFull where the quota or the disk has no room for another segment, ErrTooLarge for an empty frame and for one longer than
// MaxFrame or than a segment, and ErrClosed after Close. Behind any error the frame may still be found by the reader.
func (j *Journal) Append(frame []byte) error {
	if len(frame) == 0 || len(frame) > j.maxFrame {
		return ErrTooLarge
	}
	n := frameBytes(len(frame))
	for faults := 0; ; {
		seg := j.active.Load()
		if seg == nil {
			if err := j.noSegment(); err != nil {
				return j.refuse(err)
			}
			continue
		}
		end := seg.tail.Add(n)
		start := end - n
		if end > seg.limit {
			if start <= seg.limit {
				seg.end.Store(start)
			}
			if err := j.turn(seg); err != nil {
				return j.refuse(err)
			}
			continue
		}
		if j.claimed != nil {
			j.claimed(seg, start)
		}
		ok, err := seg.put(start, frame)
		if ok && err == nil {
			seg.published.Add(left(n) + frameUnit)
			return j.appended(seg, end)
		}
		seg.published.Add(left(n))
		if err == nil {
			j.counter.abandoned.Add(1)
			continue
		}
		j.fault(seg, err)
		if faults++; faults == maxFaults {
			return fmt.Errorf("cannot append frame: %w", err)
		}
	}
}

// appended does what is to be done behind the publication of a frame that ends there.
func (j *Journal) appended(seg *segment, end int64) error {
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

// noSegment is Append without an active segment: the first since Open, or behind a full one.
func (j *Journal) noSegment() error {
	if j.ended.Load() {
		return ErrClosed
	}
	if full := j.blocked.Load(); full != nil {
		return *full
	}
	return j.turn(nil)
}

// refuse counts an Append for which there is no segment.
func (j *Journal) refuse(err error) error {
	if !errors.Is(err, ErrClosed) {
		j.counter.refused.Add(1)
	}
	return err
}

// fault ends a segment whose memory could not be written to: what is on the disk there is unknown.
func (j *Journal) fault(seg *segment, err error) {
	j.counter.writeErrors.Add(1)
	j.log.Error("cannot write to journal segment, it is not used any further", "segment", seg.id, "error", err)
	seg.seal()
	_ = j.turn(seg) // Who appends next sees the same.
}
