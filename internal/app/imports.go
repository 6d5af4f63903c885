package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/importer"
	"github.com/daysalt/daysalt/internal/salt"
)

// openImports prepares what imports of past events need.
func (a *App) openImports(_ context.Context) error {
	a.imports = importer.New(importer.Deps{
		DB: a.db, Ingest: a.ingest, Ship: a.ship, Rows: forgetful{a.store, a.ship}, Open: a.openThrowaway, Clock: a.clock, Log: a.log,
	})
	a.onClose("the imports", a.imports.Close)
	return nil
}

// openThrowaway opens the keys of one import: in the runtime directory, where there is one, else in memory alone.
func (a *App) openThrowaway(id uint16, begun bool) (importer.Keys, error) {
	file := a.runtimeDir.ThrowawayFile(a.installation, id)
	if begun && !file.Exists() { // the keys it began with must be there: new ones would make new people of the same
		return nil, importer.ErrExpired
	}
	keys, err := salt.OpenThrowaway(file, a.clock, a.log)
	if err != nil {
		return nil, expired(err)
	}
	if begun && keys.Fresh() { // the file was there, and damaged
		return nil, errors.Join(importer.ErrExpired, keys.Destroy())
	}
	return throwaway{keys}, nil
}

// throwaway says of its keys what importer understands.
type throwaway struct{ *salt.Throwaway }

// Number makes a visitor number of the import.
func (t throwaway) Number(siteID uint32, zone *time.Location, at time.Time, address netip.Addr, agent string) (event.Day, uint64, error) {
	day, number, err := t.Throwaway.Number(siteID, zone, at, address, agent)
	return day, number, expired(err)
}

func expired(err error) error {
	if errors.Is(err, salt.ErrExpired) {
		return fmt.Errorf("%w: %w", importer.ErrExpired, err)
	}
	return err
}

// tendImports destroys the keys of imports that are too old, and in files also what other servers left behind.
func (a *App) tendImports(ctx context.Context) {
	a.sweeper.Sweep()
	a.imports.Tend(ctx)
}

// finishImportRemovals deletes the events of removed imports whose deletion was interrupted.
func (a *App) finishImportRemovals(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, finishFor)
	defer cancel()
	if err := a.imports.FinishRemovals(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("cannot delete the events of a removed import yet", "error", err)
	}
}
