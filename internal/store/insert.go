package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/daysalt/daysalt/internal/event"
)

// column is one column of the events table: its name, and its values in the Go type that the driver takes for it.
type column struct {
	name   string
	values func(rows []event.Row) any
}

// col makes a column from a function of one row.
func col[T any](name string, value func(*event.Row) T) column {
	return column{name: name, values: func(rows []event.Row) any {
		out := make([]T, len(rows))
		for i := range rows {
			out[i] = value(&rows[i])
		}
		return out
	}}
}

// columns returns the events table's columns in the order of the migration.
func columns() []column {
	return []column{
		col("site_id", func(r *event.Row) uint32 { return r.SiteID }),
		col("day", func(r *event.Row) time.Time { return time.Unix(int64(r.Day)*86400, 0).UTC() }),
		col("visitor", func(r *event.Row) uint64 { return r.Visitor }),
		col("visit_start", func(r *event.Row) int64 { return r.VisitStart }),
		col("seq", func(r *event.Row) uint16 { return r.Seq }),
		col("ts", func(r *event.Row) int64 { return r.Time }),
		col("kind", func(r *event.Row) int8 { return int8(r.Kind) }),
		col("interactive", func(r *event.Row) uint8 { return bit(r.Interactive) }),
		col("name", func(r *event.Row) string { return r.Name }),
		col("hostname", func(r *event.Row) string { return r.Hostname }),
		col("path", func(r *event.Row) string { return r.Path }),
		col("entry_host", func(r *event.Row) string { return r.EntryHost }),
		col("entry_page", func(r *event.Row) string { return r.EntryPage }),
		col("source", func(r *event.Row) string { return r.Source }),
		col("channel", func(r *event.Row) string { return r.Channel }),
		col("referrer", func(r *event.Row) string { return r.Referrer }),
		col("click_id", func(r *event.Row) string { return r.ClickID }),
		col("utm_source", func(r *event.Row) string { return r.UTMSource }),
		col("utm_medium", func(r *event.Row) string { return r.UTMMedium }),
		col("utm_campaign", func(r *event.Row) string { return r.UTMCampaign }),
		col("utm_content", func(r *event.Row) string { return r.UTMContent }),
		col("utm_term", func(r *event.Row) string { return r.UTMTerm }),
		col("country", func(r *event.Row) string { return r.Country }),
		col("region", func(r *event.Row) string { return r.Region }),
		col("city", func(r *event.Row) uint32 { return r.City }),
		col("browser", func(r *event.Row) string { return r.Browser }),
		col("browser_version", func(r *event.Row) string { return r.BrowserVersion }),
		col("os", func(r *event.Row) string { return r.OS }),
		col("os_version", func(r *event.Row) string { return r.OSVersion }),
		col("device", func(r *event.Row) string { return r.Device }),
		col("screen", func(r *event.Row) string { return r.Screen }),
		col("language", func(r *event.Row) string { return r.Language }),
		col("prop_keys", func(r *event.Row) []string { return r.PropKeys }),
		col("prop_values", func(r *event.Row) []string { return r.PropValues }),
		col("scroll", func(r *event.Row) uint8 { return r.Scroll }),
		col("engaged_ms", func(r *event.Row) uint32 { return r.EngagedMS }),
		col("amount", func(r *event.Row) int64 { return r.Amount }),
		col("currency", func(r *event.Row) string { return r.Currency }),
		col("origin", func(r *event.Row) uint16 { return r.Origin }),
		col("retention_days", func(r *event.Row) uint16 { return r.RetentionDays }),
	}
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// Insert stores rows as one block under a token. A token that was stored before stores nothing and is no error. rows must be the same
// whenever a token is sent again: the database remembers the token, not the rows.
func (s *Store) Insert(ctx context.Context, token string, rows []event.Row) error {
	if len(rows) == 0 {
		return nil
	}
	all := columns()
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.name
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplication_token": token,
		"insert_deduplicate":         1,
		"async_insert":               0, // its default is 1, and it would cut the batch anew
		"max_insert_threads":         1,
	}))
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO events ("+strings.Join(names, ", ")+")")
	if err != nil {
		return fmt.Errorf("cannot begin a batch: %w", withoutValues(err))
	}
	defer func() { _ = batch.Abort() }() // does nothing once the batch was sent
	for i, c := range all {
		if err := batch.Column(i).Append(c.values(rows)); err != nil {
			return fmt.Errorf("cannot fill column %s: %w", c.name, withoutValues(err))
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("cannot send a batch: %w", withoutValues(err))
	}
	return nil
}
