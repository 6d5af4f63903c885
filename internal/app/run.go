package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/fault"
)

// stopFor bounds how long requests under way may take once the server stops.
const stopFor = 10 * time.Second

// Run serves until ctx ends, then stops in order: no new requests, the journal's events stored, everything closed. ready is called once
// with the public listener's address when requests are taken.
func (a *App) Run(ctx context.Context, ready func(public net.Addr)) error {
	return a.shipping(func() error { return a.serve(ctx, ready) })
}

// Do runs the line without listeners, for a command on a data directory that no server holds, and closes everything when do returns.
func (a *App) Do(do func(c *admin.Client) error) error {
	return a.shipping(func() error { return do(a.Client()) })
}

// shipping runs around work what writes to the database and what destroys keys, and closes everything afterwards. The writers stop last: they store what work kept.
func (a *App) shipping(work func() error) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var group errgroup.Group
	group.Go(func() error { return a.store.migrateLater(ctx) })
	group.Go(func() error { return a.ship.Run(ctx) })
	group.Go(func() error { return a.abuse.Run(ctx) })
	group.Go(func() error { return every(ctx, tendEvery, func() { a.keys.Tend(ctx) }) })
	err := work()
	stop()
	return errors.Join(err, group.Wait(), a.Close())
}

// serve opens the listeners and answers until ctx ends or one of them fails.
func (a *App) serve(ctx context.Context, ready func(net.Addr)) error {
	l, err := a.listen(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	serveHTTP(ctx, group, l.socket, a.commands())
	if l.operators != nil {
		serveHTTP(ctx, group, l.operators, admin.NewListener(a.metrics(), a))
	}
	group.Go(func() error { return a.geo.Watch(ctx) })
	group.Go(func() error { return every(ctx, tidyEvery, func() { a.tidyKeys(ctx) }) })
	group.Go(func() error { return every(ctx, finishEvery, func() { a.finishRemovals(ctx) }) })
	group.Go(func() error { return every(ctx, finishEvery, func() { a.tendImports(ctx) }) })
	group.Go(func() error { return every(ctx, finishEvery, func() { a.finishImportRemovals(ctx) }) })
	group.Go(func() error { return a.retention.run(ctx) })
	group.Go(func() error { return a.tendProcs(ctx) })
	group.Go(func() error { return a.web.Serve(l.public) })
	group.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFor)
		defer cancel()
		err := a.web.Shutdown(stop)
		_ = l.public.Close() // Shutdown closes it only if Serve has begun; else Serve would never end
		return err
	})
	if ready != nil {
		ready(l.public.Addr())
	}
	err = group.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.Warn("some requests did not end in time and were cut off")
		return nil
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("cannot go on serving: %w", err)
	}
	return nil
}

// How often it is looked whether something is due that was promised for a time, whether or not an event or a command comes by.
const (
	tendEvery   = time.Second
	tidyEvery   = 10 * time.Minute
	finishEvery = time.Minute
	finishFor   = 30 * time.Minute
)

// every calls do at each tick until ctx ends. Each promise has a ticker of its own: none may wait for another.
func every(ctx context.Context, interval time.Duration, do func()) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			do()
		}
	}
}

// finishRemovals deletes the events of removed sites whose deletion was interrupted. Nobody waits for it, and rewriting a large table takes
// minutes: with a command's patience it would begin anew each time.
func (a *App) finishRemovals(ctx context.Context) {
	service := a.siteService()
	service.patience = finishFor
	if err := service.finish(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("cannot delete the events of a removed site yet", "error", err)
	}
}

// listeners are where a server is reached.
type listeners struct {
	public, socket net.Listener
	operators      net.Listener // nil where the settings want none
}

// listen opens all listeners or none.
func (a *App) listen(ctx context.Context) (*listeners, error) {
	var lc net.ListenConfig
	var l listeners
	var err error
	if l.public, err = lc.Listen(ctx, "tcp", a.cfg.Web.Listen); err != nil {
		return nil, fault.Invalidf("web.listen", "cannot listen on %s: %v", a.cfg.Web.Listen, err)
	}
	if a.cfg.Admin.Listen != "" {
		if l.operators, err = lc.Listen(ctx, "tcp", a.cfg.Admin.Listen); err != nil {
			return nil, errors.Join(fault.Invalidf("admin.listen", "cannot listen on %s: %v", a.cfg.Admin.Listen, err), l.public.Close())
		}
	}
	if l.socket, err = a.listenSocket(ctx); err != nil {
		err = errors.Join(err, l.public.Close())
		if l.operators != nil {
			err = errors.Join(err, l.operators.Close())
		}
		return nil, err
	}
	return &l, nil
}

// serveHTTP answers with net/http on a listener until ctx ends.
func serveHTTP(ctx context.Context, group *errgroup.Group, l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFor)
		defer cancel()
		return server.Shutdown(stop)
	})
}

// listenSocket opens the admin socket for the owner alone. A socket file left behind by a killed server is no server: the lock on the
// data directory says so.
func (a *App) listenSocket(ctx context.Context) (net.Listener, error) {
	path := filepath.Join(a.cfg.Data.Dir, SocketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot remove the old admin socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fault.Invalidf("data.dir", "cannot hold the admin socket (its path may be at most about 100 bytes long): %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot protect the admin socket: %w", err), l.Close())
	}
	return l, nil
}
