package ship

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/journal"
)

const (
	// maxBatchBytes is the most bytes of frames in a batch: an insert has to stay one block, and ClickHouse splits by bytes too (256 MiB).
	maxBatchBytes = 64 << 20
	// maxBatchMonths is the most months in a batch: tables are partitioned by month, and an insert over more than 100 partitions is refused.
	maxBatchMonths = 12
	// placeBytes is what the sum takes of a frame: its offset and its checksum.
	placeBytes = 12
)

// place says where a row comes from.
type place struct {
	at   journal.Position
	crc  uint32
	text string // the frame's payload
}

// batch is the piece of the journal that is being collected for one insert. Its memory is used again for later ones.
type batch struct {
	cut    cut  // from and to; the rest is set when it is closed
	fixed  bool // the cut was recorded before, and ends where it ended then
	frames int
	bytes  int
	rows   []event.Row
	places []place // of the rows
	live   bool    // one of the rows is no import's
	past   bool    // one of the rows is an import's
	oldest int64   // what LagSeconds counts from, or 0
	months []int
	day    event.Day // of the last row
	sum    hash.Hash // over the frames
	room   []byte    // what is still to be written to sum

	refused int // rows that went to the quarantine
}

func newBatch() *batch {
	return &batch{sum: sha256.New(), room: make([]byte, 0, 64*placeBytes)}
}

// begin starts the empty batch.
func (b *batch) begin(c cut, fixed bool) {
	b.cut, b.fixed = c, fixed
	b.sum.Reset()
	b.room = b.room[:0]
}

// add notes that f belongs to the batch.
func (b *batch) add(f *journal.Frame) {
	b.frames++
	b.bytes += len(f.Payload)
	if !b.fixed {
		b.cut.To = f.End.Offset
	}
	if len(b.room) == cap(b.room) {
		b.write()
	}
	b.room = binary.LittleEndian.AppendUint64(b.room, uint64(f.Start.Offset))
	b.room = binary.LittleEndian.AppendUint32(b.room, f.CRC)
}

// write gives the sum what it has not seen.
func (b *batch) write() {
	_, _ = b.sum.Write(b.room) // A hash returns no error.
	b.room = b.room[:0]
}

// close completes the cut.
func (b *batch) close() {
	b.write()
	copy(b.cut.Sum[:], b.sum.Sum(nil))
	b.cut.summed = true
	b.cut.Frames, b.cut.Rows = uint32(b.frames), uint32(len(b.rows))
}

// slot returns the place of the next row, which is no part of the batch yet and may hold an older one.
func (b *batch) slot() *event.Row {
	if len(b.rows) == cap(b.rows) { // Twice as many, because a row is large: append would copy it five times.
		n := max(1024, len(b.rows))
		b.rows, b.places = slices.Grow(b.rows, n), slices.Grow(b.places, n)
	}
	return &b.rows[:len(b.rows)+1][len(b.rows)]
}

// take makes the row in the slot a part of the batch.
func (b *batch) take(f *journal.Frame, text string) *event.Row {
	b.rows = b.rows[:len(b.rows)+1]
	b.places = append(b.places, place{f.Start, f.CRC, text})
	row := &b.rows[len(b.rows)-1]
	if len(b.months) == 0 || row.Day != b.day {
		b.day = row.Day
		if month := monthOf(row.Day); !slices.Contains(b.months, month) {
			b.months = append(b.months, month)
		}
	}
	return row
}

// isFull says whether a row of this day has too many months beside it.
func (b *batch) isFull(day event.Day) bool {
	return len(b.months) == maxBatchMonths && day != b.day && !slices.Contains(b.months, monthOf(day))
}

// end returns the position behind the batch.
func (b *batch) end() journal.Position {
	return journal.Position{Segment: b.cut.Segment, Offset: b.cut.To}
}

// hasRows says whether there is something to insert. Where the checkpoint was lost, what was dropped as a duplicate may look new; but a batch that was recorded
// without a row has none.
func (b *batch) hasRows() bool {
	recorded := b.fixed && b.cut.summed
	return len(b.rows) > 0 && (!recorded || b.cut.Rows > 0)
}

// keepRows is how many rows of room a batch keeps in any case.
const keepRows = 4096

// reset empties the batch. It keeps its memory, but for what a rush left behind.
func (b *batch) reset() {
	rows, places := b.rows, b.places
	if cap(rows) > keepRows && len(rows) < cap(rows)/8 {
		rows, places = nil, nil
	}
	*b = batch{rows: rows[:0], places: places[:0], months: b.months[:0], sum: b.sum, room: b.room}
}

// monthOf returns the number of a day's month, which is its partition.
func monthOf(d event.Day) int {
	t := time.Unix(int64(d)*86400, 0).UTC()
	return t.Year()*12 + int(t.Month())
}
