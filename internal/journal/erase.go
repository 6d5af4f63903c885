package journal

import (
	"errors"
	"fmt"
	"os"
)

// ErrLive is returned for a segment that is still appended to.
var ErrLive = errors.New("segment is still appended to")

// Erase replaces, in a segment that is no longer appended to, every frame for which erase returns true by one of the same length whose payload is
// zeros; no frame moves. It is durable when Erase returns. n is how many were replaced. erase must not keep its argument, and is not asked about payloads that are
// zeros already. A frame that is replaced when the machine dies may be found as bytes that are no frame.
//
// It returns an error wrapping ErrLive for a segment that is appended to or was a moment ago, and does nothing for one that is gone or has no header. A sync that
// failed is final: the error is the same ever after.
func (j *Journal) Erase(segment uint64, erase func(payload []byte) bool) (n int, err error) {
	seg := j.first(segment)
	if seg == nil || seg.id != segment || seg.bad != nil {
		return 0, nil
	}
	if !seg.finished.Load() {
		return 0, fmt.Errorf("cannot erase frames of segment %d: %w", segment, ErrLive)
	}
	f, err := os.OpenFile(seg.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot erase frames: %w", err)
	}
	defer func() { _ = f.Close() }() // The sync says what there is to say.
	if n, err = seg.erase(j.disk, f, erase); err != nil {
		return n, fmt.Errorf("cannot erase frames: %w", err)
	}
	return n, nil
}

func (s *segment) erase(d disk, f *os.File, erase func(payload []byte) bool) (n int, err error) {
	sc := newScanner(f, s)
	for {
		fr, ok, err := sc.next(s.end.Load())
		if err != nil {
			return n, err
		}
		if !ok {
			break
		}
		if isZero(fr.Payload) || !erase(fr.Payload) {
			continue
		}
		clear(fr.Payload)
		b := appendFrame(nil, s.seed, fr.Start.Offset, fr.Payload)
		s.erasing.Lock()
		_, err = d.writeAt(f, b, fr.Start.Offset)
		s.erasing.Unlock()
		if err != nil {
			return n, err
		}
		n++
	}
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if n > 0 && s.eraseErr == nil {
		s.eraseErr = d.sync(f)
	}
	return n, s.eraseErr
}
