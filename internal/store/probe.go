package store

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/daysalt/daysalt/internal/event"
)

// probeRows is how many rows at most are looked for: one would do, but any of them may have been deleted since.
const probeRows = 100

// Stored says whether rows are in the table. They are rows of one insert, and of one month of Day: such rows are one part, which is stored as
// a whole or not at all, so stored is true where any of a sample is found. known is false where none of the rows has a key that no other row has; the table was not asked
// then. It asks for what is committed now: an insert that is still under way may be stored later.
func (s *Store) Stored(ctx context.Context, rows []event.Row) (stored, known bool, err error) {
	question := probe(rows)
	if question == "" {
		return false, false, nil
	}
	var n uint64
	if err := s.conn.QueryRow(ctx, question).Scan(&n); err != nil {
		return false, false, fmt.Errorf("cannot ask ClickHouse whether rows are stored: %w", withoutValues(err))
	}
	return n > 0, true, nil
}

// hasKey says whether (site_id, day, visitor, visit_start, seq, origin) names a row and no other one. Engagement in no visit has the seq of a visit's first row.
func hasKey(r *event.Row) bool {
	return r.Visitor != 0 && r.Seq < math.MaxUint16 && (r.Seq > 0 || r.Kind != event.Engagement) && r.VisitStart >= 0 && r.VisitStart <= math.MaxUint32
}

// probe returns the question how many of a sample of the rows are in the table, or "" where none of them has a key. It holds numbers alone.
func probe(rows []event.Row) string {
	var keys strings.Builder
	low, high := event.Day(math.MaxUint16), event.Day(0)
	sites := map[uint32]bool{}
	n := 0
	add := func(r *event.Row) {
		if n > 0 {
			keys.WriteByte(',')
		}
		n++
		fmt.Fprintf(&keys, "(%d,%d,%d,%d,%d,%d)", r.SiteID, r.Day, r.Visitor, r.VisitStart, r.Seq, r.Origin)
		low, high = min(low, r.Day), max(high, r.Day)
		sites[r.SiteID] = true
	}
	// They are taken from everywhere, because rows of one site, or day, are deleted together. Where few rows have keys, they may be the ones between.
	for step := max(1, len(rows)/probeRows); step > 0 && n == 0; step /= 2 {
		for i := 0; i < len(rows) && n < probeRows; i += step {
			if hasKey(&rows[i]) {
				add(&rows[i])
			}
		}
	}
	if n == 0 {
		return ""
	}
	var ids []string
	for id := range sites {
		ids = append(ids, strconv.FormatUint(uint64(id), 10))
	}
	return fmt.Sprintf("SELECT count() FROM events WHERE site_id IN (%s) AND day >= toDate(%d) AND day <= toDate(%d) AND (seq > 0 OR kind != 'engagement') "+
		"AND (site_id, day, visitor, visit_start, seq, origin) IN (%s) SETTINGS max_execution_time = 30, max_threads = 1, max_memory_usage = 268435456",
		strings.Join(ids, ","), low, high, keys.String())
}
