//go:build linux

package app

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/config"
)

// runtimeDir makes a directory in memory, as the keys need it.
func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "daysalt-test-") //nolint:usetesting // t.TempDir is on a disk.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// keyed opens the keys alone, makes one, begins an import, and closes all of it again as a server that stops does. It returns the log.
func keyed(t *testing.T, dataDir string, keys config.Salt) string {
	t.Helper()
	var log bytes.Buffer
	a := newApp(config.Config{Data: config.Data{Dir: dataDir}, Salt: keys}, slog.New(slog.NewTextHandler(&log, nil)))
	if err := a.open(t.Context(), a.openKeyStore, a.openKeys); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.keys.Number(1, time.UTC, a.now(), netip.MustParseAddr("192.0.2.1"), "agent"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.openThrowaway(7, false); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return log.String()
}

// files lists a directory by the first part of each name.
func files(t *testing.T, dir string) (kinds string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		kind, _, _ := strings.Cut(e.Name(), "-")
		all = append(all, kind)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// The keys of a day do not stay behind where a server kept them before its settings were changed.
func TestOpenKeys_settingsChange(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	f := func(what string, change func(before, now string) config.Salt, left string) {
		t.Helper()
		data, before, now := t.TempDir(), runtimeDir(t), runtimeDir(t)
		log := keyed(t, data, config.Salt{Storage: config.StorageRuntime, RuntimeDir: before})
		if got := files(t, before); got != "import keys" || !strings.Contains(log, "directory="+before) {
			t.Fatalf("%s: at first %q, log %s", what, got, log)
		}
		keyed(t, data, change(before, now))
		if got := files(t, before); got != left {
			t.Errorf("%s: left in the first directory: %q, want %q", what, got, left)
		}
	}
	f("nothing", func(before, _ string) config.Salt {
		return config.Salt{Storage: config.StorageRuntime, RuntimeDir: before}
	}, "import keys")
	f("another directory", func(_, now string) config.Salt {
		return config.Salt{Storage: config.StorageRuntime, RuntimeDir: now}
	}, "")
	f("from the environment", func(_, now string) config.Salt {
		t.Setenv("RUNTIME_DIRECTORY", now)
		return config.Salt{Storage: config.StorageRuntime}
	}, "")
	f("memory", func(_, _ string) config.Salt {
		return config.Salt{Storage: config.StorageMemory}
	}, "")
	// Nobody listens there: the server begins with keys of its own. Its imports stay in a file.
	shared := config.Salt{Storage: config.StoragePostgres, DSN: "postgres://salt@127.0.0.1:1/salt"}
	f("postgres", func(_, now string) config.Salt {
		t.Setenv("RUNTIME_DIRECTORY", now)
		return shared
	}, "")
	f("postgres with the same directory", func(before, _ string) config.Salt {
		t.Setenv("RUNTIME_DIRECTORY", before)
		return shared
	}, "import")
}

// Two data directories of one path, in two containers, do not share a key.
func TestOpenKeys_samePath(t *testing.T) {
	dir, data := runtimeDir(t), filepath.Join(t.TempDir(), "data")
	for range 2 {
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		keyed(t, data, config.Salt{Storage: config.StorageRuntime, RuntimeDir: dir})
		if err := os.RemoveAll(data); err != nil {
			t.Fatal(err)
		}
	}
	if got := files(t, dir); got != "import import keys keys" {
		t.Errorf("got %q", got)
	}
}
