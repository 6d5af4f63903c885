package store

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/daysalt/daysalt/internal/abuse"
)

// abuseColumns returns the table's columns in the order of the migration.
func abuseColumns(rows []abuse.Row) []any {
	n := len(rows)
	sites, minutes, addresses, reasons, events := make([]uint32, n), make([]int64, n), make([]netip.Addr, n), make([]string, n), make([]uint32, n)
	for i := range rows {
		r := &rows[i]
		sites[i], minutes[i], addresses[i], reasons[i], events[i] = r.SiteID, r.Minute, r.Address, r.Reason, r.Events
	}
	return []any{sites, minutes, addresses, reasons, events}
}

// InsertAbuse stores rows as one block under a token, as Insert does with events.
func (s *Store) InsertAbuse(ctx context.Context, token string, rows []abuse.Row) error {
	if len(rows) == 0 {
		return nil
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplication_token": token,
		"insert_deduplicate":         1,
		"async_insert":               0,
		"max_insert_threads":         1,
	}))
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO abuse (site_id, minute, address, reason, events)")
	if err != nil {
		return fmt.Errorf("cannot begin a batch of masked addresses: %w", withoutValues(err))
	}
	defer func() { _ = batch.Abort() }() // does nothing once the batch was sent
	for i, values := range abuseColumns(rows) {
		if err := batch.Column(i).Append(values); err != nil {
			return fmt.Errorf("cannot fill column %d of a batch of masked addresses: %w", i+1, withoutValues(err))
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("cannot send a batch of masked addresses: %w", withoutValues(err))
	}
	return nil
}

// Abuse returns what f chooses, summed by site, address and reason, the most events first. A row that is older than abuse.RetentionDays is not
// there, whether or not its TTL has deleted it.
func (s *Store) Abuse(ctx context.Context, f abuse.Filter) ([]abuse.Summary, error) {
	where := "minute >= toDateTime({from:UInt32}, 'UTC') AND minute > now() - toIntervalDay(" + strconv.Itoa(abuse.RetentionDays) + ")"
	params := map[string]string{
		"from":  strconv.FormatInt(max(f.From.Unix(), 0), 10),
		"limit": strconv.Itoa(max(f.Limit, 1)),
	}
	if f.SiteID != nil {
		where += " AND site_id = {site:UInt32}"
		params["site"] = strconv.FormatUint(uint64(*f.SiteID), 10)
	}
	query := "SELECT site_id, address, reason, sum(events), min(minute), max(minute) FROM abuse WHERE " + where +
		" GROUP BY site_id, address, reason ORDER BY sum(events) DESC, site_id, address, reason LIMIT {limit:UInt32}" +
		" SETTINGS readonly = 1, max_execution_time = 30, max_memory_usage = 1000000000"
	sums := []abuse.Summary{}
	err := s.Select(ctx, query, params, func(scan func(dest ...any) error) error {
		var one abuse.Summary
		var first, last time.Time
		err := scan(&one.SiteID, &one.Address, &one.Reason, &one.Events, &first, &last)
		one.Address, one.First, one.Last = one.Address.Unmap(), first.UTC(), last.UTC()
		sums = append(sums, one)
		return err
	})
	return sums, err
}

// RemoveAbuse deletes a site's rows of the table abuse and returns when they are gone, from the disk too. It does not touch rows of other sites, nor those of none.
func (s *Store) RemoveAbuse(ctx context.Context, siteID uint32) error {
	return s.deleteRows(ctx, "abuse", fmt.Sprintf("site_id = %d", siteID), nil)
}
