package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/daysalt/daysalt/internal/fault"
)

// Deleting is three things, and none is left out: rows are answered no more, the parts that are rewritten without them are durable, and what was there before is off the
// disk: the parts of before, those that merges had replaced earlier and that were waiting for their end, and the text of the statement, which the table keeps in a file. It
// never drops a partition or a part, with which the table would forget the tokens of their inserts.

// deletionSettings are what the tables need for that.
//
//   - A part that a merge or a mutation makes is synced before those that it replaces go; else a power cut would take rows that were stored long ago. So these need not wait.
//   - A part without rows stays until a merge takes it: the table forgets tokens together with it.
//   - The texts of all statements but the last go; the last one has nobody's values in it (applyMask).
func deletionSettings() []tableSetting {
	return []tableSetting{
		{"events", "min_rows_to_fsync_after_merge", "1"},
		{"events", "old_parts_lifetime", "0"},
		{"events", "remove_empty_parts", "0"},
		{"events", "finished_mutations_to_keep", "1"},
		{"abuse", "min_rows_to_fsync_after_merge", "1"},
		{"abuse", "fsync_part_directory", "1"},
		{"abuse", "old_parts_lifetime", "0"},
		{"abuse", "finished_mutations_to_keep", "1"},
	}
}

// tableSetting is a setting of a table, and the value that it is to have.
type tableSetting struct{ table, setting, value string }

// prepareDeletion sets them, but for those that somebody set: an operator's own value stays. Every deletion does it again, because a server that refuses it must not keep
// events from being stored.
func (s *Store) prepareDeletion(ctx context.Context) error {
	for _, one := range deletionSettings() {
		const wanted = `SELECT toUInt8((SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = {table:String}
  AND position(create_table_query, {setting:String}) = 0) = 1)`
		var do uint8
		with := clickhouse.Context(ctx, clickhouse.WithParameters(map[string]string{"table": one.table, "setting": one.setting + " ="}))
		if err := s.conn.QueryRow(with, wanted).Scan(&do); err != nil {
			return fmt.Errorf("cannot ask for the settings of a table: %w", withoutValues(err))
		}
		if do == 0 {
			continue
		}
		if err := s.conn.Exec(ctx, "ALTER TABLE "+one.table+" MODIFY SETTING "+one.setting+" = "+one.value); err != nil {
			return fmt.Errorf("cannot set up deletion: %w", withoutValues(err))
		}
	}
	return nil
}

// deleteRows deletes the rows of a table for which the condition where holds. When it returns nil they are answered no more, no byte of them is in the table's files, and no
// restart brings them back. Inserts that are sent again under their tokens are still dropped. Where nothing matches and nothing is left of an attempt before, nothing is
// rewritten. It may be called again after an error, which is Unavailable where the database was not reached.
//
// where is SQL of this package. What people typed stands in it as {name:Type} and is bound by params, as it is.
func (s *Store) deleteRows(ctx context.Context, table, where string, params map[string]string) error {
	if err := s.prepareDeletion(ctx); err != nil {
		return err
	}
	if err := s.settle(ctx, table); err != nil {
		return err
	}
	n, err := s.countRows(ctx, table, where, params)
	if err == nil && n > 0 {
		err = s.mutate(ctx, "DELETE FROM "+table+" WHERE "+where, params)
	}
	if err == nil {
		err = s.purge(ctx, table)
	}
	if err != nil {
		return deletionFault("cannot delete rows of "+table, err)
	}
	return nil
}

// countRows returns how many rows there are for which where holds.
func (s *Store) countRows(ctx context.Context, table, where string, params map[string]string) (n uint64, err error) {
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(escapeParams(params)), clickhouse.WithSettings(clickhouse.Settings{"log_queries": 0}))
	err = s.conn.QueryRow(ctx, "SELECT count() FROM "+table+" WHERE "+where).Scan(&n)
	return n, err
}

// mutate runs a statement that rewrites parts, and waits for it.
func (s *Store) mutate(ctx context.Context, statement string, params map[string]string) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(escapeParams(params)), clickhouse.WithSettings(clickhouse.Settings{
		"mutations_sync": 2, "lightweight_deletes_sync": 2, "log_queries": 0,
	}))
	return s.conn.Exec(ctx, statement)
}

// purgeEvery is how often it is looked whether the files are gone.
const purgeEvery = 200 * time.Millisecond

// maskAgain is after how many looks in vain the mask is applied again.
const maskAgain = 50

// purge takes off the disk what was deleted or replaced until now, and waits until it is gone.
func (s *Store) purge(ctx context.Context, table string) error {
	if err := s.applyMask(ctx, table); err != nil {
		return err
	}
	left, err := s.leftOver(ctx, table)
	for looks := 1; err == nil && len(left) > 0; looks++ {
		if looks%maskAgain == 0 { // Somebody else's statement may have ended behind ours, and be the last one now.
			if err := s.applyMask(ctx, table); err != nil {
				return err
			}
		}
		// It wakes whoever removes files, who sleeps for minutes else. Not every server lets everybody; one that does not removes them in its own time.
		_ = s.conn.Exec(ctx, "SYSTEM START CLEANUP "+table)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(purgeEvery):
		}
		var now map[string]bool
		now, err = s.leftOver(ctx, table)
		for name := range left { // What merges replace meanwhile has none of the rows.
			if !now[name] {
				delete(left, name)
			}
		}
	}
	return err
}

// applyMask rewrites the parts that have deleted rows without them. It does nothing where there is neither such a part nor a statement before it whose text is still kept.
func (s *Store) applyMask(ctx context.Context, table string) error {
	const question = `SELECT
  (SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = {table:String} AND active AND has_lightweight_delete) +
  (SELECT count() FROM system.mutations WHERE database = currentDatabase() AND table = {table:String} AND ` + otherStatement + `)`
	var n uint64
	with := clickhouse.Context(ctx, clickhouse.WithParameters(map[string]string{"table": table}))
	if err := s.conn.QueryRow(with, question).Scan(&n); err != nil || n == 0 {
		return err
	}
	return s.mutate(ctx, "ALTER TABLE "+table+" APPLY DELETED MASK", nil)
}

// otherStatement says of a mutation that it is not that of applyMask, with or without the brackets that depend on the version.
const otherStatement = "command NOT IN ('APPLY DELETED MASK', '(APPLY DELETED MASK)')"

// leftOver returns the parts that were replaced and the statements that are done, as far as their files are still there.
func (s *Store) leftOver(ctx context.Context, table string) (map[string]bool, error) {
	const question = `SELECT name FROM system.parts WHERE database = currentDatabase() AND table = {table:String} AND NOT active
UNION ALL SELECT mutation_id FROM system.mutations WHERE database = currentDatabase() AND table = {table:String} AND ` + otherStatement
	left := map[string]bool{}
	err := s.Select(ctx, question, map[string]string{"table": table}, func(scan func(dest ...any) error) error {
		var name string
		err := scan(&name)
		left[name] = true
		return err
	})
	return left, err
}

// escapeParams returns values in the text form that ClickHouse reads, in which a backslash begins an escape and a tab or a line break would end the value.
func escapeParams(params map[string]string) map[string]string {
	escape := strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`, "\b", `\b`, "\f", `\f`, "'", `\'`)
	escaped := make(map[string]string, len(params))
	for name, value := range params {
		escaped[name] = escape.Replace(value)
	}
	return escaped
}

// deletionFault is Unavailable where the database was not reached, or did not get ready in time.
func deletionFault(what string, err error) error {
	if fault.KindOf(err) == fault.Unavailable {
		return err
	}
	if isAway(err) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Unavailablef(withoutValues(err), "%s: the database does not answer, or needs more time", what)
	}
	return fmt.Errorf("%s: %w", what, withoutValues(err))
}
