package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/daysalt/daysalt/internal/event"
)

// Insert stores rows as one block under a token. A token that was stored before stores nothing and is no error. rows must be the same
// whenever a token is sent again: the database remembers the token, not the rows.
//
// It fails with Invalid where the rows are refused for what is in them, so that trying again is of no use, and otherwise with an error of
// another kind. No error quotes a row. Insert keeps nothing of rows.
func (s *Store) Insert(ctx context.Context, token string, rows []event.Row) error {
	if len(rows) == 0 {
		return nil
	}
	b := s.spare.Swap(nil)
	if b == nil {
		b = newBlock()
	}
	defer func() {
		b.reset()
		s.spare.Store(b)
	}()
	if err := b.add(rows); err != nil {
		return err
	}
	names := make([]string, len(b.columns))
	for i, c := range b.columns {
		names[i] = c.name
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithColumnNamesAndTypes(b.types()), clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplication_token": token,
		"insert_deduplicate":         1,
		"async_insert":               0, // its default is 1, and it would cut the batch anew
		"max_insert_threads":         1,
	}))
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO events ("+strings.Join(names, ", ")+")")
	if err != nil {
		return insertError("begin", err)
	}
	defer func() { _ = batch.Abort() }() // does nothing once the batch was sent
	if err := b.move(batch, len(rows)); err != nil {
		return fmt.Errorf("cannot fill a batch: %w", err)
	}
	if err := batch.Send(); err != nil {
		return insertError("send", err)
	}
	return nil
}
