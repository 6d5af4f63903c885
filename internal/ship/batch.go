package ship

import (
	"context"
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
)

// batch is the piece of the journal that is being collected for one insert.
type batch struct {
	cut    cut  // from and to; the rest is set when it is closed
	fixed  bool // the cut was recorded by an earlier Shipper, and ends where it ended then
	frames int
	bytes  int
	rows   []event.Row
	live   bool // one of the rows is no import's
	past   bool // one of the rows is an import's
	months []int
	sum    hash.Hash // over the frames
	room   [16]byte
}

// begin starts the empty batch at f.
func (b *batch) begin(c cut, fixed bool) {
	b.cut, b.fixed = c, fixed
	if b.sum == nil {
		b.sum = sha256.New()
	}
	b.sum.Reset()
}

// add notes that f belongs to the batch.
func (b *batch) add(f journal.Frame) {
	b.frames++
	b.bytes += len(f.Payload)
	if !b.fixed {
		b.cut.To = f.End.Offset
	}
	place := binary.LittleEndian.AppendUint64(b.room[:0], uint64(f.Start.Offset))
	place = binary.LittleEndian.AppendUint32(place, f.CRC)
	_, _ = b.sum.Write(place) // A hash returns no error.
}

// hasRows says whether there is something to insert. Where the checkpoint was lost, what was dropped as a duplicate may look new; but a batch that was recorded
// without a row has none.
func (b *batch) hasRows() bool {
	recorded := b.fixed && b.cut.summed
	return len(b.rows) > 0 && (!recorded || b.cut.Rows > 0)
}

func (b *batch) reset() {
	clear(b.rows)
	*b = batch{rows: b.rows[:0], months: b.months[:0], sum: b.sum}
}

// monthOf returns the number of a day's month, which is its partition.
func monthOf(d event.Day) int {
	t := time.Unix(int64(d)*86400, 0).UTC()
	return t.Year()*12 + int(t.Month())
}

// take adds a frame to the batch, and stores the batch before or after it where it ends there. It returns false when ctx ended first.
func (s *Shipper) take(ctx context.Context, f journal.Frame) bool {
	reason := s.frame.Decode(f.Payload, &s.row.Event)
	// Nothing is remembered of the frame before the batch that it is not in is stored: a checkpoint may follow that.
	isRow := reason == nil && s.isRow()
	if s.endsBefore(f, isRow) && !s.commit(ctx) {
		return false
	}
	b := &s.batch
	if b.frames == 0 {
		s.begin(f)
	}
	b.add(f)
	switch {
	case reason != nil:
		s.counter.quarantined.Add(1)
		s.quarantine.add(f, reason)
	case isRow:
		s.addRow()
	case s.frame.Type == event.EndFrame:
		s.imports.drop(s.frame.Origin)
	default:
		s.imports.touch(s.frame.Origin)
		s.counter.duplicates.Add(1)
	}
	if !s.endsAfter(f) {
		return true
	}
	if !s.commit(ctx) {
		return false
	}
	s.answerUpTo(f.End)
	return true
}

// isRow says whether s.frame makes a row: an event does, but for one of an import that was sent again.
func (s *Shipper) isRow() bool {
	switch s.frame.Type {
	case event.LiveFrame:
		return true
	case event.ImportedFrame:
		return !s.imports.has(&s.frame)
	case event.EndFrame:
	}
	return false
}

// addRow adds s.row, the event of s.frame, to the batch, with its visit.
func (s *Shipper) addRow() {
	b := &s.batch
	b.rows = append(b.rows, s.row)
	row := &b.rows[len(b.rows)-1]
	row.Origin = s.frame.Origin
	if row.Origin == 0 {
		s.visits.Join(&row.Event, row)
		s.counter.forgottenLive.Store(s.visits.Early())
	} else {
		b.past = true
		s.imports.join(&s.frame, row)
	}
	if month := monthOf(row.Day); !slices.Contains(b.months, month) {
		b.months = append(b.months, month)
	}
	switch {
	case row.Origin == 0 && !b.live:
		b.live = true
		s.counter.oldest.Store(row.Time)
	case row.Origin != 0 && len(b.rows) == 1: // It has no time that tells when it was sent.
		s.counter.oldest.Store(s.cfg.Now().Unix())
	}
}

// begin starts a batch at f: the recorded one that f is in, or a new one that goes on where the last ended.
func (s *Shipper) begin(f journal.Frame) {
	if c, ok := s.cuts.find(f); ok {
		s.batch.begin(c, true)
		return
	}
	c := cut{Segment: f.Start.Segment, Nonce: f.Nonce}
	if s.pos.Segment == c.Segment { // Written by this goroutine only.
		c.From = s.pos.Offset
	}
	s.batch.begin(c, false)
	s.flushTimer.Reset(s.cfg.FlushEvery)
}

// endsBefore says whether the batch has to be stored without f. isRow says whether s.row is to become a row.
func (s *Shipper) endsBefore(f journal.Frame, isRow bool) bool {
	b := &s.batch
	switch {
	case b.frames == 0:
		return false
	case f.Start.Segment != b.cut.Segment:
		return true
	case b.fixed:
		return f.Start.Offset >= b.cut.To
	case b.bytes+len(f.Payload) > maxBatchBytes:
		return true
	case isRow && len(b.months) == maxBatchMonths && !slices.Contains(b.months, monthOf(s.row.Day)):
		return true
	}
	_, recorded := s.cuts.find(f)
	return recorded
}

// endsAfter says whether the batch is complete with f.
func (s *Shipper) endsAfter(f journal.Frame) bool {
	if s.batch.fixed {
		return f.End.Offset >= s.batch.cut.To
	}
	select {
	case <-s.flushTimer.C:
		s.flushDue = true
	default:
	}
	return s.flushDue || s.batch.frames >= s.cfg.BatchRows || s.waitedFor(f.End)
}

// commit stores the batch, if it is not empty. It returns false when ctx ended first; the batch is then left to the next Shipper.
func (s *Shipper) commit(ctx context.Context) bool {
	b := &s.batch
	if b.frames == 0 {
		return true
	}
	s.flushTimer.Stop()
	s.flushDue = false
	if !s.freeze(ctx) {
		return false
	}
	if b.hasRows() && !s.retry(ctx, "insert a batch", func(ctx context.Context) error {
		return s.sink.Insert(ctx, b.cut.token(), b.rows)
	}) {
		return false
	}
	s.counter.rows.Add(uint64(len(b.rows)))
	s.counter.batches.Add(1)
	s.counter.oldest.Store(0)
	s.counter.visits.Store(s.openVisits())
	s.setPos(journal.Position{Segment: b.cut.Segment, Offset: b.cut.To})
	b.reset()
	if s.checkpointDue() {
		s.checkpoint()
	}
	return true
}

// freeze makes the batch's cut and its quarantined frames durable, so that the batch can never be another one. Imported frames are made durable too: whoever
// sends them again is known by them, whereas a live event is never sent again.
func (s *Shipper) freeze(ctx context.Context) bool {
	b := &s.batch
	if b.past {
		_ = s.sync(journal.Position{Segment: b.cut.Segment, Offset: b.cut.To}) // A sync that failed is logged and counted there, and is not tried again.
	}
	if !b.fixed || !b.cut.summed {
		copy(b.cut.Sum[:], b.sum.Sum(nil))
		b.cut.summed = true
		b.cut.Frames, b.cut.Rows = uint32(b.frames), uint32(len(b.rows))
		if !s.retry(ctx, "record a cut", func(context.Context) error { return s.cuts.record(b.cut) }) {
			return false
		}
	}
	return s.retry(ctx, "write the quarantine", func(context.Context) error { return s.quarantine.flush() })
}
