package ship

import (
	"context"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/journal"
)

// take adds a frame to the batch, and closes the batch before or after it where it ends there. It returns false when ctx ended first.
func (s *Shipper) take(ctx context.Context, f *journal.Frame) bool {
	s.looks = 0
	text := s.room.Text(f.Payload)
	row := s.batch.slot()
	reason := s.frame.DecodeText(text, &row.Event, &s.room)
	// Nothing is remembered of the frame before the batch that it is not in is closed: a checkpoint may follow that.
	isRow := reason == nil && s.isRow()
	if s.endsBefore(f, row.Day, isRow) {
		if !s.commit(ctx) {
			return false
		}
		moved := s.batch.slot()
		*moved = *row
	}
	b := s.batch
	if b.frames == 0 {
		s.begin(f)
	}
	b.add(f)
	switch {
	case reason != nil:
		s.counter.quarantined.Add(1)
		_ = s.quarantine.add(&quarantined{Segment: f.Start.Segment, Offset: f.Start.Offset, CRC: f.CRC, Reason: reason.Error(), Frame: f.Payload})
	case isRow:
		s.addRow(b.take(f, text))
	case s.frame.Type == event.VoidFrame: // It was counted when it was erased.
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
	if len(s.answering) > 0 && !s.replay && !s.suspect { // What they wait for is stored, or commit would not have returned.
		s.answerUpTo(f.End)
		s.eraseWaiting(ctx)
	}
	return true
}

// isRow says whether s.frame makes a row: an event does, but for one of an import that was sent again.
func (s *Shipper) isRow() bool {
	switch s.frame.Type {
	case event.LiveFrame:
		return true
	case event.ImportedFrame:
		return !s.imports.has(&s.frame)
	case event.EndFrame, event.VoidFrame:
	}
	return false
}

// addRow joins a new row of the batch, the event of s.frame, to its visit.
func (s *Shipper) addRow(row *event.Row) {
	b := s.batch
	row.Origin = s.frame.Origin
	if row.Origin == 0 {
		s.visits.Join(&row.Event, row)
	} else {
		b.past = true
		s.imports.join(&s.frame, row)
	}
	switch {
	case row.Origin == 0 && !b.live:
		b.live = true
		b.oldest = row.Time
	case row.Origin != 0 && len(b.rows) == 1: // It has no time that tells when it was sent.
		b.oldest = s.cfg.Now().Unix()
	default:
		return
	}
	s.noteOldest()
}

// noteOldest notes what LagSeconds counts from: the batch under way comes before the one that is collected.
func (s *Shipper) noteOldest() {
	if s.flight != nil && s.flight.batch.oldest != 0 {
		return
	}
	s.counter.oldest.Store(s.batch.oldest)
}

// begin starts a batch at f: the recorded one that f is in, or a new one that goes on where the last ended.
func (s *Shipper) begin(f *journal.Frame) {
	from := int64(0)
	if s.edge.Segment == f.Start.Segment {
		from = s.edge.Offset
	}
	s.firstBase(journal.Position{Segment: f.Start.Segment, Offset: from})
	if c, ok := s.cuts.find(f); ok {
		s.batch.begin(c, true)
		return
	}
	s.batch.begin(cut{Segment: f.Start.Segment, Nonce: f.Nonce, From: from}, false)
	s.flushTimer.Reset(s.cfg.FlushEvery)
}

// endsBefore says whether the batch has to be closed without f. isRow says whether f is to become a row, and day is its day then.
func (s *Shipper) endsBefore(f *journal.Frame, day event.Day, isRow bool) bool {
	b := s.batch
	switch {
	case b.frames == 0:
		return false
	case f.Start.Segment != b.cut.Segment:
		return true
	case b.fixed:
		return f.Start.Offset >= b.cut.To
	case b.bytes+len(f.Payload) > maxBatchBytes:
		return true
	case isRow && b.isFull(day):
		return true
	}
	_, recorded := s.cuts.find(f)
	return recorded
}

// timerEvery is after how many frames it is seen whether the batch has waited long enough: looking at a timer is not free.
const timerEvery = 64

// endsAfter says whether the batch is complete with f.
func (s *Shipper) endsAfter(f *journal.Frame) bool {
	b := s.batch
	if b.fixed {
		return f.End.Offset >= b.cut.To
	}
	if b.frames%timerEvery == 0 {
		select {
		case <-s.flushTimer.C:
			s.flushDue = true
		default:
		}
	}
	return s.flushDue || b.frames >= s.cfg.BatchRows || s.waitedFor(f.End)
}

// commit closes the batch, if it is not empty, and begins to insert it as soon as the one before it is stored; so while one is being inserted the next one
// is collected. Where somebody waits, or a checkpoint is due, it waits until the batch is stored. It returns false when ctx ended first; what is not
// stored is then left to the next Shipper.
func (s *Shipper) commit(ctx context.Context) bool {
	b := s.batch
	if b.frames == 0 {
		return true
	}
	s.flushTimer.Stop()
	s.flushDue = false
	if !s.freeze(ctx) || !s.settle(ctx) {
		return false
	}
	s.counter.visits.Store(s.openVisits())
	s.counter.forgottenLive.Store(s.visits.Early())
	end := b.end()
	switch _, divided := s.cuts.divided(b.cut.whole()); {
	case !b.hasRows():
		s.finish(b)
	case divided:
		if !s.deliver(ctx, b, b.cut.whole()) {
			return false
		}
		s.finish(b)
	default:
		s.flight = s.launch(ctx, b, b.cut.whole(), refusals)
	}
	s.edge = end
	if s.batch, s.spare = s.spare, nil; s.batch == nil {
		s.batch = newBatch()
	}
	due := s.checkpointDue()
	if (due || len(s.answering) > 0) && !s.settle(ctx) {
		return false
	}
	if due {
		s.checkpoint(ctx)
	}
	return true
}

// freeze makes the batch's cut and its quarantined frames durable, so that the batch can never be another one. Its frames are made durable before: a row without its frame
// would not be there when its visit is put together again, and the rows behind it would get other places. And whoever sends an imported event again is known by its frame.
func (s *Shipper) freeze(ctx context.Context) bool {
	b := s.batch
	if b.hasRows() {
		_ = s.sync(b.end()) // A sync that failed is logged and counted there, and is not tried again.
	}
	if !b.fixed || !b.cut.summed {
		b.close()
		if !s.retry(ctx, "record a cut", func(context.Context) error { return s.cuts.record(b.cut) }) {
			return false
		}
		s.point("cut")
	}
	return s.flushQuarantine(ctx)
}

// settle waits until the batch under way is stored, if there is one. It returns false when ctx ended first: the flight is then left as it is. It also returns false when the
// database was restarted meanwhile and the line has to go back.
func (s *Shipper) settle(ctx context.Context) bool {
	fl := s.flight
	if fl == nil {
		return true
	}
	out := s.await(fl)
	if out.ended {
		return false
	}
	s.learn()
	s.suspect = s.suspect || out.attempts > 1
	s.point("insert")
	s.flight = nil
	switch b := fl.batch; {
	case out.restarted:
		if !s.forgot() || !s.deliver(ctx, b, b.cut.whole()) {
			return false
		}
	case out.refused != nil:
		if !s.divide(ctx, b, b.cut.whole(), out.refused) {
			return false
		}
	}
	s.finish(fl.batch)
	return true
}

// finish notes that a batch is stored.
func (s *Shipper) finish(b *batch) {
	s.counter.rows.Add(uint64(len(b.rows) - b.refused))
	s.counter.batches.Add(1)
	s.blocks += uint64(max(1, len(b.months)))
	s.setPos(b.end())
	b.reset()
	s.spare = b
	s.noteOldest()
	s.point("note")
	s.giveRoom()
}
