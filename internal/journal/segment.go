package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// segment is one file. Those that this process made are mapped and written to (live.go); those of earlier processes are only read.
type segment struct {
	id      uint64
	nonce   uint64
	seed    uint32 // checksum of the nonce
	created int64  // unix seconds
	path    string
	bad     error // why its header cannot be read; it has no frames then

	size     atomic.Int64 // bytes of the file
	finished atomic.Bool  // nobody writes to it any more, what it holds was synced or cannot be, and it is read as a file

	live

	syncMu      sync.Mutex    // guards what follows; it is held while the disk works
	file        *os.File      // nil once finished and for segments of earlier processes
	syncs       atomic.Uint64 // how many syncs were begun; changed under syncMu
	synced      int64         // up to where the file is durable
	syncedCount uint64        // units that were published when the last sync began
	syncErr     error         // the first failure, which is final
	eraseErr    error         // a sync behind an Erase failed, which is final too
	failed      bool          // the failure was counted

	erasing sync.RWMutex // is held for writing while frames are replaced, and by readers while they fetch
}

func segmentPath(dir string, id uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", id, suffix))
}

// listSegments returns the ids of the segment files in dir, rising, and removes what a crash left half made.
func listSegments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var ids []uint64
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix+".tmp") {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		digits, ok := strings.CutSuffix(e.Name(), suffix)
		id, err := strconv.ParseUint(digits, 10, 64)
		if ok && err == nil && id > 0 && len(digits) == 20 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// createSegment makes a segment file of size bytes, all of them allocated, durable with its name, and mapped. With created 0 it is as old as its file.
func createSegment(d disk, dir string, id uint64, size, created int64) (*segment, error) {
	seg := &segment{id: id, nonce: newNonce(), created: created, path: segmentPath(dir, id)}
	seg.seed = seedOf(seg.nonce)

	tmp := seg.path + ".tmp"
	_ = os.Remove(tmp) // An attempt that failed may not have been able to.
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err = seg.fill(d, f, tmp, size); err != nil {
		if seg.mem != nil {
			_ = d.unmap(seg.mem)
		}
		_ = f.Close()
		_ = os.Remove(tmp)
		_ = os.Remove(seg.path)
		return nil, fmt.Errorf("cannot make segment %d: %w", id, err)
	}
	return seg, nil
}

func (s *segment) fill(d disk, f *os.File, tmp string, size int64) error {
	if err := d.allocate(f, size); err != nil {
		return err
	}
	if s.created == 0 {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		s.created = info.ModTime().Unix()
	}
	if _, err := d.writeAt(f, encodeHeader(header{s.id, s.nonce, size, s.created}), 0); err != nil {
		return err
	}
	if err := d.sync(f); err != nil {
		return err
	}
	// It is mapped under its old name, so that nobody finds a file by the new one that then cannot be used.
	mem, err := d.mapFile(f, size)
	if err != nil {
		return err
	}
	s.mem = mem
	if err := os.Rename(tmp, s.path); err != nil {
		return err
	}
	if err := d.syncDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	s.file, s.synced = f, headerBytes
	s.size.Store(size)
	s.limit = size &^ (align - 1)
	s.tail.Store(headerBytes)
	return nil
}

// openSegment opens a segment of an earlier process for reading. A segment whose header is lost is returned with its field bad.
func openSegment(dir string, id uint64) (*segment, error) {
	seg := &segment{id: id, path: segmentPath(dir, id)}
	seg.finished.Store(true)
	f, err := os.Open(seg.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // It was only read.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	seg.setSize(info.Size())
	seg.created = info.ModTime().Unix()

	b := make([]byte, headerBytes)
	if _, err := f.ReadAt(b, 0); err != nil && info.Size() >= headerBytes {
		seg.bad = err
		return seg, nil
	}
	h, err := decodeHeader(b, id)
	if errors.Is(err, ErrVersion) {
		return nil, fmt.Errorf("cannot read %s: %w", seg.path, err)
	}
	if err != nil {
		seg.bad = err
		return seg, nil
	}
	seg.nonce, seg.seed = h.nonce, seedOf(h.nonce)
	if h.created != 0 {
		seg.created = h.created
	}
	_ = seg.trim() // Without it the file takes more space; what cannot be read, the reader comes to.
	return seg, nil
}

// readable says whether the nonce is known, without which nothing in the segment verifies.
func (s *segment) readable() bool { return s.bad == nil }

// setSize notes the size of the file of a segment that is not live.
func (s *segment) setSize(size int64) {
	s.size.Store(size)
	s.end.Store(max(size&^(align-1), headerBytes))
}

// trim gives the zeros at the end of a segment of an earlier process back to the disk: that process was killed before it could.
// It keeps every frame and every byte that is not zero.
func (s *segment) trim() error {
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // Losing the cut costs space, not frames.
	last := make([]byte, align)
	if _, err := f.ReadAt(last, s.size.Load()-align); err != nil || !isZero(last) {
		return err // It is full, as most are.
	}
	sc := newScanner(f, s)
	end := int64(headerBytes)
	for {
		frame, ok, err := sc.next(s.end.Load())
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		end = frame.End.Offset
	}
	if end = max(end, sc.lastByte); end >= s.size.Load() {
		return nil
	}
	if err := f.Truncate(end); err != nil {
		return err
	}
	s.setSize(end)
	return nil
}

// head returns where the next frame would go.
func (s *segment) head() int64 {
	if !s.wasLive() {
		return s.end.Load()
	}
	at, _ := s.claimed()
	return at
}

// isZero says whether b holds nothing but zeros.
func isZero(b []byte) bool {
	return len(bytes.TrimLeft(b, "\x00")) == 0
}
