package salt

import (
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/event"
)

var (
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	home  = netip.MustParseAddr("192.0.2.1")
	agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
)

// fakeClock goes on only when it is told to.
type fakeClock struct{ wall, boot atomic.Int64 }

func newClock() *fakeClock {
	c := &fakeClock{}
	c.set(noon)
	c.boot.Store(int64(time.Hour))
	return c
}

func (c *fakeClock) Now() time.Time          { return time.Unix(0, c.wall.Load()).UTC() }
func (c *fakeClock) Boot() time.Duration     { return time.Duration(c.boot.Load()) }
func (c *fakeClock) set(t time.Time)         { c.wall.Store(t.UnixNano()) }
func (c *fakeClock) sleep(d time.Duration)   { c.boot.Add(int64(d)) } // the wall stands still
func (c *fakeClock) advance(d time.Duration) { c.wall.Add(int64(d)); c.boot.Add(int64(d)) }

// shm makes a directory in memory, where the system has one.
func shm(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "daysalt-test-") //nolint:usetesting // t.TempDir is on a disk.
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func open(t *testing.T, cfg Config, clock Clock, log io.Writer) *Keys {
	t.Helper()
	if log == nil {
		log = io.Discard
	}
	k, err := Open(cfg, clock, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func memory(t *testing.T, clock Clock) *Keys {
	t.Helper()
	return open(t, Config{Storage: Memory}, clock, nil)
}

// numberer is Keys or Throwaway.
type numberer interface {
	Number(uint32, *time.Location, time.Time, netip.Addr, string) (event.Day, uint64, error)
}

func number(t *testing.T, k numberer, loc *time.Location, at time.Time) (event.Day, uint64) {
	t.Helper()
	day, n, err := k.Number(1, loc, at, home, agent)
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatal("visitor number 0")
	}
	return day, n
}

func keyFile(t *testing.T) Config {
	t.Helper()
	return Config{Storage: Runtime, File: fileAt(t, filepath.Join(shm(t), "keys-test"))}
}

func fileAt(t *testing.T, path string) File {
	t.Helper()
	f, err := openFileAt(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// openFileAt is for any directory: the temporary one may be on a disk.
func openFileAt(path string) (File, error) {
	dir, err := openDir(filepath.Dir(path))
	return File{dir, filepath.Base(path)}, err
}

func runtimeDir(t *testing.T, path string) *Dir {
	t.Helper()
	dir, err := openDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return dir
}

func install(t *testing.T) *Installation {
	t.Helper()
	i, err := OpenInstallation(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// hasKeys counts slots of a key file that are not empty, and such with any byte in the key's place.
func hasKeys(t *testing.T, file string) (slots, keys int) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := slotBytes; at+slotBytes <= len(b); at += slotBytes {
		if b[at] != byte(empty) {
			slots++
		}
		if strings.Trim(string(b[at+8:at+24]), "\x00") != "" {
			keys++
		}
	}
	return slots, keys
}
