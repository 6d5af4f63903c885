package importer_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/bot"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/importer"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
)

// world is what outlives a process: the disk, the database, the machine's memory. The services in it are real, and so are ingest and the settings database;
// journal and ship are as short as they can be.
type world struct {
	t    *testing.T
	dir  string
	db   *sql.DB
	deps importer.Deps

	mu      sync.Mutex
	now     time.Time
	boot    time.Duration
	frames  [][]byte          // in the journal
	full    int               // so many frames may come before the journal is full; below 0: it is not
	away    error             // what a flush fails with
	entered chan struct{}     // a flush says that it began
	leave   chan struct{}     // and waits here
	highest map[uint16]uint64 // of ship
	rows    map[uint16][]row  // stored
	keys    map[uint16]*keys  // in the runtime directory
	dropped int               // frames that ship had seen
	early   uint64            // visits of each import that ship forgot since it began
}

// row is one stored event.
type row struct {
	path    string
	visitor uint64
}

// keys are throwaway keys; the number of a person is the secret and the last byte of the address.
type keys struct {
	w      *world
	id     uint16
	secret uint64
	made   time.Duration // since boot
	old    bool
}

func (k *keys) Expired() bool {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	return k.expired()
}

func (k *keys) expired() bool { return k.old || k.w.boot-k.made >= importer.KeysFor }

func (k *keys) Number(_ uint32, zone *time.Location, t time.Time, address netip.Addr, _ string) (event.Day, uint64, error) {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	if k.expired() {
		return 0, 0, fmt.Errorf("cannot make the number: %w", importer.ErrExpired)
	}
	year, month, day := t.In(zone).Date()
	days := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400
	return event.Day(days), k.secret + uint64(address.AsSlice()[3]), nil
}

func (k *keys) Destroy() error {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	delete(k.w.keys, k.id)
	return nil
}

func (k *keys) Close() error { return nil }

func (w *world) open(id uint16, begun bool) (importer.Keys, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.keys[id]
	if k != nil && k.expired() || k == nil && begun {
		delete(w.keys, id)
		return nil, importer.ErrExpired
	}
	if k == nil {
		var secret [8]byte
		_, _ = rand.Read(secret[:])
		k = &keys{w: w, id: id, made: w.boot, secret: binary.LittleEndian.Uint64(secret[:]) &^ 0xff}
		w.keys[id] = k
	}
	return k, nil
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass lets time go by on both clocks.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.boot = w.now.Add(d), w.boot+d
}

// Append is the journal's.
func (w *world) Append(frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full == 0 {
		return fault.Unavailablef(nil, "the server cannot keep more events now")
	}
	w.full--
	w.frames = append(w.frames, slices.Clone(frame))
	return nil
}

// Flush is ship's: it stores what is in the journal, each seq once.
func (w *world) Flush(ctx context.Context) error {
	if w.entered != nil {
		w.entered <- struct{}{}
		select {
		case <-w.leave:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away != nil {
		return w.away
	}
	for _, b := range w.frames {
		var f event.Frame
		var e event.Event
		if err := f.Decode(b, &e); err != nil {
			w.t.Error(err)
		}
		switch {
		case f.Type == event.EndFrame:
			delete(w.highest, f.Origin)
		case f.Seq <= w.highest[f.Origin]:
			w.dropped++
		default:
			w.highest[f.Origin] = f.Seq
			w.rows[f.Origin] = append(w.rows[f.Origin], row{e.Path, e.Visitor})
		}
	}
	w.frames = nil
	return nil
}

// Forgotten is ship's.
func (w *world) Forgotten(uint16) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.early
}

// RemoveImport is the store's.
func (w *world) RemoveImport(_ context.Context, origin uint16) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away != nil {
		return w.away
	}
	delete(w.rows, origin)
	return nil
}

// paths returns the stored pages of an import, in order.
func (w *world) paths(id uint16) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, one := range w.rows[id] {
		all = append(all, one.path)
	}
	return all
}

// set changes the world.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), now: time.Date(2026, 11, 22, 12, 0, 0, 987654321, time.UTC), full: -1,
		highest: map[uint16]uint64{}, rows: map[uint16][]row{}, keys: map[uint16]*keys{},
	}
	db, err := settings.Open(t.Context(), filepath.Join(w.dir, "settings.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	sites, err := site.NewRegistry(t.Context(), db, w.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sites.Add(t.Context(), "example.com", "UTC", 90); err != nil {
		t.Fatal(err)
	}
	w.db = db
	w.deps = importer.Deps{
		DB: db, Ship: w, Rows: w, Open: w.open, Clock: w,
		Ingest: ingest.New(ingest.Deps{Sites: sites, Agents: agent.New(agent.Config{Bot: bot.Detect}), Journal: w, Now: w.Now}),
	}
	return w
}

// service is a process that begins.
func (w *world) service() *importer.Service {
	s := importer.New(w.deps)
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return s
}

const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"

// line is a pageview of a person, ten seconds after the one before.
func line(n, person int) string {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC).Add(time.Duration(n) * 10 * time.Second)
	return fmt.Sprintf(`{"time":%q,"ip":"192.0.2.%d","ua":%q,"n":"pageview","u":"https://example.com/p%d"}`+"\n", at.Format(time.RFC3339), person, chrome, n)
}

// text is lines from to, both included.
func text(from, to int) []byte {
	var b []byte
	for n := from; n <= to; n++ {
		b = append(b, line(n, 1+n%3)...)
	}
	return b
}

// pagesOf is what text(from, to) becomes.
func pagesOf(from, to int) []string {
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, fmt.Sprintf("/p%d", n))
	}
	return all
}

// kind asserts a fault's kind and field.
func kind(t *testing.T, err error, want fault.Kind, field string) {
	t.Helper()
	got, ok := errors.AsType[*fault.Error](err)
	if !ok || got.Kind != want || got.Field != field {
		t.Errorf("%v; want kind %d, field %q", err, want, field)
	}
}
