package pgkeys

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/daysalt/daysalt/internal/event"
)

const (
	prefix    = "daysalt_key_"     // of the keys' tables: daysalt_key_2026-11-22_Europe/Berlin
	daysTable = "daysalt_key_days" // which dates are over
	maxName   = 63                 // bytes of a name in PostgreSQL; what is longer is cut without an error
)

// schema is what the schema that the connection creates tables in holds of ours.
type schema struct {
	name   string
	tables []string // names that begin with prefix
}

func lookUp(ctx context.Context, tx pgx.Tx) (schema, error) {
	var s schema
	var name *string
	if err := tx.QueryRow(ctx, "SELECT current_schema()").Scan(&name); err != nil {
		return s, err
	}
	if name == nil {
		return s, errNoSchema
	}
	s.name = *name
	rows, err := tx.Query(ctx, `SELECT relname::text FROM pg_catalog.pg_class
		WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema()) AND relkind = 'r' AND starts_with(relname::text, $1)
		ORDER BY relname`, prefix)
	if err != nil {
		return s, err
	}
	s.tables, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return s, err
}

func (s schema) ident(table string) string { return pgx.Identifier{s.name, table}.Sanitize() }

func (s schema) has(table string) bool { return slices.Contains(s.tables, table) }

// create makes a key's table, with its secret in it: two random UUIDs, 244 random bits. ANALYZE, which would copy it to a logged table if it ever
// thought it worth remembering, is told to leave it alone.
func (s schema) create(ctx context.Context, tx pgx.Tx, table string) error {
	for _, statement := range []string{
		"CREATE UNLOGGED TABLE " + table + " (secret bytea NOT NULL)",
		"ALTER TABLE " + table + " ALTER COLUMN secret SET STATISTICS 0",
		"INSERT INTO " + table + " SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())",
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return creating(err, s.name)
		}
	}
	return nil
}

func (s schema) isOver(ctx context.Context, tx pgx.Tx, zone string, day event.Day) (bool, error) {
	if !s.has(daysTable) {
		return false, nil
	}
	var over bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+s.ident(daysTable)+" AS d WHERE d.zone = $1 AND d.over >= $2::date)", zone, date(day)).Scan(&over)
	return over, err
}

func (s schema) setOver(ctx context.Context, tx pgx.Tx, zone string, day event.Day) error {
	table := s.ident(daysTable)
	if !s.has(daysTable) {
		// Two nodes that create one table at once get an error in spite of IF NOT EXISTS. No one waits for a zone while holding this name.
		if err := lock(ctx, tx, daysTable); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+table+" (zone text PRIMARY KEY, over date NOT NULL)"); err != nil {
			return creating(err, s.name)
		}
	}
	_, err := tx.Exec(ctx, "INSERT INTO "+table+` AS d (zone, over) VALUES ($1, $2::date)
		ON CONFLICT (zone) DO UPDATE SET over = greatest(d.over, excluded.over)`, zone, date(day))
	return err
}

func date(day event.Day) string { return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly) }

func tableName(zone string, day event.Day) (string, error) {
	name := prefix + date(day) + "_" + zone
	if z, _, ok := parseName(name); !ok || z != zone {
		return "", fmt.Errorf("cannot name a key's table after time zone %q: at most %d letters, digits, _, +, / and -", zone, maxName-len(prefix)-len("2006-01-02_"))
	}
	return name, nil
}

// parseName is the reverse of tableName; ok is false for a table that is none of a key.
func parseName(name string) (zone string, day event.Day, ok bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok || len(name) > maxName {
		return "", 0, false
	}
	text, zone, ok := strings.Cut(rest, "_")
	if !ok || !regexp.MustCompile(`^[A-Za-z0-9_+/-]+$`).MatchString(zone) {
		return "", 0, false
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return "", 0, false
	}
	day = event.Day(t.Unix() / 86400)
	return zone, day, date(day) == text // a date that no Day holds is none of ours
}
