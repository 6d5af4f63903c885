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

// cutVersion is the first number of every record of a cut.
const cutVersion = 1

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

// decodeCut reads one record. ok is false where it is damaged.
func decodeCut(b []byte) (c cut, ok bool, err error) {
	if crc32.Checksum(b[:cutBytes-4], castagnoli) != binary.LittleEndian.Uint32(b[cutBytes-4:]) {
		return cut{}, false, nil
	}
	if v := binary.LittleEndian.Uint32(b); v != cutVersion {
		return cut{}, false, fmt.Errorf("file of cuts has version %d, this one knows %d", v, cutVersion)
	}
	c = cut{
		Frames:  binary.LittleEndian.Uint32(b[4:]),
		Rows:    binary.LittleEndian.Uint32(b[8:]),
		Segment: binary.LittleEndian.Uint64(b[16:]),
		Nonce:   binary.LittleEndian.Uint64(b[24:]),
		From:    int64(binary.LittleEndian.Uint64(b[32:])),
		To:      int64(binary.LittleEndian.Uint64(b[40:])),
		summed:  true,
	}
	copy(c.Sum[:], b[48:])
	return c, true, nil
}

// cutFile holds the cuts of all segments that are still in the journal, in memory and in a file of records that is appended to.
type cutFile struct {
	dir  string
	file *os.File // nil: the whole file has to be written anew
	all  []cut    // recorded, in the order of the file
	bad  int      // damaged records found

	ahead []cut // those that an earlier Shipper recorded and those inferred, by segment and offset
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
	f := &cutFile{}
	for ; len(b) >= cutBytes; b = b[cutBytes:] {
		c, ok, err := decodeCut(b)
		if err != nil {
			return nil, err
		}
		if !ok {
			f.bad++
			continue
		}
		if n, known := nonce(c.Segment); known && n == c.Nonce {
			f.all = append(f.all, c)
		}
	}
	slices.SortFunc(f.all, compareCuts)
	f.infer()
	return f, nil
}

// infer makes f.ahead of f.all, with a cut for every gap, and drops records that cannot be.
func (f *cutFile) infer() {
	var before cut
	kept := f.all[:0]
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

// find returns the cut of an earlier Shipper that a frame is in.
func (f *cutFile) find(fr journal.Frame) (cut, bool) {
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

func (c cut) endsBefore(fr journal.Frame) bool {
	return c.Segment < fr.Start.Segment || c.Segment == fr.Start.Segment && c.To <= fr.Start.Offset
}

// record makes a cut durable. It may be called again after an error.
func (f *cutFile) record(c cut) error {
	if n := len(f.all); n == 0 || f.all[n-1] != c {
		f.all = append(f.all, c)
	}
	if f.file == nil {
		return f.rewrite()
	}
	_, err := f.file.WriteAt(c.append(nil), int64(len(f.all)-1)*cutBytes)
	if err == nil {
		err = f.file.Sync()
	}
	if err != nil {
		// A sync that failed is not tried again on the same file: what it lost is not known.
		_ = f.close()
		return fmt.Errorf("cannot record cut: %w", err)
	}
	return nil
}

// release forgets the cuts of segments before this one.
func (f *cutFile) release(segment uint64) error {
	n := len(f.all)
	f.all = slices.DeleteFunc(f.all, func(c cut) bool { return c.Segment < segment })
	if len(f.all) == n {
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
	if err := writeFile(cutPath(f.dir), b); err != nil {
		return fmt.Errorf("cannot write file of cuts: %w", err)
	}
	file, err := os.OpenFile(cutPath(f.dir), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot write file of cuts: %w", err)
	}
	f.file = file
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
