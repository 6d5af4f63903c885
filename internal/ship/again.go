package ship

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/journal"
)

// Stored is what a Sink may be too. Stored says whether rows are stored, which are of one month and were sent in one insert, so that all of them are or none (but
// those that were deleted since). known is false where that cannot be told from the rows.
//
// It is asked after the database or the machine was restarted, because tokens prove nothing then: what a database knows of them is not synced together with the rows.
// Rows may be there without their token, and would be stored twice; or the token without the rows, and they would be lost.
type Stored interface {
	Stored(ctx context.Context, rows []event.Row) (stored, known bool, err error)
}

// again is the piece of the line that is sent again after a restart: every part of a cut is looked for, month by month, and what is not there is sent under a new token.
type again struct {
	id    string           // of the restart; "" for none
	until journal.Position // where the last cut ends that was recorded before the restart was noticed
}

const (
	// unknownRestart is the id where nobody knows whether there was one, because the machine's boots have no id, or the checkpoint and all bases are lost. What is not found goes
	// out under the old token then: the visits may be others than they were, so that it is there and not found.
	unknownRestart = "unknown"
	stepAgain      = "look for what is stored"
	probeFor       = time.Minute
)

// sendAgain has everything looked for that was recorded until now, before it is sent.
func (s *Shipper) sendAgain(id string) {
	if _, ok := s.sink.(Stored); !ok {
		return
	}
	until := later(s.cuts.end(), s.again.until)
	s.again = again{}
	if until.Compare(s.pos) > 0 {
		s.again = again{id, until}
		s.dirty = true
	}
}

// restartID names the restart for which the line goes back, so that a token that is made of it was never used before.
func (s *Shipper) restartID() string {
	sum := sha256.Sum256([]byte(s.boot + "\n" + s.watch.restart()))
	return hex.EncodeToString(sum[:8])
}

// isAgain says whether a batch is to be looked for.
func (s *Shipper) isAgain(b *batch) bool {
	return s.again.id != "" && b.end().Compare(s.again.until) <= 0
}

// endAgain is called where everything before pos is stored.
func (s *Shipper) endAgain(pos journal.Position) {
	if s.again.id == "" || pos.Compare(s.again.until) < 0 {
		return
	}
	s.again = again{}
	s.dirty = true
	s.log.Info("what was sent before the restart is stored", "rows_known", s.counter.known.Load())
}

// piece is what one call of the sink has: rows of a part of a cut.
type piece struct {
	token string
	rows  []event.Row
	fresh string // the token where the rows are looked for and are not there; "" where they are not looked for
}

// pieces returns what a part is sent as: one piece, or, where it is looked for, one for each month.
func (s *Shipper) pieces(b *batch, p part) []piece {
	low, high := b.rowsIn(p)
	rows, token := b.rows[low:high], b.cut.tokenOf(p)
	if !s.isAgain(b) {
		return []piece{{token: token, rows: rows}}
	}
	var all []piece
	for _, month := range b.months {
		of := rows
		if len(b.months) > 1 {
			of = rowsOf(month, rows)
		}
		fresh := token
		if s.again.id != unknownRestart {
			fresh = token + "-" + strconv.Itoa(month) + "-" + s.again.id
		}
		if len(of) > 0 {
			all = append(all, piece{token, of, fresh})
		}
	}
	return all
}

func rowsOf(month int, rows []event.Row) (of []event.Row) {
	for i := range rows {
		if monthOf(rows[i].Day) == month {
			of = append(of, rows[i])
		}
	}
	return of
}

// lookFor sees whether a piece is stored. Where it is not it sets the piece's token to a new one; where that cannot be told, the old one has to do.
func (s *Shipper) lookFor(ctx context.Context, p *piece) (stored bool, err error) {
	sink, ok := s.sink.(Stored)
	if !ok || p.fresh == "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeFor)
	defer cancel()
	stored, known, err := sink.Stored(ctx, p.rows)
	switch {
	case err != nil:
		return false, fmt.Errorf("cannot %s: %w", stepAgain, err)
	case known && stored:
		s.counter.known.Add(uint64(len(p.rows)))
		return true, nil
	case known:
		p.token = p.fresh
	}
	p.fresh = ""
	return false, nil
}
