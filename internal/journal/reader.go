package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Frame is what one Append wrote.
type Frame struct {
	Start, End Position
	CRC        uint32 // the frame's checksum: with the offset and the nonce it stands for the content
	Nonce      uint64 // random number of the segment: a segment of the same id in another journal has another
	Payload    []byte // valid until the next call to the reader
}

// Reader reads the frames of a journal in order and follows those that are appended. It is for one goroutine.
type Reader struct {
	j     *Journal
	ready chan struct{}
	want  Position // where to go on when seg is nil
	seg   *segment
	file  *os.File
	scan  *scanner
	noted int64 // of scan.skipped, what is in the journal's count
}

// Reader returns a reader of the frames from there on. Where from lies in a segment that is gone, or inside a frame, reading starts at the next
// frame there is; the zero Position is the oldest. Close it when it is no longer used.
func (j *Journal) Reader(from Position) (*Reader, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, ErrClosed
	}
	r := &Reader{j: j, want: from, ready: make(chan struct{}, 1)}
	j.readers = append(j.readers, r)
	return r, nil
}

// Ready returns a channel that can be received from when TryNext may find something again. It is meant for a select; a spurious wake-up is possible.
func (r *Reader) Ready() <-chan struct{} { return r.ready }

// TryNext returns the next frame if there is one. It returns io.EOF when the journal is closed and everything is read. Another error is
// of the file; the reader stays where it is, and the call may be tried again.
func (r *Reader) TryNext() (f Frame, ok bool, err error) {
	if f, ok, err = r.step(); ok || err != nil {
		return f, ok, err
	}
	// Say that we sleep first and look again then: an append either sees the flag or is seen by us. It is the same with Close.
	r.j.asleep.Store(true)
	closed := r.j.isClosed()
	if f, ok, err = r.step(); !ok && err == nil && closed {
		err = io.EOF
	}
	return f, ok, err
}

// Position returns where the next frame starts at the earliest. Behind the last frame of a sealed segment that is the start of the next segment, if there is one.
func (r *Reader) Position() Position {
	if r.seg == nil {
		return r.want
	}
	return Position{Segment: r.seg.id, Offset: r.scan.offset}
}

// step returns the next frame that can be read now, going on to later segments.
func (r *Reader) step() (Frame, bool, error) {
	for {
		if r.seg == nil {
			if ok, err := r.enter(); !ok || err != nil {
				return Frame{}, false, err
			}
		}
		sealed := r.seg.sealed.Load() // Before end, which does not move after it.
		limit := r.seg.end.Load()
		f, ok, err := r.scan.next(r.seg.id, limit)
		if err != nil {
			return Frame{}, false, fmt.Errorf("cannot read segment %d: %w", r.seg.id, err)
		}
		if ok {
			r.note()
			return f, true, nil
		}
		if !sealed {
			return Frame{}, false, nil
		}
		r.scan.end()
		r.note()
		if !r.j.hasAfter(r.seg.id) {
			return Frame{}, false, nil
		}
		r.leave()
	}
}

// enter opens the first segment at or behind r.want.
func (r *Reader) enter() (bool, error) {
	seg := r.j.first(r.want.Segment)
	if seg == nil {
		return false, nil
	}
	f, err := os.Open(seg.path)
	if errors.Is(err, os.ErrNotExist) && r.j.hasAfter(seg.id) { // Released meanwhile, or removed by hand.
		r.want = Position{Segment: seg.id + 1}
		return r.enter()
	}
	if err != nil {
		return false, fmt.Errorf("cannot read segment %d: %w", seg.id, err)
	}
	r.seg, r.file, r.scan, r.noted = seg, f, newScanner(f, seg.seed, seg.nonce), 0
	if seg.id == r.want.Segment {
		r.scan.seek(r.want.Offset)
	}
	if seg.bad != nil {
		// Without its nonce nothing in it verifies.
		r.scan.lastByte = max(seg.size.Load(), r.scan.gap)
		r.scan.offset = seg.end.Load()
	}
	return true, nil
}

func (r *Reader) leave() {
	r.want = Position{Segment: r.seg.id + 1}
	_ = r.file.Close() // It was only read.
	r.seg, r.file, r.scan = nil, nil, nil
}

// note adds what was skipped to the journal's count.
func (r *Reader) note() {
	if n := r.scan.skipped - r.noted; n > 0 {
		r.j.counter.skipped.Add(uint64(n))
		r.j.log.Warn("journal has bytes that are no frame, they were skipped", "segment", r.seg.id, "offset", r.scan.offset, "bytes", n)
		r.noted = r.scan.skipped
	}
}

// Close ends the reader. It does not close the journal.
func (r *Reader) Close() {
	if r.seg != nil {
		r.leave()
	}
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	r.j.readers = slices.DeleteFunc(r.j.readers, func(x *Reader) bool { return x == r })
}

// first returns the first segment with this id or a larger one, or nil.
func (j *Journal) first(id uint64) *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, seg := range j.segments {
		if seg.id >= id {
			return seg
		}
	}
	return nil
}

// hasAfter says whether there is a segment behind the one with this id.
func (j *Journal) hasAfter(id uint64) bool {
	return j.first(id+1) != nil
}

func (j *Journal) isClosed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}

// wake tells every reader to look again.
func (j *Journal) wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.readers {
		select {
		case r.ready <- struct{}{}:
		default:
		}
	}
}
