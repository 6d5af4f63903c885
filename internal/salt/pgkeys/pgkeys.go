// Package pgkeys keeps the days' keys of several nodes in a PostgreSQL they share, so that a visitor has one number whichever node is asked.
//
// salt calls Fetch shortly before a day begins and Drop when it is over; app calls Tidy now and then for the tables of nodes that died.
// There is one UNLOGGED table per date and time zone, which is dropped at the end. A table per date would not do: at +14 a date is over 26 hours
// before it is over at -12, and its key has to go then.
//
// Invariants: the database makes the secret, so it is in no statement, parameter or log, and an UNLOGGED table's rows are in no write-ahead log,
// replica or base backup. A row is never deleted or updated, because PostgreSQL keeps what such rows held. The key is the first half of the
// secret's SHA-256; it goes straight to where the caller wants it, and the secret is wiped from the buffer it was read into. All nodes that ask
// get one key. A date that was dropped, and any before it in its zone, never gets a key again, whatever a node's clock says. No error shows the
// connection string or a part of it.
//
// It does not decide when a day is over. It does not clear the database's own memory, nor disk blocks after the file system has them back: who
// reads those as root of the database's machine may find a key. pg_dump copies UNLOGGED tables unless told --no-unlogged-table-data. A crash of
// the database empties the tables; who asks after that gets a new key, and who has the old one goes on with it.
package pgkeys

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/salt"
)

// connectTimeout bounds an attempt to connect when the connection string does not; an attempt outlives the call that began it.
const connectTimeout = 10 * time.Second

var _ salt.Shared = (*Keys)(nil)

// Keys are the keys in one PostgreSQL database, in the schema that the connection creates tables in. It is safe for concurrent use.
type Keys struct {
	pool *pgxpool.Pool
}

// Open returns the Keys in the database of a connection string (postgres://...; PostgreSQL 13 or later). It fails only on a string
// that cannot be read: the first call that needs the database connects, and later ones connect again after an outage.
func Open(ctx context.Context, dsn string) (*Keys, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errDSN // err quotes the string, and finding the password in a bad one is guesswork
	}
	config.MaxConns = 2
	config.MinConns, config.MinIdleConns = 0, 0
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true } // calls are rare, and the database may have restarted
	if config.ConnConfig.ConnectTimeout == 0 || config.ConnConfig.ConnectTimeout > connectTimeout {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	// Nothing to gain from prepared statements, and poolers that change the connection between transactions lose them.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "daysalt"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, errDSN
	}
	return &Keys{pool: pool}, nil
}

// Ping says why the database cannot be used now, or nil.
func (k *Keys) Ping(ctx context.Context) error {
	if err := k.pool.Ping(ctx); err != nil {
		return connectError(ctx, err)
	}
	return nil
}

// Close ends the connections.
func (k *Keys) Close() { k.pool.Close() }

// Fetch writes the key of a date in a zone to *key, and makes one if no node has done so. Its error is salt.ErrOver when the date was destroyed,
// and otherwise says why there is no answer; *key is zero then. It takes as long as ctx allows when the database does not answer.
func (k *Keys) Fetch(ctx context.Context, zone string, day event.Day, key *[16]byte) error {
	name, err := tableName(zone, day)
	if err != nil {
		return err
	}
	err = k.inZone(ctx, zone, func(tx pgx.Tx, s schema) error {
		if over, err := s.isOver(ctx, tx, zone, day); err != nil {
			return err
		} else if over {
			return salt.ErrOver
		}
		table := s.ident(name)
		if s.has(name) {
			if ok, err := read(ctx, tx.Conn().PgConn(), table, key); err != nil || ok {
				return err
			}
			// A crash of the database left the table without its row.
			if _, err := tx.Exec(ctx, "DROP TABLE "+table); err != nil {
				return err
			}
		}
		if err := s.create(ctx, tx, table); err != nil {
			return err
		}
		ok, err := read(ctx, tx.Conn().PgConn(), table, key)
		if err == nil && !ok {
			err = errors.New("the database did not keep the secret it made")
		}
		return err
	})
	if err != nil {
		clear(key[:])
		return fmt.Errorf("cannot fetch the key of %s in %s: %w", date(day), zone, err)
	}
	return nil
}

// Drop destroys the keys of a date and of all dates before it in a zone, and remembers that they are over. It is no error when there are none.
// After an error the caller has to try again: a long pg_dump, for one, holds it up.
func (k *Keys) Drop(ctx context.Context, zone string, day event.Day) error {
	if _, err := tableName(zone, day); err != nil {
		return err
	}
	err := k.inZone(ctx, zone, func(tx pgx.Tx, s schema) error {
		if err := s.setOver(ctx, tx, zone, day); err != nil {
			return err
		}
		for _, name := range s.tables {
			z, d, ok := parseName(name)
			if !ok || z != zone || d > day {
				continue
			}
			if _, err := tx.Exec(ctx, "DROP TABLE "+s.ident(name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot destroy the key of %s in %s: %w", date(day), zone, err)
	}
	return nil
}

// Tidy does what Drop does for every key in the database whose date is over in its zone, according to the function given. The function must be
// quick; it may be asked about zones that this node does not use or know, and then says false to leave them to others. The error holds those of all tables.
func (k *Keys) Tidy(ctx context.Context, over func(zone string, day event.Day) bool) error {
	var names []string
	err := k.inTx(ctx, func(tx pgx.Tx) error {
		s, err := lookUp(ctx, tx)
		names = s.tables
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot list the keys: %w", err)
	}
	var errs []error
	for _, name := range names {
		if zone, day, ok := parseName(name); ok && over(zone, day) {
			errs = append(errs, k.Drop(ctx, zone, day))
		}
	}
	return errors.Join(errs...)
}

// inZone runs f in a transaction that has the zone for itself, with what the schema holds then.
func (k *Keys) inZone(ctx context.Context, zone string, f func(pgx.Tx, schema) error) error {
	return k.inTx(ctx, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, "daysalt keys of "+zone); err != nil {
			return err
		}
		s, err := lookUp(ctx, tx)
		if err != nil {
			return err
		}
		return f(tx, s)
	})
}

// inTx runs f in a transaction. Each of its statements has to see what was committed before it, or a wait for a lock would be in vain.
func (k *Keys) inTx(ctx context.Context, f func(pgx.Tx) error) error {
	conn, err := k.pool.Acquire(ctx)
	if err != nil {
		return connectError(ctx, err)
	}
	defer conn.Release()
	return statementError(ctx, pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, f))
}

// lock waits until the transaction is the only one that holds this name.
func lock(ctx context.Context, tx pgx.Tx, name string) error {
	sum := sha256.Sum256([]byte(name))
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(binary.LittleEndian.Uint64(sum[:8])))
	return err
}
