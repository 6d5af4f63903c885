package ship

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/daysalt/daysalt/internal/journal"
)

// The first number of every record says what it is.
const (
	cutVersion   = 1
	splitVersion = 2
)

// cutBytes is the size of a record:
//
//	version  uint32, little endian, as everything that follows
//	frames   uint32: read in it
//	rows     uint32: in the insert
//	zero     uint32
//	segment  uint64
//	nonce    uint64: the segment's random number
//	from     uint64: offset in the segment, 0 for its beginning
//	to       uint64: offset behind the last frame
//	sum      12 bytes: of a SHA-256 over the offsets and checksums of its frames
//	crc      uint32: CRC-32C of the 60 bytes before
//
// That of a split, which comes behind its cut, has zeros for frames and rows, the bounds of the part that was refused for from and to, and for the sum the
// offset where the second half begins, as uint64, and 4 zeros; an offset of 0 says that the one row of the part was put into the quarantine.
const cutBytes = 64

// castagnoli is never written to after it was made.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cut is a piece of one segment that is stored by one insert.
type cut struct {
	Segment      uint64
	Nonce        uint64
	From, To     int64
	Frames, Rows uint32
	Sum          [12]byte
	summed       bool // Sum is known; false in a cut that was inferred
}

// token returns the deduplication token of the cut's insert.
func (c cut) token() string {
	b := make([]byte, 0, 96)
	b = append(b, "daysalt-"...)
	b = strconv.AppendUint(b, c.Segment, 10)
	b = append(b, '-')
	b = strconv.AppendUint(b, c.Nonce, 16)
	b = append(b, '-')
	b = strconv.AppendInt(b, c.From, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, c.To, 10)
	b = append(b, '-')
	return string(hex.AppendEncode(b, c.Sum[:]))
}

func (c cut) append(dst []byte) []byte {
	n := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, cutVersion)
	dst = binary.LittleEndian.AppendUint32(dst, c.Frames)
	dst = binary.LittleEndian.AppendUint32(dst, c.Rows)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, c.Segment)
	dst = binary.LittleEndian.AppendUint64(dst, c.Nonce)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.From))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.To))
	dst = append(dst, c.Sum[:]...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[n:], castagnoli))
}

// split is what was decided of a part that was refused.
type split struct {
	part
	Mid int64 // where the second half begins; 0: it is one row, which is in the quarantine
}

func (sp *split) append(dst []byte) []byte {
	n := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, splitVersion)
	dst = append(dst, make([]byte, 12)...)
	dst = binary.LittleEndian.AppendUint64(dst, sp.Segment)
	dst = binary.LittleEndian.AppendUint64(dst, sp.Nonce)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(sp.From))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(sp.To))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(sp.Mid))
	dst = append(dst, make([]byte, 4)...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[n:], castagnoli))
}

// sound says whether a record is not damaged.
func sound(b []byte) bool {
	return crc32.Checksum(b[:cutBytes-4], castagnoli) == binary.LittleEndian.Uint32(b[cutBytes-4:])
}

func decodeSplit(b []byte) split {
	return split{
		part{
			Segment: binary.LittleEndian.Uint64(b[16:]), Nonce: binary.LittleEndian.Uint64(b[24:]),
			From: int64(binary.LittleEndian.Uint64(b[32:])), To: int64(binary.LittleEndian.Uint64(b[40:])),
		},
		int64(binary.LittleEndian.Uint64(b[48:])),
	}
}

// decodeCut reads the record of a cut.
func decodeCut(b []byte) cut {
	c := cut{
		Frames:  binary.LittleEndian.Uint32(b[4:]),
		Rows:    binary.LittleEndian.Uint32(b[8:]),
		Segment: binary.LittleEndian.Uint64(b[16:]),
		Nonce:   binary.LittleEndian.Uint64(b[24:]),
		From:    int64(binary.LittleEndian.Uint64(b[32:])),
		To:      int64(binary.LittleEndian.Uint64(b[40:])),
		summed:  true,
	}
	copy(c.Sum[:], b[48:])
	return c
}

// cutFile holds the cuts and splits of all segments that are still in the journal, in memory and in a file of records that is appended to.
type cutFile struct {
	dir    string
	file   *os.File // nil: the whole file has to be written anew
	size   int64    // of what is in the file, in bytes
	all    []cut    // recorded, in the order of the file
	splits []split  // recorded, in the order of the file
	mids   map[part]int64
	bad    int // damaged records found

	ahead []cut // those that were recorded before and those inferred, by segment and offset, that a reader has not passed
}

func cutPath(dir string) string { return filepath.Join(dir, "cuts") }

// openCuts reads the cuts of the segments that nonce knows, and forgets the others. Cuts follow each other without a gap, so what lies between two of them, or
// before the first, was a cut whose record was lost.
func openCuts(dir string, nonce func(segment uint64) (uint64, bool)) (*cutFile, error) {
	b, err := os.ReadFile(cutPath(dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := parseCuts(b, nonce)
	if err != nil {
		return nil, err
	}
	f.dir = dir
	if err := f.rewrite(); err != nil {
		return nil, err
	}
	return f, nil
}

func parseCuts(b []byte, nonce func(segment uint64) (uint64, bool)) (*cutFile, error) {
	f := &cutFile{mids: map[part]int64{}}
	for ; len(b) >= cutBytes; b = b[cutBytes:] {
		if !sound(b) {
			f.bad++
			continue
		}
		switch version := binary.LittleEndian.Uint32(b); version {
		case cutVersion:
			c := decodeCut(b)
			if n, known := nonce(c.Segment); known && n == c.Nonce {
				f.all = append(f.all, c)
			}
		case splitVersion:
			sp := decodeSplit(b)
			if n, known := nonce(sp.Segment); known && n == sp.Nonce {
				f.addSplit(sp)
			}
		default:
			return nil, fmt.Errorf("file of cuts has records of version %d, this one knows %d and %d", version, cutVersion, splitVersion)
		}
	}
	f.rewind()
	return f, nil
}

// rewind makes f.ahead of f.all, with a cut for every gap, and drops records that cannot be. A reader may begin anywhere then.
func (f *cutFile) rewind() {
	var before cut
	slices.SortFunc(f.all, compareCuts)
	kept := f.all[:0]
	f.ahead = nil
	for _, c := range f.all {
		if c.Segment != before.Segment {
			before = cut{Segment: c.Segment, Nonce: c.Nonce}
		}
		if c.From < before.To || c.To <= c.From {
			f.bad++
			continue
		}
		if c.From > before.To {
			f.ahead = append(f.ahead, cut{Segment: c.Segment, Nonce: c.Nonce, From: before.To, To: c.From})
		}
		f.ahead = append(f.ahead, c)
		kept = append(kept, c)
		before = c
	}
	f.all = kept
}

func compareCuts(a, b cut) int {
	return cmp.Or(cmp.Compare(a.Segment, b.Segment), cmp.Compare(a.From, b.From))
}

// find returns the recorded cut that a frame is in, if it was recorded before the reader came to it.
func (f *cutFile) find(fr *journal.Frame) (cut, bool) {
	// Frames come in order: what ends before this one is not asked for again.
	for len(f.ahead) > 0 && f.ahead[0].endsBefore(fr) {
		f.ahead = f.ahead[1:]
	}
	if len(f.ahead) == 0 {
		return cut{}, false
	}
	c := f.ahead[0]
	return c, c.Segment == fr.Start.Segment && c.Nonce == fr.Nonce && c.From <= fr.Start.Offset
}

func (c cut) endsBefore(fr *journal.Frame) bool {
	return c.Segment < fr.Start.Segment || c.Segment == fr.Start.Segment && c.To <= fr.Start.Offset
}

// record makes a cut durable. It may be called again after an error.
func (f *cutFile) record(c cut) error {
	if n := len(f.all); n == 0 || f.all[n-1] != c {
		f.all = append(f.all, c)
	}
	if err := f.write(c.append(nil)); err != nil {
		return fmt.Errorf("cannot record cut: %w", err)
	}
	return nil
}

// recordSplit makes a split durable. It may be called again after an error.
func (f *cutFile) recordSplit(sp split) error {
	f.addSplit(sp)
	if err := f.write(sp.append(nil)); err != nil {
		return fmt.Errorf("cannot record split: %w", err)
	}
	return nil
}

func (f *cutFile) addSplit(sp split) {
	if _, ok := f.mids[sp.part]; !ok {
		f.mids[sp.part] = sp.Mid
		f.splits = append(f.splits, sp)
	}
}

// divided returns what was decided of a part that was refused.
func (f *cutFile) divided(p part) (mid int64, ok bool) {
	mid, ok = f.mids[p]
	return mid, ok
}

// write makes a record durable that is in memory already.
func (f *cutFile) write(record []byte) error {
	if f.file == nil {
		return f.rewrite()
	}
	_, err := f.file.WriteAt(record, f.size)
	if err == nil {
		err = f.file.Sync()
	}
	if err != nil {
		// A sync that failed is not tried again on the same file: what it lost is not known.
		_ = f.close()
		return err
	}
	f.size += int64(len(record))
	return nil
}

// end returns where the last recorded cut ends; the zero Position where there is none.
func (f *cutFile) end() (last journal.Position) {
	for _, c := range f.all {
		last = later(last, journal.Position{Segment: c.Segment, Offset: c.To})
	}
	return last
}

// release forgets the cuts of segments before this one.
func (f *cutFile) release(segment uint64) error {
	n := len(f.all) + len(f.splits)
	f.all = slices.DeleteFunc(f.all, func(c cut) bool { return c.Segment < segment })
	f.splits = slices.DeleteFunc(f.splits, func(sp split) bool {
		if sp.Segment < segment {
			delete(f.mids, sp.part)
		}
		return sp.Segment < segment
	})
	if len(f.all)+len(f.splits) == n {
		return nil
	}
	return f.rewrite()
}

// rewrite replaces the file by one that holds all cuts, and keeps it open.
func (f *cutFile) rewrite() error {
	_ = f.close() // Everything in it was synced, or is written anew.
	var b []byte
	for _, c := range f.all {
		b = c.append(b)
	}
	for i := range f.splits {
		b = f.splits[i].append(b)
	}
	if err := writeFile(cutPath(f.dir), b); err != nil {
		return fmt.Errorf("cannot write file of cuts: %w", err)
	}
	file, err := os.OpenFile(cutPath(f.dir), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot write file of cuts: %w", err)
	}
	f.file, f.size = file, int64(len(b))
	return nil
}

// close closes the file, if it is open; the next record writes it anew.
func (f *cutFile) close() error {
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file = nil
	return file.Close()
}
