package journal

import (
	"encoding/binary"
	"errors"
	"io"
)

// windowBytes is how much of a segment is read at once. It is several times MaxFrame, so that a scan over rubbish moves on by most of it each time.
const windowBytes = 4 * MaxFrame

// scanner finds the frames of one segment file that nobody appends to.
type scanner struct {
	file   io.ReaderAt
	seg    *segment
	offset int64 // the next boundary to look at

	base   int64  // offset of the window's first byte
	window []byte // what was read of the file
	buf    []byte // the room of window

	gap      int64 // where the bytes that are no frame began; offset where there are none
	lastByte int64 // behind the last boundary that was no frame and not zeros; what is skipped in vain ends here

	skipped func(from, to int64) // is told of the bytes that are no frame, and are not only zeros up to the end; may be nil
}

func newScanner(f io.ReaderAt, seg *segment) *scanner {
	return &scanner{file: f, seg: seg, offset: headerBytes, gap: headerBytes}
}

// seek goes to the first boundary at or behind offset.
func (s *scanner) seek(offset int64) {
	s.offset = boundary(offset)
	s.gap = s.offset
}

// boundary returns the first place at or behind offset where a frame may start.
func boundary(offset int64) int64 {
	return max(headerBytes, (offset+align-1)&^(align-1))
}

// next returns the next frame that verifies and ends at or before limit. Without one, ok is false and everything up to limit was looked at.
func (s *scanner) next(limit int64) (f Frame, ok bool, err error) {
	for s.offset+align <= limit {
		head, err := s.bytes(s.offset, align, limit)
		if err != nil {
			return Frame{}, false, err
		}
		if !isZero(head) {
			if f, ok, err := s.frame(head, limit); ok || err != nil {
				return f, ok, err
			}
			s.lastByte = s.offset + align
		}
		s.offset += align
	}
	return Frame{}, false, nil
}

// frame returns the frame that begins at s.offset with head, if one does, and goes behind it.
func (s *scanner) frame(head []byte, limit int64) (f Frame, ok bool, err error) {
	n := int(binary.LittleEndian.Uint32(head))
	stop := s.offset + frameBytes(n)
	if n == 0 || n > MaxFrame || stop > limit || !s.seg.readable() {
		return Frame{}, false, nil
	}
	b, err := s.bytes(s.offset, frameHeader+n, limit)
	if err != nil {
		return Frame{}, false, err
	}
	payload := b[frameHeader : frameHeader+n : frameHeader+n]
	// The frame may have been erased since head was read: its length is the same, its checksum is not.
	sum := binary.LittleEndian.Uint32(b[4:])
	if checksum(s.seg.seed, s.offset, payload) != sum {
		return Frame{}, false, nil
	}
	s.skip(s.offset)
	f = Frame{Start: Position{s.seg.id, s.offset}, End: Position{s.seg.id, stop}, CRC: sum, Nonce: s.seg.nonce, Payload: payload}
	s.offset, s.gap = stop, stop
	return f, true, nil
}

// end tells of the bytes that were no frame at the end of a segment. Zeros there are space that was never used.
func (s *scanner) end() {
	s.skip(s.lastByte)
	s.gap = max(s.gap, s.lastByte)
}

func (s *scanner) skip(to int64) {
	if to > s.gap && s.skipped != nil {
		s.skipped(s.gap, to)
	}
}

// bytes returns n bytes at offset, which lie before limit. They are valid until the next call.
func (s *scanner) bytes(offset int64, n int, limit int64) ([]byte, error) {
	if at := offset - s.base; at >= 0 && at+int64(n) <= int64(len(s.window)) {
		return s.window[at : at+int64(n)], nil
	}
	if s.buf == nil {
		s.buf = make([]byte, windowBytes)
	}
	s.base, s.window = offset, s.buf[:min(windowBytes, limit-offset)]
	if err := readFull(s.file, s.seg, s.window, offset); err != nil {
		s.window = nil
		return nil, err
	}
	return s.window[:n], nil
}

// readFull reads a piece of a segment's file between two erasures. A file that was cut behind our back reads as zeros, which are no frame.
func readFull(f io.ReaderAt, seg *segment, b []byte, offset int64) error {
	seg.erasing.RLock()
	defer seg.erasing.RUnlock()
	got, err := f.ReadAt(b, offset)
	clear(b[got:])
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
