package ship

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/journal"
)

// part is a piece of a cut, by the offsets of its frames in the segment: these stay what they are where frames are erased or damaged. The whole cut is one too.
type part struct {
	Segment, Nonce uint64
	From, To       int64
}

func (c *cut) whole() part { return part{c.Segment, c.Nonce, c.From, c.To} }

// tokenOf returns the token of a part of the cut. That of a smaller part is made from the cut's and the part's bounds, so it names these rows and no others.
func (c *cut) tokenOf(p part) string {
	token := c.token()
	if p == c.whole() {
		return token
	}
	return token + "-" + strconv.FormatInt(p.From, 10) + "-" + strconv.FormatInt(p.To, 10)
}

// rowsIn returns which rows of the batch are in a part: those from low on and before high.
func (b *batch) rowsIn(p part) (low, high int) {
	at := func(offset int64) int {
		n, _ := slices.BinarySearchFunc(b.places, offset, func(pl place, offset int64) int { return int(pl.at.Offset - offset) })
		return n
	}
	return at(p.From), at(p.To)
}

// deliver stores the rows of a part of a recorded batch, in smaller parts where that was decided before or is decided now. It returns false when ctx ended
// first, or the line has to go back. The line stands still meanwhile: this is rare.
func (s *Shipper) deliver(ctx context.Context, b *batch, p part) bool {
	low, high := b.rowsIn(p)
	if low == high {
		return true
	}
	if mid, ok := s.cuts.divided(p); ok {
		return s.deliverDivided(ctx, b, split{p, mid}, unknownReason)
	}
	tries := 1 // That the batch was refused is known; to divide it once too often costs nothing.
	if high-low == 1 {
		tries = refusals
	}
	s.flight = s.launch(ctx, b, p, tries)
	out := s.await(s.flight)
	if out.ended {
		return false
	}
	s.flight = nil
	if out.restarted {
		return s.forgot() && s.deliver(ctx, b, p)
	}
	s.learn()
	s.suspect = s.suspect || out.attempts > 1
	s.point("insert")
	return out.refused == nil || s.divide(ctx, b, p, out.refused)
}

// divide decides what becomes of a part that was refused: it is divided, or, where it is one row, kept in the quarantine. The decision is durable before
// anything follows from it. Otherwise one half could be stored, and after a crash and the end of the cause the whole, whose token the database does not know.
func (s *Shipper) divide(ctx context.Context, b *batch, p part, refused error) bool {
	low, high := b.rowsIn(p)
	var mid int64
	if high-low > 1 {
		mid = b.places[low+(high-low)/2].at.Offset
		s.counter.split.Add(1)
		s.log.Warn("rows were refused for their content, they are sent in two parts", "rows", high-low, "error", refused)
	} else {
		s.log.Error("a row was refused for its content, it is kept in the quarantine", "segment", p.Segment, "offset", b.places[low].at.Offset, "error", refused)
	}
	if !s.retry(ctx, "record a split", func(context.Context) error { return s.cuts.recordSplit(split{p, mid}) }) {
		return false
	}
	s.point("split")
	return s.deliverDivided(ctx, b, split{p, mid}, reasonOf(refused))
}

// deliverDivided does what divide decided.
func (s *Shipper) deliverDivided(ctx context.Context, b *batch, sp split, reason string) bool {
	if sp.Mid != 0 {
		first, second := sp.part, sp.part
		first.To, second.From = sp.Mid, sp.Mid
		return s.deliver(ctx, b, first) && s.deliver(ctx, b, second)
	}
	low, high := b.rowsIn(sp.part)
	for i := low; i < high; i++ { // It is one.
		b.refused++
		s.counter.quarantinedRows.Add(1)
		pl := &b.places[i]
		l := &quarantined{
			Segment: pl.at.Segment, Offset: pl.at.Offset, CRC: pl.crc, Reason: reason, Frame: []byte(pl.text), Retention: b.rows[i].RetentionDays,
		}
		if b.rows[i].Origin == 0 {
			l.Day = b.rows[i].Time / daySeconds
		}
		// An event that was kept is not dropped because there is no room for it: the line waits for somebody to look.
		if !s.retry(ctx, "put a row into the quarantine", func(context.Context) error { return s.quarantine.add(l) }) {
			return false
		}
	}
	return s.flushQuarantine(ctx)
}

// flushQuarantine makes durable what was put into the quarantine.
func (s *Shipper) flushQuarantine(ctx context.Context) bool {
	if len(s.quarantine.pending) == 0 {
		return true
	}
	ok := s.retry(ctx, "write the quarantine", func(context.Context) error { return s.quarantine.flush() })
	s.point("quarantine")
	return ok
}

// unknownReason stands beside a row that was refused before a crash, which came between the decision and the line.
const unknownReason = "refused by the database"

// reasonOf returns why rows were refused, without any value: only what a fault says itself, and not its cause.
func reasonOf(err error) string {
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok || f.Message == "":
		return unknownReason
	case f.Field == "":
		return unknownReason + ": " + f.Message
	}
	return unknownReason + ": " + f.Field + ": " + f.Message
}

// skipped takes a piece of the journal that is no frame into the quarantine.
func (s *Shipper) skipped(piece journal.Skipped) {
	s.counter.skipped.Add(1)
	s.quarantine.addPiece(piece)
}
