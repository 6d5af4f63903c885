// Package config says which settings there are, where they come from and which values are allowed.
//
// A setting comes from a flag, else the environment, else the file daysalt.yaml, else its default here. It is the first thing a command
// does; what comes out is a plain struct that app hands on in pieces.
//
// Invariants: a Config that Load returned is valid. A key, flag or DAYSALT_ variable that is not known is an error that names it, so that a
// typing mistake never runs with a default.
//
// It opens nothing and creates nothing, and it holds no setting of a site: those live in the settings database.
package config

import (
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/fault"
)

// Config is everything that is decided when the process starts.
type Config struct {
	Data       Data       `koanf:"data"`
	Web        Web        `koanf:"web"`
	Admin      Admin      `koanf:"admin"`
	ClickHouse ClickHouse `koanf:"clickhouse"`
	Engine     Engine     `koanf:"engine"`
	Journal    Journal    `koanf:"journal"`
	Geo        Geo        `koanf:"geo"`
	Salt       Salt       `koanf:"salt"`
	Addresses  Addresses  `koanf:"addresses"`
	Retention  Retention  `koanf:"retention"`
	Log        Log        `koanf:"log"`
}

// Data says where daysalt keeps its files.
type Data struct {
	Dir string `koanf:"dir" help:"data directory; one process holds it"`
}

// Web is the public listener.
type Web struct {
	Listen string `koanf:"listen" help:"address of the public listener"`
	Demo   bool   `koanf:"demo" help:"serve the demo page and measure it as demo.localhost"`

	TrustedProxies []string `koanf:"trusted_proxies" help:"networks of proxies whose X-Forwarded-For or Forwarded is believed, such as 10.0.0.0/8,fd00::/8; empty for none"`
	ClientHeader   string   `koanf:"client_header" help:"the one header that trusted proxies name the visitor's address in; empty for X-Forwarded-For and Forwarded"`
}

// Admin is the listener for operators: metrics, health, profiles. It has no access control, so it must stay on a private address.
type Admin struct {
	Listen string `koanf:"listen" help:"address of the operators' listener (metrics, health, pprof); empty for none"`
}

// ClickHouse chooses the database: the embedded engine where DSN is empty, else a server.
type ClickHouse struct {
	DSN string `koanf:"dsn" help:"clickhouse://USER:PASSWORD@HOST:9000/DATABASE or http(s)://...; empty for the embedded engine"`
}

// Engine bounds the embedded ClickHouse.
type Engine struct {
	Library string `koanf:"library" help:"path of libchdb.so; empty looks beside the binary and in the system's library folders"`
	Memory  Bytes  `koanf:"memory" help:"memory the embedded engine may use"`
	Threads int    `koanf:"threads" help:"threads one question may use; 0 for one per core"`
	Listen  string `koanf:"listen" help:"address 'daysalt engine' serves on"`
}

// Journal bounds the queue between accepting an event and storing it.
type Journal struct {
	Sync     string        `koanf:"sync" help:"interval: flush to disk every journal.interval; always: before every answer"`
	Interval time.Duration `koanf:"interval" help:"how much of the journal a power cut may lose, with journal.sync: interval"`
	Quota    Bytes         `koanf:"quota" help:"disk space the journal may use while the database is away"`
	MinFree  Bytes         `koanf:"min_free" help:"disk space the journal leaves free for everything else"`
}

// Geo names the location database.
type Geo struct {
	Database string `koanf:"database" help:"path of a country database (.mmdb, DB-IP or MaxMind); empty looks beside the binary"`
}

// Salt says where the keys of visitor numbers are kept while their day lasts.
type Salt struct {
	Storage    string `koanf:"storage" help:"runtime: a file in memory, survives a restart but no reboot; memory: in the process alone; postgres: for several nodes"`
	RuntimeDir string `koanf:"runtime_dir" help:"directory on tmpfs for keys in files (all, or with salt.storage postgres those of imports); empty looks for one"`
	DSN        string `koanf:"dsn" help:"postgres://USER:PASSWORD@HOST/DATABASE, for salt.storage postgres"`
}

// Addresses says whether shortened addresses are kept.
type Addresses struct {
	Store bool `koanf:"store" help:"keep each minute's masked addresses for 15 days, apart from the events, for defence against abuse"`
}

// Retention says how long rows are kept.
type Retention struct {
	EventDays   int `koanf:"event_days" help:"days after which a new site's events are deleted"`
	MinVisitors int `koanf:"min_visitors" help:"fewest visitors with which a value stays in a day's totals once the day's events are deleted"`
}

// Log says what is logged.
type Log struct {
	Level  string `koanf:"level" help:"debug, info, warn or error"`
	Format string `koanf:"format" help:"text or json"`
}

// Default returns every setting's default.
func Default() Config {
	return Config{
		Data:      Data{Dir: "./data"},
		Web:       Web{Listen: ":8000"},
		Admin:     Admin{Listen: "127.0.0.1:8001"},
		Engine:    Engine{Memory: 2 << 30, Listen: "127.0.0.1:8123"},
		Journal:   Journal{Sync: "interval", Interval: 100 * time.Millisecond, Quota: 4 << 30, MinFree: 64 << 20},
		Salt:      Salt{Storage: StorageRuntime},
		Retention: Retention{EventDays: 396, MinVisitors: 3},
		Log:       Log{Level: "info", Format: "text"},
	}
}

// Values of salt.storage.
const (
	StorageRuntime  = "runtime"
	StorageMemory   = "memory"
	StoragePostgres = "postgres"
)

// The least the parts can work with.
const (
	minEngineMemory = 512 << 20 // below it, merges of a busy site's month fail
	minJournalQuota = 16 << 20  // eight small segment files
	minJournalFree  = 1 << 20   // a checkpoint has to fit
	maxBytes        = 1 << 50   // more is a typing mistake
)

// validate returns the first setting whose value is not allowed, as a fault naming it.
func (c *Config) validate() error {
	switch {
	case c.Data.Dir == "":
		return fault.Invalidf("data.dir", "must name a directory")
	case c.Engine.Memory < minEngineMemory || c.Engine.Memory > maxBytes:
		return fault.Invalidf("engine.memory", "is %s, and must be between %s and %s", c.Engine.Memory, Bytes(minEngineMemory), Bytes(maxBytes))
	case c.Engine.Threads < 0 || c.Engine.Threads > 1024:
		return fault.Invalidf("engine.threads", "is %d, and must be between 0 and 1024", c.Engine.Threads)
	case c.Journal.Sync != "interval" && c.Journal.Sync != "always":
		return fault.Invalidf("journal.sync", "is %q, and must be interval or always", c.Journal.Sync)
	case c.Journal.Interval < 10*time.Millisecond || c.Journal.Interval > 10*time.Second:
		return fault.Invalidf("journal.interval", "is %s, and must be between 10ms and 10s", c.Journal.Interval)
	case c.Journal.Quota < minJournalQuota || c.Journal.Quota > maxBytes:
		return fault.Invalidf("journal.quota", "is %s, and must be between %s and %s", c.Journal.Quota, Bytes(minJournalQuota), Bytes(maxBytes))
	case c.Journal.MinFree < minJournalFree || c.Journal.MinFree > maxBytes:
		return fault.Invalidf("journal.min_free", "is %s, and must be between %s and %s", c.Journal.MinFree, Bytes(minJournalFree), Bytes(maxBytes))
	case c.Retention.MinVisitors < 0 || c.Retention.MinVisitors > 1000:
		return fault.Invalidf("retention.min_visitors", "is %d, and must be between 0 and 1000", c.Retention.MinVisitors)
	case c.Retention.EventDays < 1 || c.Retention.EventDays > 3650:
		return fault.Invalidf("retention.event_days", "is %d, and must be between 1 and 3650", c.Retention.EventDays)
	case c.Log.Format != "text" && c.Log.Format != "json":
		return fault.Invalidf("log.format", "is %q, and must be text or json", c.Log.Format)
	}
	if _, err := c.Log.SlogLevel(); err != nil {
		return err
	}
	if err := c.Salt.validate(); err != nil {
		return err
	}
	return c.validateAddresses()
}

func (s Salt) validate() error {
	isPostgres := strings.HasPrefix(s.DSN, "postgres://") || strings.HasPrefix(s.DSN, "postgresql://")
	switch {
	case s.Storage != StorageRuntime && s.Storage != StorageMemory && s.Storage != StoragePostgres:
		return fault.Invalidf("salt.storage", "is %q, and must be %s, %s or %s", s.Storage, StorageRuntime, StorageMemory, StoragePostgres)
	case s.RuntimeDir != "" && s.Storage == StorageMemory:
		return fault.Invalidf("salt.runtime_dir", "is not for salt.storage: %s", StorageMemory)
	case s.DSN != "" && s.Storage != StoragePostgres:
		return fault.Invalidf("salt.dsn", "is only for salt.storage: %s", StoragePostgres)
	case s.Storage == StoragePostgres && !isPostgres:
		// The value is not shown: it holds a password.
		return fault.Invalidf("salt.dsn", "must begin with postgres:// where salt.storage is %s", StoragePostgres)
	}
	return nil
}

func (c *Config) validateAddresses() error {
	if err := checkListen("web.listen", c.Web.Listen); err != nil {
		return err
	}
	if err := checkListen("engine.listen", c.Engine.Listen); err != nil {
		return err
	}
	if c.Admin.Listen != "" {
		if err := checkListen("admin.listen", c.Admin.Listen); err != nil {
			return err
		}
	}
	if _, err := address.ParseProxies(c.Web.TrustedProxies); err != nil {
		return err
	}
	if err := address.CheckHeader(c.Web.ClientHeader); err != nil {
		return err
	}
	if c.Web.ClientHeader != "" && len(c.Web.TrustedProxies) == 0 {
		return fault.Invalidf("web.client_header", "is believed from nobody until web.trusted_proxies names a network")
	}
	if dsn := c.ClickHouse.DSN; dsn != "" {
		scheme, _, ok := strings.Cut(dsn, "://")
		if !ok || (scheme != "clickhouse" && scheme != "http" && scheme != "https") {
			// The value is not shown: it holds a password.
			return fault.Invalidf("clickhouse.dsn", "must begin with clickhouse://, http:// or https://")
		}
	}
	return nil
}

func checkListen(key, listen string) error {
	_, port, err := net.SplitHostPort(listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fault.Invalidf(key, "is %q, and must be HOST:PORT or :PORT", listen)
	}
	return nil
}

// SlogLevel returns the level as log/slog knows it.
func (l Log) SlogLevel() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return 0, fault.Invalidf("log.level", "is %q, and must be debug, info, warn or error", l.Level)
	}
	return level, nil
}

// Bytes is a size, written as "512MiB", "4GiB" or a plain number of bytes.
type Bytes uint64

// UnmarshalText reads a size.
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil {
		return fault.Invalidf("size", "%q must be a size such as 512MiB or 4GiB", text)
	}
	*b = Bytes(n)
	return nil
}

// String returns the size with a unit.
func (b Bytes) String() string { return humanize.IBytes(uint64(b)) }

// MarshalText returns the size with a unit.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }
