package journal

import (
	"encoding/binary"
	"errors"
	"io"
)

// windowBytes is how much of a segment is read at once. It is several times MaxFrame, so that a scan over rubbish moves on by most of it each time.
const windowBytes = 4 * MaxFrame

// scanner finds the frames of one segment file.
type scanner struct {
	file   io.ReaderAt
	seed   uint32
	nonce  uint64
	offset int64 // the next boundary to look at

	base   int64  // offset of the window's first byte
	window []byte // what was read of the file
	buf    []byte // the room of window

	gap      int64 // where the bytes that are no frame began; offset where there are none
	lastByte int64 // behind the last boundary that was no frame and not zeros; what is skipped in vain ends here
	skipped  int64 // bytes that were no frame, and were not only zeros up to the end

	place [12]byte
}

func newScanner(f io.ReaderAt, seed uint32, nonce uint64) *scanner {
	return &scanner{file: f, seed: seed, nonce: nonce, offset: headerBytes, gap: headerBytes}
}

// seek goes to the first boundary at or behind offset.
func (s *scanner) seek(offset int64) {
	s.offset = max(headerBytes, (offset+align-1)&^(align-1))
	s.gap = s.offset
}

// next returns the next frame that verifies and ends at or before limit. Without one, ok is false and everything up to limit was looked
// at: the scanner goes on behind it when limit has grown.
func (s *scanner) next(id uint64, limit int64) (f Frame, ok bool, err error) {
	for s.offset+align <= limit {
		head, err := s.bytes(s.offset, align, limit)
		if err != nil {
			return Frame{}, false, err
		}
		n := int(binary.LittleEndian.Uint32(head))
		sum := binary.LittleEndian.Uint32(head[4:])
		stop := s.offset + frameBytes(n)
		if n > 0 && n <= MaxFrame && stop <= limit {
			b, err := s.bytes(s.offset, frameHeader+n, limit)
			if err != nil {
				return Frame{}, false, err
			}
			payload := b[frameHeader : frameHeader+n : frameHeader+n]
			if checksum(s.seed, s.offset, payload, s.place[:0]) == sum {
				s.skipped += s.offset - s.gap
				f = Frame{Start: Position{id, s.offset}, End: Position{id, stop}, CRC: sum, Nonce: s.nonce, Payload: payload}
				s.offset, s.gap = stop, stop
				return f, true, nil
			}
		}
		if !isZero(head) {
			s.lastByte = s.offset + align
		}
		s.offset += align
	}
	return Frame{}, false, nil
}

// end counts the bytes that were no frame at the end of a segment. Zeros there are space that was never used.
func (s *scanner) end() {
	if s.lastByte > s.gap {
		s.skipped += s.lastByte - s.gap
		s.gap = s.lastByte
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
	got, err := s.file.ReadAt(s.window, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		s.window = nil
		return nil, err
	}
	// A file that was cut behind our back reads as zeros, which are no frame.
	clear(s.window[got:])
	return s.window[:n], nil
}
