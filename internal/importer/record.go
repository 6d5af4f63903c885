package importer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
)

// record is an import as the settings database has it.
type record struct {
	Progress
	keysAt time.Time // when its keys were made; zero: there are none
}

const columns = `id, lines, next_line, kept, dropped, forgotten, state, started_at, keys_at, ended_at`

// maxImports is how many ids there are.
const maxImports = 1<<16 - 1

// records is the table of imports.
type records struct{ db *sql.DB }

// begin returns the record of a file by what it is known by, a new one where there is none.
func (r records) begin(ctx context.Context, file string, lines uint64, now time.Time) (record, error) {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return record{}, fmt.Errorf("cannot begin the import: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing after Commit
	known, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM imports WHERE file = ?`, file))
	if !errors.Is(err, sql.ErrNoRows) {
		return known, err
	}
	var last uint64
	err = tx.QueryRowContext(ctx, `SELECT seq FROM sqlite_sequence WHERE name = 'imports'`).Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return record{}, fmt.Errorf("cannot begin the import: %w", err)
	}
	if last >= maxImports {
		return record{}, fault.Conflictf("imports", "were made %d times, which is as often as the database can tell them apart", last)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO imports (file, lines, state, started_at) VALUES (?, ?, ?, ?)`, file, lines, Open, now.Unix())
	if err != nil {
		return record{}, fmt.Errorf("cannot begin the import: %w", err)
	}
	made, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM imports WHERE file = ?`, file))
	if err != nil {
		return record{}, err
	}
	if err := tx.Commit(); err != nil {
		return record{}, fmt.Errorf("cannot begin the import: %w", err)
	}
	return made, nil
}

// get fails with NotFound for an unknown id.
func (r records) get(ctx context.Context, id uint16) (record, error) {
	found, err := scan(r.db.QueryRowContext(ctx, `SELECT `+columns+` FROM imports WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return record{}, fault.NotFoundf("id", "%d is not one of the imports", id)
	}
	return found, err
}

func (r records) all(ctx context.Context) ([]record, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT `+columns+` FROM imports ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("cannot read the imports: %w", err)
	}
	defer rows.Close()
	all := []record{}
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the imports: %w", err)
	}
	return all, nil
}

// save writes everything of a record that can change. It is durable when it returns.
func (r records) save(ctx context.Context, one record) error {
	dropped, err := json.Marshal(one.Dropped)
	if err != nil {
		return fmt.Errorf("cannot record the import: %w", err)
	}
	_, err = r.db.ExecContext(ctx, `UPDATE imports SET next_line = ?, kept = ?, dropped = ?, forgotten = ?, state = ?, keys_at = ?, ended_at = ? WHERE id = ?`,
		one.NextLine, one.Kept, string(dropped), one.Forgotten, one.State, seconds(one.keysAt), seconds(one.Ended), one.ID)
	if err != nil {
		return fmt.Errorf("cannot record the import: %w", err)
	}
	return nil
}

func (r records) remove(ctx context.Context, id uint16) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM imports WHERE id = ?`, id); err != nil {
		return fmt.Errorf("cannot forget the import: %w", err)
	}
	return nil
}

// scan reads one row. It returns sql.ErrNoRows as it is.
func scan(row interface{ Scan(dest ...any) error }) (record, error) {
	var one record
	var dropped string
	var started int64
	var keysAt, ended sql.NullInt64
	err := row.Scan(&one.ID, &one.Lines, &one.NextLine, &one.Kept, &dropped, &one.Forgotten, &one.State, &started, &keysAt, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return record{}, sql.ErrNoRows
	}
	if err != nil {
		return record{}, fmt.Errorf("cannot read the import: %w", err)
	}
	if err := json.Unmarshal([]byte(dropped), &one.Dropped); err != nil {
		return record{}, fmt.Errorf("cannot read the import: %w", err)
	}
	one.Started, one.keysAt, one.Ended = time.Unix(started, 0).UTC(), moment(keysAt), moment(ended)
	return one, nil
}

func seconds(t time.Time) sql.NullInt64 { return sql.NullInt64{Int64: t.Unix(), Valid: !t.IsZero()} }

func moment(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.Unix(n.Int64, 0).UTC()
}
