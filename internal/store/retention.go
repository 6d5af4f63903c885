package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
)

// Holding says what there is of one site's events, of one month and with one retention. A row that is expired and not deleted yet is there.
type Holding struct {
	SiteID        uint32
	Month         uint32 // of the rows' day: 202611
	RetentionDays uint16 // as it stands in the rows
	Oldest        event.Day
	Rows          uint64
}

// Expires returns the date from which on the oldest row is answered no more, in days since 1970-01-01.
func (h *Holding) Expires() int { return int(h.Oldest) + int(h.RetentionDays) }

// Dates says which date it is on the sites: on most the one in UTC, and where their time zones say so the next one or the one before.
type Dates struct {
	UTC           event.Day
	Ahead, Behind []uint32 // ids of sites
}

// Of returns the date on a site.
func (d *Dates) Of(siteID uint32) event.Day {
	switch {
	case slices.Contains(d.Ahead, siteID):
		return d.UTC + 1
	case slices.Contains(d.Behind, siteID):
		return d.UTC - 1
	}
	return d.UTC
}

// expired is the condition under which a row of events is answered no more: the opposite of what query asks for. days is SQL for the retention.
func (d *Dates) expired(days string) string {
	today := strconv.Itoa(int(d.UTC))
	if len(d.Ahead) > 0 {
		today += " + (site_id IN (" + list(d.Ahead) + "))"
	}
	if len(d.Behind) > 0 {
		today += " - (site_id IN (" + list(d.Behind) + "))"
	}
	return "toUInt32(day) + " + days + " <= " + today
}

func list(ids []uint32) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(id), 10))
	}
	return b.String()
}

// surveyLimits bound what goes through the whole table: nobody waits for it.
const surveyLimits = " SETTINGS readonly = 1, max_threads = 1, max_execution_time = 900, max_memory_usage = 500000000"

// Holdings returns what there is of events, by month, site and retention. It reads three small columns of the whole table.
func (s *Store) Holdings(ctx context.Context) ([]Holding, error) {
	var all []Holding
	err := s.Select(ctx, "SELECT site_id, toYYYYMM(day), retention_days, toUInt16(min(day)), count() FROM events "+
		"GROUP BY site_id, toYYYYMM(day), retention_days ORDER BY toYYYYMM(day), site_id, retention_days"+surveyLimits, nil,
		func(scan func(dest ...any) error) error {
			var h Holding
			var oldest uint16
			err := scan(&h.SiteID, &h.Month, &h.RetentionDays, &oldest, &h.Rows)
			h.Oldest = event.Day(oldest)
			all = append(all, h)
			return err
		})
	return all, err
}

// DeleteExpired deletes the events of one month whose retention is over, and returns when they are off the disk. It may be called again
// after an error. Where there are none, nothing is rewritten.
func (s *Store) DeleteExpired(ctx context.Context, month uint32, dates *Dates) error {
	if err := s.settle(ctx, tableEvents); err != nil {
		return err
	}
	return s.deleteRows(ctx, tableEvents, fmt.Sprintf("toYYYYMM(day) = %d AND %s", month, dates.expired("retention_days")), nil)
}

// SetRetention makes days the retention of all rows of a site, and returns when those that are expired then are off the disk. Rows that were expired
// before are deleted, not brought back. Where all rows agree it changes nothing. It may be called again after an error, and then goes on.
//
// The database rewrites part by part what has such a row, and goes on by itself if it is killed. It takes one statement for all months: each looks at every part
// of the table, which costs more than rewriting few rows.
func (s *Store) SetRetention(ctx context.Context, siteID uint32, days uint16, dates *Dates) error {
	differing := fmt.Sprintf("site_id = %d AND retention_days != %d", siteID, days)
	n, err := s.countRows(ctx, tableEvents, differing, nil)
	if err != nil {
		return deletionFault("cannot ask for the retention of events", err)
	}
	if n == 0 {
		return nil
	}
	if err := s.settle(ctx, tableEvents); err != nil {
		return err
	}
	// What is over goes first, so that it is never answered again and leaves the disk. The present retention is the shorter one: what is over does not come back.
	over := dates.expired(fmt.Sprintf("least(retention_days, %d)", days))
	if err := s.deleteRows(ctx, tableEvents, fmt.Sprintf("site_id = %d AND %s", siteID, over), nil); err != nil {
		return err
	}
	n, err = s.countRows(ctx, tableEvents, differing, nil)
	if err == nil && n > 0 {
		err = s.mutate(ctx, fmt.Sprintf("ALTER TABLE events UPDATE retention_days = %d WHERE %s", days, differing), nil)
	}
	if err == nil {
		err = s.purge(ctx, tableEvents) // the TTL takes rows of other sites along when their part is written anew
	}
	if err != nil {
		return deletionFault("cannot change the retention of events", err)
	}
	return nil
}

// OldestAbuse returns the first minute that there is a row of abuse of, and how many rows there are; the zero time where there is none. A row that is expired and
// not deleted yet is there.
func (s *Store) OldestAbuse(ctx context.Context) (oldest time.Time, rows uint64, err error) {
	err = s.Select(ctx, "SELECT min(minute), count() FROM abuse"+surveyLimits, nil, func(scan func(dest ...any) error) error { return scan(&oldest, &rows) })
	if rows == 0 {
		return time.Time{}, 0, err
	}
	return oldest.UTC(), rows, err
}

// DeleteExpiredAbuse deletes the rows of abuse that are older than abuse.RetentionDays, and returns when they are off the disk.
func (s *Store) DeleteExpiredAbuse(ctx context.Context, now time.Time) error {
	if err := s.settle(ctx, tableAbuse); err != nil {
		return err
	}
	limit := now.Add(-abuse.RetentionDays * 24 * time.Hour).Unix()
	return s.deleteRows(ctx, tableAbuse, fmt.Sprintf("minute <= toDateTime(%d, 'UTC')", max(limit, 0)), nil)
}

// Tables whose rows are kept for a time.
const (
	tableEvents = "events"
	tableAbuse  = "abuse"
)

// FinishDeletes takes off the disk what was deleted by something that was interrupted: rows that are hidden, and still there. Where nothing was, it changes nothing.
func (s *Store) FinishDeletes(ctx context.Context) error {
	for _, table := range []string{tableEvents, tableAbuse} {
		err := s.settle(ctx, table)
		if err == nil {
			err = s.purge(ctx, table)
		}
		if err != nil {
			return deletionFault("cannot finish a deletion", err)
		}
	}
	return nil
}

// Now returns the database's time. Of several servers behind one DSN any may answer.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var unix int64
	if err := s.conn.QueryRow(ctx, "SELECT toInt64(toUnixTimestamp(now()))").Scan(&unix); err != nil {
		return time.Time{}, fmt.Errorf("cannot ask ClickHouse for the time: %w", withoutValues(err))
	}
	return time.Unix(unix, 0).UTC(), nil
}

// settleEvery is how often it is looked whether a table is still being rewritten.
const settleEvery = 500 * time.Millisecond

// settle waits until no mutation of a table is under way: one that nobody waits for any more goes on, also over a restart, and a second one of the same
// kind would be added each time it is tried again.
func (s *Store) settle(ctx context.Context, table string) error {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		var left uint64
		err := s.conn.QueryRow(ctx, "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND table = '"+table+"' AND NOT is_done").Scan(&left)
		if err != nil {
			return deletionFault("cannot ask whether a table is being rewritten", err)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fault.Unavailablef(context.Cause(ctx), "the table %s is still being rewritten", table)
		case <-tick.C:
		}
	}
}
