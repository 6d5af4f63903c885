// Package settings opens the settings database: what people decided about their sites, as opposed to what visitors did.
//
// app opens it before anything else and hands the connection to the packages that own a table (site now, accounts and goals later).
//
// Invariants: an opened database has the newest schema. It never holds a key, a visitor number, an address or an agent.
//
// It knows no table: the SQL stands with the package that owns it.
package settings

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/daysalt/daysalt/migrations"
)

// Open opens the SQLite file at path, makes it (0600, its folder 0700) where it is not there, and migrates it.
func Open(ctx context.Context, path string) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder of the settings database: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot make the settings database: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("cannot make the settings database: %w", err)
	}
	// Writers wait for each other instead of failing; removing a site must remove its zones.
	options := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("cannot open the settings database: %w", err)
	}
	if err := migrate(ctx, db); err != nil {
		_ = db.Close() // the migration's error is the one to report
		return nil, err
	}
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations.Settings, "settings")
	if err != nil {
		return fmt.Errorf("cannot read the settings migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return fmt.Errorf("cannot read the settings migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("cannot migrate the settings database: %w", err)
	}
	return nil
}
