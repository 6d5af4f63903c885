package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestLoad_precedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "daysalt.yaml")
	write(t, file, "data:\n  dir: /from/file\nengine:\n  memory: 1GiB\n  threads: 3\njournal:\n  interval: 250ms\n  quota: 1GiB\n")
	flags := pflag.NewFlagSet("t", pflag.ContinueOnError)
	Flags(flags)
	if err := flags.Parse([]string{"--engine-threads=7", "--web-demo"}); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(file, []string{"DAYSALT_ENGINE_MEMORY=3GiB", "DAYSALT_ENGINE_THREADS=5", "PATH=/bin"}, flags)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Data.Dir != "/from/file" || cfg.Engine.Memory != 3<<30 || cfg.Engine.Threads != 7 || !cfg.Web.Demo {
		t.Errorf("wrong winner: %+v", cfg)
	}
	if cfg.Journal.Interval != 250*time.Millisecond || cfg.Web.Listen != ":8000" {
		t.Errorf("file or default lost: %+v", cfg)
	}
}

// A list is the same from the file, the environment and flags.
func TestLoad_list(t *testing.T) {
	file := filepath.Join(t.TempDir(), "daysalt.yaml")
	write(t, file, "web:\n  trusted_proxies:\n    - 10.0.0.0/8\n    - fd00::/8\n")
	flags := pflag.NewFlagSet("t", pflag.ContinueOnError)
	Flags(flags)
	if err := flags.Parse([]string{"--web-trusted-proxies=10.0.0.0/8", "--web-trusted-proxies", "fd00::/8"}); err != nil {
		t.Fatal(err)
	}
	for name, load := range map[string]func() (Config, error){
		"file": func() (Config, error) { return Load(file, nil, nil) },
		"environment": func() (Config, error) {
			return Load(file, []string{"DAYSALT_WEB_TRUSTED_PROXIES= 10.0.0.0/8,fd00::/8 "}, nil)
		},
		"flags": func() (Config, error) { return Load(file, []string{"DAYSALT_WEB_TRUSTED_PROXIES=192.0.2.1"}, flags) },
	} {
		cfg, err := load()
		if err != nil || !slices.Equal(cfg.Web.TrustedProxies, []string{"10.0.0.0/8", "fd00::/8"}) {
			t.Errorf("%s: %q, %v", name, cfg.Web.TrustedProxies, err)
		}
	}
	if cfg, err := Load(file, []string{"DAYSALT_WEB_TRUSTED_PROXIES="}, nil); err != nil || len(cfg.Web.TrustedProxies) != 0 {
		t.Errorf("the empty list: %q, %v", cfg.Web.TrustedProxies, err)
	}
}

// Every way to get a setting wrong names the setting.
func TestLoad_bad(t *testing.T) {
	f := func(yaml, env, want string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "daysalt.yaml")
		write(t, file, yaml)
		var environ []string
		if env != "" {
			environ = []string{env}
		}
		_, err := Load(file, environ, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("yaml %q env %q: got %v, want it to name %q", yaml, env, err, want)
		}
	}
	f("engine:\n  memroy: 1GiB\n", "", "engine.memroy")
	f("nonsense: 1\n", "", "nonsense")
	f("engine: [\n", "", "YAML")
	f("engine:\n  memory: lots\n", "", "engine.memory")
	f("engine:\n  memory: 1KiB\n", "", "engine.memory")
	f("engine:\n  memory: -1\n", "", "engine.memory")
	f("engine:\n  memory: 9EiB\n", "", "engine.memory")
	f("engine:\n  threads: many\n", "", "engine.threads")
	f("engine:\n  threads: 2.5\n", "", "engine.threads")
	f("journal:\n  quota: -1\n", "", "journal.quota")
	f("retention:\n  event_days: true\n", "", "retention.event_days")
	f("retention:\n  event_days: 30.9\n", "", "retention.event_days")
	f("web:\n  demo: 1\n", "", "web.demo")
	f("web:\n  trusted_proxies: [10.0.0.0/8, 10.1.0.0/16]\n", "", "web.trusted_proxies")
	f("web:\n  trusted_proxies: 7\n", "", "web.trusted_proxies")
	f("", "DAYSALT_WEB_TRUSTED_PROXIES=10.0.0.0/8, proxy.example", "web.trusted_proxies")
	f("web:\n  client_header: Cookie\n  trusted_proxies: [10.0.0.0/8]\n", "", "web.client_header")
	f("web:\n  client_header: CF-Connecting-IP\n", "", "web.client_header")
	f("salt:\n  storage: disk\n", "", "salt.storage")
	f("salt:\n  storage: memory\n  runtime_dir: /run/daysalt\n", "", "salt.runtime_dir")
	f("salt:\n  dsn: postgres://db/daysalt\n", "", "salt.dsn")
	f("salt:\n  storage: postgres\n", "", "salt.dsn")
	f("salt:\n  storage: postgres\n  dsn: mysql://db/daysalt\n", "", "salt.dsn")
	f("addresses:\n  store: sometimes\n", "", "addresses.store")
	f("journal:\n  sync: sometimes\n", "", "journal.sync")
	f("journal:\n  interval: 3 days\n", "", "journal.interval")
	f("journal:\n  quota: 1MiB\n", "", "journal.quota")
	f("retention:\n  event_days: -1\n", "", "retention.event_days")
	f("retention:\n  min_visitors: -1\n", "", "retention.min_visitors")
	f("retention:\n  min_visitors: 1001\n", "", "retention.min_visitors")
	f("web:\n  listen: here\n", "", "web.listen")
	f("web:\n  demo: perhaps\n", "", "web.demo")
	f("clickhouse:\n  dsn: mysql://x\n", "", "clickhouse.dsn")
	f("log:\n  level: loud\n", "", "log.level")
	f("log:\n  format: xml\n", "", "log.format")
	f("", "DAYSALT_ENGINE_MEMROY=1GiB", "DAYSALT_ENGINE_MEMROY")
	f("", "DAYSALT_ENGINE_THREADS=-1", "engine.threads")
	f("", "DAYSALT_DATA_DIR=", "data.dir")
}

func TestLoad_dsnIsNotShown(t *testing.T) {
	_, err := Load("", []string{"DAYSALT_CLICKHOUSE_DSN=mysql://u:hunter2@h/db"}, nil)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error must exist and hide the password: %v", err)
	}
}

func TestLoad_missingFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := Load("", nil, nil); err != nil {
		t.Errorf("no file is fine: %v", err)
	}
	if _, err := Load("named.yaml", nil, nil); err == nil {
		t.Error("a named file must be there")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every setting is in the documentation's table.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range keys() {
		if !strings.Contains(string(text), "\n| `"+s.key+"` |") {
			t.Errorf("docs/configuration.md has no row for %s", s.key)
		}
	}
}
