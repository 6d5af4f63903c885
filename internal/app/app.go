// Package app builds the whole server from its parts, runs it, and stops it without losing anything.
//
// It is the one place that knows every package. It constructs them by their constructors, from the database to the listener, so that data
// moves one way, and stops them in reverse: no new requests, then what the journal holds is stored, then the database is closed.
//
// Invariants: one process holds a data directory. Whatever New opened, Close closes, also when New itself fails half-way. A clean stop leaves
// no kept event behind that is not either stored or in the journal.
//
// It holds no rule about events, visits or numbers.
package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/daysalt/daysalt/dashboard"
	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/bot"
	"github.com/daysalt/daysalt/internal/clock"
	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/engine"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/geo"
	"github.com/daysalt/daysalt/internal/importer"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/journal"
	"github.com/daysalt/daysalt/internal/salt"
	"github.com/daysalt/daysalt/internal/salt/pgkeys"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/ship"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/stats"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/visit"
	"github.com/daysalt/daysalt/internal/web"
	"github.com/daysalt/daysalt/tracker"
)

// SocketName is the admin socket's file in the data directory.
const SocketName = "admin.sock"

// App is a whole server.
type App struct {
	cfg     config.Config
	version string
	log     *slog.Logger
	clock   *clock.Clock
	now     func() time.Time // the clock's

	installation *salt.Installation
	runtimeDir   *salt.Dir // where keys may be kept in files; nil for nowhere
	sweeper      *salt.Sweeper
	sharedKeys   *pgkeys.Keys // nil where keys are not shared
	db           *sql.DB      // settings
	sites        *site.Registry
	store        *database
	keys         *salt.Keys
	journal      *journal.Journal
	ship         *ship.Shipper
	geo          *geo.Database
	ingest       *ingest.Ingester
	stats        *stats.Service
	imports      *importer.Service
	abuse        *abuse.Recorder // nil: no address is noted
	web          *web.Server
	retention    *retention
	socket       *admin.Socket

	closers []closer // in the order they were opened
}

// closer is a part that must be closed, with the name for the error.
type closer struct {
	name  string
	close func() error
}

// New builds a server that does not run yet. ctx bounds the building only.
func New(ctx context.Context, cfg config.Config, version string, log *slog.Logger) (*App, error) {
	a := newApp(cfg, log)
	a.version = version
	if err := salt.Harden(); err != nil {
		return nil, err
	}
	if err := a.open(ctx, a.openKeyStore, a.openData, a.openStore, a.openKeys, a.openLine, a.openImports, a.openWeb); err != nil {
		return nil, err
	}
	return a, nil
}

// Migrate brings both databases to this version's schema.
func Migrate(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	a := newApp(cfg, log)
	if err := a.open(ctx, a.openData, a.openStore); err != nil {
		return err
	}
	return errors.Join(a.store.migrate(ctx), a.Close())
}

func newApp(cfg config.Config, log *slog.Logger) *App {
	c := clock.New()
	return &App{cfg: cfg, log: log, clock: c, now: c.Now}
}

// open runs the steps in order, and closes what they opened if one fails.
func (a *App) open(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return errors.Join(err, a.Close())
		}
	}
	return nil
}

func (a *App) onClose(name string, f func() error) { a.closers = append(a.closers, closer{name, f}) }

// openData takes the data directory and opens the settings database in it.
func (a *App) openData(ctx context.Context) error {
	if err := os.MkdirAll(a.cfg.Data.Dir, 0o700); err != nil {
		return fault.Invalidf("data.dir", "cannot be made: %v", err)
	}
	if info, err := os.Stat(a.cfg.Data.Dir); err == nil && info.Mode().Perm()&0o077 != 0 {
		a.log.Warn("other users can look into the data directory; chmod 700 closes it", "data_dir", a.cfg.Data.Dir)
	}
	unlock, err := lockDir(a.cfg.Data.Dir)
	if err != nil {
		return err
	}
	a.onClose("the data directory", unlock)
	db, err := settings.Open(ctx, filepath.Join(a.cfg.Data.Dir, "settings.db"))
	if err != nil {
		return err
	}
	a.db = db
	a.onClose("the settings database", db.Close)
	a.sites, err = site.NewRegistry(ctx, db, a.now)
	return err
}

// openStore opens the embedded engine or connects to a server, and migrates.
func (a *App) openStore(ctx context.Context) error {
	cfg := store.Config{DSN: a.cfg.ClickHouse.DSN}
	if cfg.DSN == "" {
		e, err := OpenEngine(a.cfg, a.log)
		if err != nil {
			return err
		}
		a.onClose("the embedded engine", e.Close)
		cfg.Transport = e.RoundTripper()
	}
	cfg.MayBeAway = cfg.DSN != ""
	s, err := store.Open(ctx, cfg)
	if err != nil {
		return err
	}
	a.onClose("the database connection", s.Close)
	a.store, err = openDatabase(ctx, s, cfg.Transport != nil, a.log)
	return err
}

// OpenEngine opens the embedded engine on the data directory's part for it.
func OpenEngine(cfg config.Config, log *slog.Logger) (*engine.Engine, error) {
	library, err := engine.FindLibrary(cfg.Engine.Library)
	if err != nil {
		return nil, err
	}
	return engine.Open(engine.Config{
		Library: library, DataDir: filepath.Join(cfg.Data.Dir, "clickhouse"),
		MemoryBytes: uint64(cfg.Engine.Memory), Threads: cfg.Engine.Threads,
	}, log)
}

// openLine opens what stands between a hit and the database.
func (a *App) openLine(_ context.Context) error {
	sync := journal.Interval
	if a.cfg.Journal.Sync == "always" {
		sync = journal.Always
	}
	quota := int64(a.cfg.Journal.Quota)
	j, err := journal.Open(journal.Config{
		Dir: filepath.Join(a.cfg.Data.Dir, "journal"), SegmentBytes: segmentBytes(quota), QuotaBytes: quota, MinFree: int64(a.cfg.Journal.MinFree),
		Sync: sync, Interval: a.cfg.Journal.Interval, Now: a.now,
	}, a.log)
	if err != nil {
		return err
	}
	a.journal = j
	a.onClose("the journal", j.Close)
	a.ship, err = ship.New(ship.Config{Dir: filepath.Join(a.cfg.Data.Dir, "ship"), Now: a.now, BootID: clock.BootID(), Local: a.store.embedded}, j, visit.New(), a.store, a.log)
	if err != nil {
		return err
	}
	a.onClose("the shipper", a.ship.Close)
	if a.geo, err = openGeo(a.cfg, a.log); err != nil {
		return err
	}
	deps := ingest.Deps{Sites: a.sites, Keys: a.keys, Agents: agent.New(agent.Config{Bot: bot.Detect}), Geo: a.geo, Journal: spool{j}, Now: a.now}
	if a.cfg.Addresses.Store {
		if a.abuse, err = abuse.New(abuse.Config{}, a.store, a.now, a.log); err != nil {
			return err
		}
		deps.Abuse = a.abuse
	}
	a.ingest = ingest.New(deps)
	return nil
}

// segmentBytes returns how large the journal's files are: an eighth of what they may take together, so that files can come and go, and at most 32 MiB,
// since two of them are in memory.
func segmentBytes(quota int64) int64 { return min(quota/8, 32<<20) &^ (1<<20 - 1) }

// openGeo opens the location database that is named, or the one beside the binary, or none.
func openGeo(cfg config.Config, log *slog.Logger) (*geo.Database, error) {
	if cfg.Geo.Database != "" {
		return geo.Open(cfg.Geo.Database, log)
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find the binary's folder: %w", err)
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(executable), "*.mmdb"))
	if err != nil {
		return nil, fmt.Errorf("cannot look for a location database: %w", err)
	}
	switch len(found) {
	case 0:
		log.Info("no location database, countries stay unknown", "setting", "geo.database")
		return nil, nil
	case 1:
		return geo.Open(found[0], log)
	}
	return nil, fault.Invalidf("geo.database", "must name one of the %d .mmdb files beside the binary", len(found))
}

// spool gives ingest the journal, with a full journal as a failure that the tracker may try again.
type spool struct{ journal *journal.Journal }

// Append keeps one frame.
func (s spool) Append(frame []byte) error {
	err := s.journal.Append(frame)
	if errors.Is(err, journal.ErrFull) {
		return fault.Unavailablef(err, "the server cannot keep more events now")
	}
	return err
}

// openWeb builds the read side and the edges.
func (a *App) openWeb(ctx context.Context) error {
	if a.cfg.Web.Demo {
		if err := a.ensureDemo(ctx); err != nil {
			return err
		}
	}
	answers, err := stats.New(stats.Config{}, a.store, a.now)
	if err != nil {
		return err
	}
	a.stats = answers
	proxies, err := address.ParseProxies(a.cfg.Web.TrustedProxies)
	if err != nil {
		return err
	}
	server, err := web.New(web.Config{
		Version: a.version, Demo: a.cfg.Web.Demo, Tracker: []byte(tracker.Script()), Dashboard: dashboard.Files(), Attribution: a.geo.Attribution,
		Proxies: proxies, ClientHeader: a.cfg.Web.ClientHeader, OptOut: []byte(tracker.OptOut()), StoresAddresses: a.cfg.Addresses.Store,
	}, a.hits(), a.stats, a.sites, a.log, a.now)
	if err != nil {
		return err
	}
	a.web = server
	a.retention = newRetention(a)
	a.socket = admin.NewSocket(admin.Services{
		Sites: retainedSites{a.siteService(), a.retention}, Abuse: abuseService{a.store, a.abuse != nil}, Imports: a.imports,
		Retention: newRetentionReport(a, a.retention), Erase: a.eraseService(),
	}, a.cfg.Retention.EventDays, a.now, a.log)
	return nil
}

// abuseService is the store, with whether there is anything new to expect in it.
type abuseService struct {
	*database
	recording bool
}

// Recording says whether masked addresses are noted.
func (s abuseService) Recording() bool { return s.recording }

func (a *App) ensureDemo(ctx context.Context) error {
	if _, ok := a.sites.Lookup(web.DemoDomain); ok {
		return nil
	}
	_, err := a.sites.Add(ctx, web.DemoDomain, "UTC", a.cfg.Retention.EventDays)
	return err
}

// Client returns a client of this server that needs no socket.
func (a *App) Client() *admin.Client { return admin.Local(a.socket) }

// Close closes what New opened, newest first. It may be called again.
func (a *App) Close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i].close(); err != nil {
			errs = append(errs, fmt.Errorf("cannot close %s: %w", a.closers[i].name, err))
		}
	}
	a.closers = nil
	return errors.Join(errs...)
}

// siteService is the registry, with the removal of a site's events.
type siteService struct {
	*site.Registry
	ship  *ship.Shipper
	store *database
	abuse *abuse.Recorder

	patience time.Duration // how long a deletion is waited for; where the database is away it is tried again later
}

// patience is siteService's, outside tests.
const patience = 8 * time.Second

// Remove takes the site away and deletes its events. An error means that the events are still there; finish will try again.
func (s siteService) Remove(ctx context.Context, domain string) (*site.Site, error) {
	one, err := s.Registry.Remove(ctx, domain)
	if err != nil {
		return nil, err
	}
	if err := s.finish(ctx); err != nil {
		return nil, fault.Unavailablef(err, "%s is no longer measured; its events will be deleted as soon as the database answers", one.Domain)
	}
	return one, nil
}

// finish deletes the events of removed sites: first it waits until what the journal holds of them is stored, and takes away what could bring it back.
func (s siteService) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	ids, err := s.Removed(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := errors.Join(forgetSites(ctx, s.ship, ids), s.abuse.Flush(ctx)); err != nil {
		return err
	}
	for _, id := range ids {
		if err := errors.Join(s.store.RemoveSite(ctx, id), s.store.RemoveAbuse(ctx, id)); err != nil {
			return err
		}
		if err := s.Forget(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) siteService() siteService {
	return siteService{a.sites, a.ship, a.store, a.abuse, patience}
}

// Ready says whether the database answers.
func (a *App) Ready(ctx context.Context) error { return a.store.Ping(ctx) }
