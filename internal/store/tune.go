package store

import (
	"context"
	"fmt"
)

// tune sets what not every ClickHouse knows, unless it is set: an operator's own value stays.
//
// merge_selector_base says how many parts of about one size are merged into one. Rows are merged once for each power of it that lies between an insert
// and the table; merging costs more than inserting. With 10 instead of 5, merges took 3.3 us of processor time an event instead of 5.2, in 20 s at 70,000
// events a second.
func (s *Store) tune(ctx context.Context) error {
	const wanted = `SELECT toUInt8(
  (SELECT count() FROM system.merge_tree_settings WHERE name = 'merge_selector_base') = 1
  AND (SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'events' AND position(create_table_query, 'merge_selector_base') = 0) = 1)`
	var do uint8
	if err := s.conn.QueryRow(ctx, wanted).Scan(&do); err != nil {
		return fmt.Errorf("cannot ask for the settings of the events table: %w", withoutValues(err))
	}
	if do == 0 {
		return nil
	}
	if err := s.conn.Exec(ctx, "ALTER TABLE events MODIFY SETTING merge_selector_base = 10"); err != nil {
		return fmt.Errorf("cannot set up merges: %w", withoutValues(err))
	}
	return nil
}
