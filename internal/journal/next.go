package journal

import (
	"context"
	"fmt"
	"os"
)

// The next segment is made by a goroutine of its own while the active one is filled, so that a producer who finds that one full only has to take it.
// Lock order: making, then mu. Neither mu nor anything that producers wait for is held while the disk works.

// turn makes the next segment the active one instead of full, or of none, unless somebody did. Then the caller may try again.
func (j *Journal) turn(full *segment) error {
	if done, err := j.take(full); done {
		return err
	}
	// The goroutine did not get so far, or there was no room and now there may be.
	j.counter.stalls.Add(1)
	j.making.Lock()
	defer j.making.Unlock()
	if done, err := j.take(nil); done {
		return err
	}
	if full := j.blocked.Load(); full != nil {
		return *full
	}
	if err := j.makeNext(); err != nil {
		return err
	}
	_, err := j.take(nil)
	return err
}

// take is turn as far as there is a next segment; otherwise done is false.
func (j *Journal) take(full *segment) (done bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.active.Load() != full {
		return true, nil
	}
	if full != nil {
		j.sealed = append(j.sealed, full)
		j.active.Store(nil)
	}
	if j.closed {
		return true, ErrClosed
	}
	if j.next == nil {
		return false, nil
	}
	j.segments = append(j.segments, j.next)
	j.lastID = j.next.id
	j.active.Store(j.next)
	j.next = nil
	j.pokeMaker()
	return true, nil
}

// pokeMaker sees that there will be a next segment.
func (j *Journal) pokeMaker() {
	select {
	case j.wanted <- struct{}{}:
	default:
	}
}

// maker makes the next segment whenever there is none.
func (j *Journal) maker(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.wanted:
			j.making.Lock()
			_ = j.makeNext() // It is logged there, and what Append returns.
			j.making.Unlock()
		}
	}
}

// makeNext makes the next segment if there is none. After a failure Append is refused without another try until the background or Release asks for one,
// because it is called for every event. The caller holds j.making.
func (j *Journal) makeNext() error {
	j.mu.Lock()
	closed, there, id := j.closed, j.next != nil, j.lastID+1
	j.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if there {
		return nil
	}
	seg, err := j.create(id)
	if err != nil {
		j.blocked.Store(&err)
		if !j.refusing {
			j.refusing = true
			j.log.Error("journal has no room, events are refused when the segment that is there is full", "quota_bytes", j.cfg.QuotaBytes, "error", err)
		}
		return err
	}
	j.refusing = false
	j.mu.Lock()
	if closed = j.closed; !closed {
		j.next = seg
		j.blocked.Store(nil)
	}
	j.mu.Unlock()
	if closed {
		j.discard(seg)
		return ErrClosed
	}
	return nil
}

// create makes a segment where there is room for it. Every error is an ErrFull.
func (j *Journal) create(id uint64) (*segment, error) {
	if err := j.room(); err != nil {
		return nil, err
	}
	var created int64
	if j.cfg.Now != nil {
		created = j.cfg.Now().Unix()
	}
	seg, err := createSegment(j.disk, j.cfg.Dir, id, j.cfg.SegmentBytes, created)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFull, err)
	}
	return seg, nil
}

// room returns nil where one more segment may be made.
func (j *Journal) room() error {
	if j.quotaUsed() {
		return ErrFull
	}
	if err := j.lookAtDisk(); err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return nil
}

// quotaUsed says whether the quota has no room for one more segment.
func (j *Journal) quotaUsed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	used := j.cfg.SegmentBytes
	for _, seg := range j.segments {
		used += seg.size.Load()
	}
	if j.next != nil {
		used += j.next.size.Load()
	}
	return used > j.cfg.QuotaBytes
}

// lookAtDisk returns an error, and notes for Pressed, where one more segment would leave less of the disk free than is to be kept.
func (j *Journal) lookAtDisk() error {
	free, total, err := j.disk.space(j.cfg.Dir)
	if err != nil {
		return err
	}
	keep := j.cfg.MinFree
	if keep == 0 {
		keep = min(defaultMinFree, total/8)
	}
	scarce := free-j.cfg.SegmentBytes < keep
	if j.scarce.Store(scarce); scarce {
		return fmt.Errorf("the disk has %d bytes left", free)
	}
	return nil
}

// Pressed says whether the quota, or the free space of the disk, has no room for one more segment besides those there are. About the disk it is as
// late as Config.Interval.
func (j *Journal) Pressed() bool { return j.scarce.Load() || j.quotaUsed() }

// discard removes a segment that was never the active one.
func (j *Journal) discard(seg *segment) {
	seg.finished.Store(true)
	seg.unmap(j.disk)
	_ = seg.file.Close() // Nothing was written to it.
	_ = os.Remove(seg.path)
}
