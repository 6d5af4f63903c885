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

// Skipped is a piece of a segment that is no frame: damage, what a killed process left half written, or the place of an append that hung and was
// done anew elsewhere.
type Skipped struct {
	From, To Position // at most MaxFrame bytes: what is longer comes in several pieces
	Bytes    []byte   // what is there; valid during the call; nil where it cannot be read
}

// Reader reads the frames of a journal in order and follows those that are appended. It is for one goroutine.
type Reader struct {
	j      *Journal
	ready  chan struct{}
	onSkip func(Skipped)
	want   Position // where to go on when seg is nil
	seg    *segment
	live   *follower // reads seg while it is live
	file   *os.File  // where it is not
	scan   *scanner  // reads file
}

// Reader returns a reader of the frames from there on. Where from lies in a segment that is gone, or inside a frame, reading starts at the next
// frame there is; the zero Position is the oldest. Close it when it is no longer used.
func (j *Journal) Reader(from Position) (*Reader, error) {
	if j.ended.Load() {
		return nil, ErrClosed
	}
	r := &Reader{j: j, want: from, ready: make(chan struct{}, 1)}
	j.readersMu.Lock()
	defer j.readersMu.Unlock()
	j.readers = append(j.readers, r)
	return r, nil
}

// OnSkip sets what is called, within TryNext, for every piece that is no frame, before the frame behind it is returned.
func (r *Reader) OnSkip(f func(Skipped)) { r.onSkip = f }

// Ready returns a channel that can be received from when TryNext may find something again. It is meant for a select; a spurious wake-up is possible.
func (r *Reader) Ready() <-chan struct{} { return r.ready }

// TryNext returns the next frame if there is one. Where ok is false, every frame whose Append returned before the call was read. It does not wait for
// frames, but for appends that have begun: at most Config.HoleWait for each that hangs. It returns io.EOF when the journal is closed and everything is read. Another error is
// of the file; the reader stays where it is, and the call may be tried again.
func (r *Reader) TryNext() (f Frame, ok bool, err error) {
	if f, ok, err = r.step(); ok || err != nil {
		return f, ok, err
	}
	// Say that we sleep first and look again then: an append either sees the flag or is seen by us. It is the same with Close.
	r.j.asleep.Store(true)
	ended := r.j.ended.Load()
	if f, ok, err = r.step(); !ok && err == nil && ended {
		err = io.EOF
	}
	return f, ok, err
}

// Position returns where the next frame starts at the earliest. Behind the last frame of a sealed segment that is the start of the next segment, if there is one.
func (r *Reader) Position() Position {
	switch {
	case r.live != nil:
		return Position{Segment: r.seg.id, Offset: max(r.live.offset, r.live.from)}
	case r.scan != nil:
		return Position{Segment: r.seg.id, Offset: r.scan.offset}
	}
	return r.want
}

// step returns the next frame that can be read now, going on to later segments.
func (r *Reader) step() (Frame, bool, error) {
	for {
		if r.seg == nil {
			if ok, err := r.enter(); !ok || err != nil {
				return Frame{}, false, err
			}
		}
		f, ok, sealed, err := r.next()
		if err != nil {
			return Frame{}, false, fmt.Errorf("cannot read segment %d: %w", r.seg.id, err)
		}
		if ok || !sealed || !r.j.hasAfter(r.seg.id) {
			return f, ok, nil
		}
		r.leave()
	}
}

// next returns the next frame of r.seg. Without one, sealed says whether there will be none.
func (r *Reader) next() (f Frame, ok, sealed bool, err error) {
	if r.live != nil && (!r.seg.finished.Load() || !r.asFile()) {
		f, ok, err = r.live.next()
		if err == nil {
			return f, ok, r.live.sealed, nil
		}
		if r.j.fault(r.seg, err); !r.seg.drained() || !r.asFile() {
			return Frame{}, false, false, err
		}
	}
	f, ok, err = r.scan.next(r.seg.end.Load())
	if !ok && err == nil {
		r.scan.end()
	}
	return f, ok, true, err
}

// asFile goes on in the file of a segment that no producer is in, and lets the mapping go. It returns false where the file was released meanwhile: the
// mapping is as good.
func (r *Reader) asFile() bool {
	if r.open(max(r.live.offset, r.live.from)) != nil {
		return false
	}
	r.scan.gap = min(r.scan.gap, max(r.live.gap, boundary(r.live.from)))
	r.seg.unpin(r.j.disk)
	r.live = nil
	return true
}

// enter goes to the first segment at or behind r.want.
func (r *Reader) enter() (bool, error) {
	seg := r.j.first(r.want.Segment)
	if seg == nil {
		return false, nil
	}
	from := int64(headerBytes)
	if seg.id == r.want.Segment {
		from = r.want.Offset
	}
	r.seg = seg
	if seg.pin() {
		r.live = newFollower(r.j, seg, from)
		r.live.skipped = r.skip
		return true, nil
	}
	err := r.open(from)
	if err == nil {
		return true, nil
	}
	r.seg = nil
	if errors.Is(err, os.ErrNotExist) && r.j.hasAfter(seg.id) { // Released meanwhile, or removed by hand.
		r.want = Position{Segment: seg.id + 1}
		return r.enter()
	}
	return false, fmt.Errorf("cannot read segment %d: %w", seg.id, err)
}

// open opens the file of r.seg to read on from there.
func (r *Reader) open(from int64) error {
	f, err := os.Open(r.seg.path)
	if err != nil {
		return err
	}
	r.file, r.scan = f, newScanner(f, r.seg)
	r.scan.seek(from)
	r.scan.skipped = r.skip
	return nil
}

func (r *Reader) leave() {
	r.want = Position{Segment: r.seg.id + 1}
	if r.live != nil {
		r.seg.unpin(r.j.disk)
	} else {
		_ = r.file.Close() // It was only read.
	}
	r.seg, r.live, r.file, r.scan = nil, nil, nil, nil
}

// skip counts bytes of r.seg that are no frame, and shows them.
func (r *Reader) skip(from, to int64) {
	r.j.counter.skipped.Add(uint64(to - from))
	r.j.log.Warn("journal has bytes that are no frame, they were skipped", "segment", r.seg.id, "offset", from, "bytes", to-from)
	if r.onSkip == nil {
		return
	}
	b := make([]byte, min(to-from, MaxFrame))
	for ; from < to; from += int64(len(b)) {
		b = b[:min(to-from, MaxFrame)]
		s := Skipped{From: Position{r.seg.id, from}, To: Position{r.seg.id, from + int64(len(b))}, Bytes: b}
		var err error
		if r.live != nil {
			err = r.live.bytes(b, from)
		} else {
			err = readFull(r.file, r.seg, b, from)
		}
		if err != nil {
			s.Bytes = nil
		}
		r.onSkip(s)
	}
}

// Close ends the reader. It does not close the journal.
func (r *Reader) Close() {
	if r.seg != nil {
		r.leave()
	}
	r.j.readersMu.Lock()
	defer r.j.readersMu.Unlock()
	r.j.readers = slices.DeleteFunc(r.j.readers, func(x *Reader) bool { return x == r })
}

// wake tells every reader to look again.
func (j *Journal) wake() {
	j.readersMu.Lock()
	defer j.readersMu.Unlock()
	for _, r := range j.readers {
		select {
		case r.ready <- struct{}{}:
		default:
		}
	}
}
