package app

import (
	"context"
	"os"
	"time"

	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/salt"
	"github.com/daysalt/daysalt/internal/salt/pgkeys"
)

// openKeyStore opens what keys are kept in, where the settings want them. It comes before anything is made in the data directory: a setting that is
// refused leaves nothing behind. Keys are never in the data directory.
func (a *App) openKeyStore(ctx context.Context) error {
	switch a.cfg.Salt.Storage {
	case config.StorageRuntime:
		return a.openRuntimeDir()
	case config.StoragePostgres:
		shared, err := pgkeys.Open(ctx, a.cfg.Salt.DSN)
		if err != nil {
			return fault.Invalidf("salt.dsn", "%v", err)
		}
		a.onClose("the shared keys", func() error { shared.Close(); return nil })
		a.sharedKeys = shared
		a.tryShared(ctx)
		return a.openRuntimeDir() // for imports
	}
	return nil
}

// tryShared says at the start that the shared keys cannot be had. The server counts nevertheless, with keys of its own.
func (a *App) tryShared(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := a.sharedKeys.Ping(ctx); err != nil {
		a.log.Warn("the shared keys cannot be reached, this server begins with keys of its own", "setting", "salt.dsn", "error", err)
	}
}

// openKeys opens the keys of live traffic, and destroys those that were left behind.
func (a *App) openKeys(_ context.Context) error {
	if !salt.Erasing {
		a.log.Warn("built without GOEXPERIMENT=runtimesecret: copies of a key may outlive it on the process's stacks")
	}
	var err error
	if a.installation, err = salt.OpenInstallation(a.cfg.Data.Dir, a.log); err != nil {
		return err
	}
	cfg := salt.Config{Storage: salt.Memory}
	if a.runtimeDir != nil {
		if err := a.installation.Remember(a.runtimeDir); err != nil {
			return err
		}
		cfg.Storage, cfg.File = salt.Runtime, a.runtimeDir.KeyFile(a.installation)
	}
	if a.sharedKeys != nil {
		if err := cfg.File.Destroy(); err != nil { // from before the keys were shared
			return err
		}
		cfg = salt.Config{Storage: salt.Postgres, Shared: a.sharedKeys}
	}
	if a.keys, err = salt.Open(cfg, a.clock, a.log); err != nil {
		return err
	}
	a.onClose("the keys", a.keys.Close)
	a.sweeper = salt.NewSweeper(a.installation, a.runtimeDir, os.Getenv, a.clock, a.log)
	a.sweeper.Sweep()
	return nil
}

// openRuntimeDir opens the directory for keys in files, if there is one: those of live traffic where they are not shared, and those of imports.
func (a *App) openRuntimeDir() error {
	dir, err := salt.RuntimeDir(a.cfg.Salt.RuntimeDir, os.Getenv, a.log)
	if err != nil {
		return err
	}
	if dir == nil {
		a.log.Warn("no directory in memory (tmpfs) for keys: a restart ends imports, and counts today's visitors anew where keys are not shared", "setting", "salt.runtime_dir")
		return nil
	}
	a.log.Info("keys are kept in a directory in memory", "directory", dir.Path())
	a.runtimeDir = dir
	a.onClose("the runtime directory", dir.Close)
	return nil
}

// tidyKeys drops shared keys that their nodes left behind.
func (a *App) tidyKeys(ctx context.Context) {
	if a.sharedKeys == nil {
		return
	}
	err := a.sharedKeys.Tidy(ctx, func(name string, day event.Day) bool {
		zone, err := time.LoadLocation(name)
		return err == nil && salt.DayOf(a.now(), zone) > day
	})
	if err != nil && ctx.Err() == nil {
		a.log.Warn("cannot look for shared keys that are over", "error", err)
	}
}
