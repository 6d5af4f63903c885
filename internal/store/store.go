// Package store speaks ClickHouse: it opens the database, brings it to the present schema, inserts batches, answers questions and deletes.
//
// ship inserts through it and stats asks through it. The embedded engine and a server are the same to it: clickhouse-go over an in-process
// transport, or over the network.
//
// Invariants: every insert carries a deduplication token and is one block, so a batch that is sent twice under its token is stored once.
// What is deleted is off the disk when the call returns, and no partition or part is dropped for it: the tables would forget their tokens.
// Values reach SQL only as bound parameters. Texts of ClickHouse and of its driver quote values, so an error of this package has a code and a name, or the network's reason.
//
// It decides nothing about meaning (query does) and does not try again (ship does).
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/pressly/goose/v3"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/migrations"
)

// Config says which database to speak to: the one behind Transport if it is set, else the one DSN names.
type Config struct {
	DSN         string            // clickhouse://, http:// or https://
	Transport   http.RoundTripper // of the embedded engine
	Connections int               // at most this many at a time; 0 for 8
	MayBeAway   bool              // open it although it does not answer yet; not for Transport
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	conn    driver.Conn
	options *clickhouse.Options
	spare   atomic.Pointer[block] // buffers of the insert before
}

// embeddedDatabase is the embedded engine's database. Its "default" would answer a table name that is a path with the file's content.
const embeddedDatabase = "daysalt"

// Open connects, and checks that the database answers unless it may be away.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	options, err := optionsOf(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Transport != nil {
		if err := createDatabase(ctx, options); err != nil {
			return nil, err
		}
		options.Auth.Database = embeddedDatabase
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("cannot open ClickHouse: %w", err)
	}
	s := &Store{conn: conn, options: options}
	if cfg.MayBeAway {
		return s, nil
	}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

// createDatabase makes the embedded engine's database on a connection that does not use it yet.
func createDatabase(ctx context.Context, options *clickhouse.Options) error {
	first := *options
	conn, err := clickhouse.Open(&first)
	if err != nil {
		return fmt.Errorf("cannot open ClickHouse: %w", err)
	}
	err = conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+embeddedDatabase)
	if err != nil {
		err = fmt.Errorf("cannot make the database: %w", withoutValues(err))
	}
	return errors.Join(err, conn.Close())
}

func optionsOf(cfg Config) (*clickhouse.Options, error) {
	options := &clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{"embedded:8123"}}
	if cfg.Transport == nil {
		parsed, err := clickhouse.ParseDSN(withTLS(cfg.DSN))
		if err != nil {
			// The driver's text repeats the DSN, which holds a password.
			return nil, fault.Invalidf("clickhouse.dsn", "is not a ClickHouse DSN")
		}
		options = parsed
	} else {
		options.TransportFunc = func(*http.Transport) (http.RoundTripper, error) { return cfg.Transport, nil }
	}
	options.MaxOpenConns = cfg.Connections
	if options.MaxOpenConns == 0 {
		options.MaxOpenConns = 8
	}
	options.MaxIdleConns = options.MaxOpenConns
	options.ConnMaxLifetime = time.Hour
	return options, nil
}

// withTLS says in an https:// DSN what the driver wants to be told besides.
func withTLS(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "https" || u.Query().Has("secure") {
		return dsn
	}
	values := u.Query()
	values.Set("secure", "true")
	u.RawQuery = values.Encode()
	return u.String()
}

// Ping fails with Unavailable where the database does not answer.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.conn.Ping(ctx); err != nil {
		if _, answered := errors.AsType[*clickhouse.Exception](err); answered {
			return fault.Unavailablef(withoutValues(err), "ClickHouse refuses")
		}
		return fault.Unavailablef(withoutValues(err), "ClickHouse does not answer")
	}
	return nil
}

// Migrate brings the schema to the newest version.
func (s *Store) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations.ClickHouse, "clickhouse")
	if err != nil {
		return fmt.Errorf("cannot read the ClickHouse migrations: %w", err)
	}
	options := *s.options
	db := clickhouse.OpenDB(&options)
	if err := errors.Join(up(ctx, db, files), db.Close()); err != nil {
		return err
	}
	if err := s.tune(ctx); err != nil {
		return err
	}
	err = s.prepareDeletion(ctx)
	if _, refused := errors.AsType[*Exception](err); refused {
		return nil // Who deletes is told.
	}
	return err
}

func up(ctx context.Context, db *sql.DB, files fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectClickHouse, db, files)
	if err != nil {
		return fmt.Errorf("cannot read the ClickHouse migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil { // with its text: a migration holds nobody's values
		return fmt.Errorf("cannot migrate ClickHouse: %w", err)
	}
	return nil
}

// Select asks one question and calls each for every row of the answer. It fails with Unavailable where the question took more time or
// memory than its own SETTINGS allow. params are in ClickHouse's escaped text form, as query writes them.
func (s *Store) Select(ctx context.Context, query string, params map[string]string, each func(scan func(dest ...any) error) error) error {
	rows, err := s.conn.Query(clickhouse.Context(ctx, clickhouse.WithParameters(params)), query)
	if err != nil {
		return selectFault(err)
	}
	defer func() { _ = rows.Close() }() // reading has ended; rows.Err has what matters
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return fmt.Errorf("cannot read a row: %w", err)
		}
	}
	return selectFault(rows.Err())
}

// Codes of ClickHouse's errors that a reader can do something about.
const (
	codeTooManyRows    = 158
	codeTimeout        = 159
	codeTooSlow        = 160
	codeTooManyAtATime = 202
	codeMemory         = 241
)

func selectFault(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*clickhouse.Exception](err); ok {
		switch e.Code {
		case codeTooManyRows, codeTimeout, codeTooSlow, codeTooManyAtATime, codeMemory:
			return fault.Unavailablef(withoutValues(err), "the question needs more time or memory than a question may; ask for fewer days")
		}
	}
	if isAway(err) {
		return fault.Unavailablef(withoutValues(err), "the database does not answer")
	}
	return fmt.Errorf("cannot ask ClickHouse: %w", withoutValues(err))
}

// Exception is an error that ClickHouse answered, without its text.
type Exception struct {
	Code int32
	Name string
}

// Error returns the code and its name.
func (e *Exception) Error() string { return fmt.Sprintf("ClickHouse error %d %s", e.Code, e.Name) }

// withoutValues leaves of an error what cannot quote what a visitor sent. An exception's text repeats values, a failed request's text repeats
// its parameters, and what other texts of the driver hold nobody knows.
func withoutValues(err error) error {
	if e, ok := errors.AsType[*clickhouse.Exception](err); ok {
		return &Exception{Code: e.Code, Name: e.CodeName}
	}
	for _, plain := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, clickhouse.ErrAcquireConnTimeout} {
		if errors.Is(err, plain) {
			return plain
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if status := httpStatus(err); status != "" {
		return errors.New("HTTP status " + status)
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return fmt.Errorf("the driver's %T", err)
}

// httpStatus returns the status that the driver's error begins with when something before ClickHouse answered, or "".
func httpStatus(err error) string {
	_, rest, found := strings.Cut(err.Error(), "[HTTP ")
	if status, _, ok := strings.Cut(rest, "]"); found && ok && len(status) == 3 && strings.Trim(status, "0123456789") == "" {
		return status
	}
	return ""
}

// isAway says whether an error means that the database was not reached.
func isAway(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	switch httpStatus(err) {
	case "502", "503", "504":
		return true
	}
	_, failed := errors.AsType[*url.Error](err)
	return (failed || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, clickhouse.ErrAcquireConnTimeout)) &&
		!errors.Is(err, context.Canceled)
}

// RemoveSite deletes a site's rows and returns when they are gone, from the disk too.
func (s *Store) RemoveSite(ctx context.Context, siteID uint32) error {
	return s.deleteRows(ctx, "events", fmt.Sprintf("site_id = %d", siteID), nil)
}

// RemoveImport deletes the rows that came with an import and returns when they are gone, from the disk too.
func (s *Store) RemoveImport(ctx context.Context, origin uint16) error {
	return s.deleteRows(ctx, "events", fmt.Sprintf("origin = %d", origin), nil)
}

// Close ends the connections.
func (s *Store) Close() error {
	if err := s.conn.Close(); err != nil {
		return fmt.Errorf("cannot close ClickHouse: %w", err)
	}
	return nil
}
