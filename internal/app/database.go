package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/store"
)

// database is the store with its schema brought to this version's before anything is written to it. A server that is away when daysalt starts is no reason
// not to start: the journal takes events meanwhile, and the schema is looked after when the server answers.
type database struct {
	*store.Store
	log      *slog.Logger
	embedded bool // the engine in this process

	mu       sync.Mutex // guards what follows
	migrated bool
}

// openDatabase returns a database whose server may be away. One that answers and refuses is an error: waiting would not mend it.
func openDatabase(ctx context.Context, s *store.Store, embedded bool, log *slog.Logger) (*database, error) {
	d := &database{Store: s, embedded: embedded, log: log}
	err := s.Ping(ctx)
	if _, answered := errors.AsType[*store.Exception](err); answered {
		return nil, err
	}
	if err != nil {
		log.Warn("the database does not answer yet; events are kept until it does", "error", err)
		return d, nil
	}
	err = d.migrate(ctx)
	return d, err
}

// migrate brings the schema to the newest version, unless that was done.
func (d *database) migrate(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.migrated {
		return nil
	}
	if err := d.Migrate(ctx); err != nil {
		return err
	}
	d.migrated = true
	return nil
}

// Insert stores rows under a token.
func (d *database) Insert(ctx context.Context, token string, rows []event.Row) error {
	if err := d.migrate(ctx); err != nil {
		return err
	}
	return d.Store.Insert(ctx, token, rows)
}

// Started says which server answers, and since when. The engine in this process has lost nothing when it starts again: what it wrote is in the kernel's memory
// until the machine is booted, which the boot's id shows.
func (d *database) Started(ctx context.Context) (server string, unix int64, err error) {
	if d.embedded {
		return "", 0, nil
	}
	return d.Store.Started(ctx)
}

// migrateLater looks after the schema until it is as it should be, also when no event comes.
func (d *database) migrateLater(ctx context.Context) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, migrateFor)
		err := d.migrate(attempt)
		cancel()
		if err == nil {
			return nil
		}
		d.log.Debug("the database does not answer yet", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(migrateEvery):
		}
	}
}

// How often it is tried to bring the schema of a database that was away to this version's, and how long one try may take.
const (
	migrateEvery = 5 * time.Second
	migrateFor   = 5 * time.Minute
)
