package journal

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// A segment file is named by its id in 20 digits, with the ending below. It starts with a header of 1024 bytes: two copies of the same record, at
// offsets 0 and 512, so that one bad sector does not cost the nonce and with it every frame. A record is
//
//	magic    8 bytes
//	version  uint32, little endian, as everything that follows
//	zero     uint32
//	id       uint64: the one in the name
//	nonce    uint64: random, part of every frame's checksum
//	size     uint64: bytes of the file when it was made
//	crc      uint32: CRC-32C of the 40 bytes before
//
// A file may be shorter than its size: what nobody wrote to was given back.
const (
	formatVersion = 1
	headerBytes   = 1024
	headerCopy    = 512
	recordBytes   = 44
	suffix        = ".seg"
	magic         = "daysaltJ"
)

// segment is one file. The journal's lock guards what says nothing else.
type segment struct {
	id    uint64
	nonce uint64
	seed  uint32 // checksum of the nonce
	path  string
	bad   error // why its header cannot be read; it has no frames then

	size   atomic.Int64 // bytes of the file
	end    atomic.Int64 // behind the last frame; for a segment of an earlier process, the end of the file
	sealed atomic.Bool  // end does not move any more

	failed bool // a sync failed, and was counted

	syncMu  sync.Mutex // guards what follows
	file    *os.File   // for writing; nil once finished and for segments of earlier processes
	synced  int64      // up to where the file is durable
	syncErr error      // the first failure, which is final
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

// createSegment makes a segment file of size bytes, all of them allocated, and durable with its name.
func createSegment(d disk, dir string, id uint64, size int64) (*segment, error) {
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // It never fails: the runtime ends the process first.
	seg := &segment{id: id, nonce: binary.LittleEndian.Uint64(nonce[:]), path: segmentPath(dir, id)}
	seg.seed = seedOf(seg.nonce)

	tmp := seg.path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	err = d.allocate(f, size)
	if err == nil {
		_, err = d.writeAt(f, encodeHeader(seg.id, seg.nonce, size), 0)
	}
	if err == nil {
		err = d.sync(f)
	}
	if err == nil {
		err = os.Rename(tmp, seg.path)
	}
	if err == nil {
		err = d.syncDir(dir)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(tmp)
		_ = os.Remove(seg.path)
		return nil, fmt.Errorf("cannot make segment %d: %w", id, err)
	}
	seg.file = f
	seg.size.Store(size)
	seg.end.Store(headerBytes)
	seg.synced = headerBytes
	return seg, nil
}

func encodeHeader(id, nonce uint64, size int64) []byte {
	rec := append(make([]byte, 0, recordBytes), magic...)
	rec = binary.LittleEndian.AppendUint32(rec, formatVersion)
	rec = binary.LittleEndian.AppendUint32(rec, 0)
	rec = binary.LittleEndian.AppendUint64(rec, id)
	rec = binary.LittleEndian.AppendUint64(rec, nonce)
	rec = binary.LittleEndian.AppendUint64(rec, uint64(size))
	rec = binary.LittleEndian.AppendUint32(rec, crc32.Checksum(rec, castagnoli))
	header := make([]byte, headerBytes)
	copy(header, rec)
	copy(header[headerCopy:], rec)
	return header
}

// openSegment opens a segment of an earlier process for reading. A segment whose header is lost is returned with its field bad.
func openSegment(dir string, id uint64) (*segment, error) {
	seg := &segment{id: id, path: segmentPath(dir, id)}
	seg.sealed.Store(true)
	f, err := os.Open(seg.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // It was only read.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	seg.size.Store(info.Size())
	seg.end.Store(max(info.Size()&^(align-1), headerBytes))

	header := make([]byte, headerBytes)
	if _, err := f.ReadAt(header, 0); err != nil && info.Size() >= headerBytes {
		return nil, err
	}
	for _, rec := range [][]byte{header[:recordBytes], header[headerCopy:][:recordBytes]} {
		if seg.nonce, err = decodeRecord(rec, id); err == nil {
			seg.seed, seg.bad = seedOf(seg.nonce), nil
			return seg, nil
		}
		if errors.Is(err, ErrVersion) {
			return nil, fmt.Errorf("cannot read %s: %w", seg.path, err)
		}
		seg.bad = err
	}
	return seg, nil
}

// decodeRecord returns the nonce in one copy of the header.
func decodeRecord(rec []byte, id uint64) (nonce uint64, err error) {
	sum := binary.LittleEndian.Uint32(rec[recordBytes-4:])
	switch {
	case string(rec[:len(magic)]) != magic:
		return 0, errors.New("it does not start like a segment")
	case crc32.Checksum(rec[:recordBytes-4], castagnoli) != sum:
		return 0, errors.New("the header's checksum is wrong")
	}
	if v := binary.LittleEndian.Uint32(rec[8:]); v != formatVersion {
		return 0, fmt.Errorf("%w: format %d, this one knows %d", ErrVersion, v, formatVersion)
	}
	if got := binary.LittleEndian.Uint64(rec[16:]); got != id {
		return 0, fmt.Errorf("it is segment %d under another name", got)
	}
	return binary.LittleEndian.Uint64(rec[24:]), nil
}

// trim gives the zeros at the end of a segment of an earlier process back to the disk: that process was killed before it could.
// It keeps every frame and every byte that is not zero.
func (s *segment) trim() error {
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // Losing the cut costs space, not frames.
	sc := newScanner(f, s.seed, s.nonce)
	end := int64(headerBytes)
	for {
		frame, ok, err := sc.next(s.id, s.end.Load())
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		end = frame.End.Offset
	}
	end = max(end, sc.lastByte)
	if end >= s.size.Load() {
		return nil
	}
	if err := f.Truncate(end); err != nil {
		return err
	}
	s.size.Store(end)
	s.end.Store(end)
	return nil
}

// sync makes the segment durable up to there, unless it is. Its first failure is what it returns ever after.
func (s *segment) sync(d disk, upTo int64) error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if s.synced >= upTo || s.syncErr != nil {
		return s.syncErr
	}
	end := s.end.Load()
	var err error
	if s.file != nil {
		err = d.sync(s.file)
	} else {
		err = s.syncEarlier(d)
	}
	if err != nil {
		s.syncErr = err
		return err
	}
	s.synced = end
	return nil
}

// finish syncs a sealed segment, cuts it behind its last frame and closes it.
func (s *segment) finish(d disk) error {
	err := s.sync(d, s.end.Load())
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if terr := s.file.Truncate(s.end.Load()); terr == nil {
		s.size.Store(s.end.Load())
	}
	_ = s.file.Close() // A sync error is what counts, and it is known.
	s.file = nil
	return err
}

// isZero says whether b holds nothing but zeros.
func isZero(b []byte) bool {
	return len(bytes.TrimLeft(b, "\x00")) == 0
}
