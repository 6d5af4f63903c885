package ship

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
)

// database is a sink that may be away and refuses some rows for their content. When its power is cut it loses the parts that it stored last and forgets the tokens that it
// learned last, which are not synced together.
type database struct {
	t      *testing.T
	before func() error           // its error means that nothing was stored
	after  func() error           // is called behind every part; its error comes although that was stored
	poison func(*event.Row) error // why a row is refused; nil for no row

	mu      sync.Mutex
	started int64
	calls   []string // of Insert, their tokens
	probes  int
	parts   []inserted
	tokens  []string
	sent    map[string][]string // the paths of a token and month, whenever it was sent
}

// inserted is what is stored under a token, of one month.
type inserted struct {
	at   time.Time
	rows []event.Row
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	return &database{t: t, started: 1000, sent: map[string][]string{}}
}

func (d *database) Insert(ctx context.Context, token string, rows []event.Row) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, token)
	if err := d.reached(ctx); err != nil {
		return err
	}
	months := map[int][]event.Row{}
	for _, r := range rows {
		months[monthOf(r.Day)] = append(months[monthOf(r.Day)], r)
	}
	for month, part := range months {
		if slices.Contains(d.tokens, fmt.Sprint(token, " of ", month)) {
			continue
		}
		for i := range part {
			if d.poison != nil {
				if err := d.poison(&part[i]); err != nil {
					return err
				}
			}
		}
	}
	for _, month := range slices.Sorted(maps.Keys(months)) {
		if err := d.store(fmt.Sprint(token, " of ", month), months[month]); err != nil {
			return err
		}
	}
	return nil
}

// set changes what happens behind every part, while a Shipper runs.
func (d *database) set(after func() error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.after = after
}

func (d *database) reached(ctx context.Context) error {
	if err := ctx.Err(); err != nil || d.before == nil {
		return err
	}
	return d.before()
}

func (d *database) store(token string, rows []event.Row) error {
	var paths []string
	for i := range rows {
		paths = append(paths, rows[i].Path)
	}
	if had, ok := d.sent[token]; ok && !slices.Equal(had, paths) {
		d.t.Errorf("token %s came again with %q, and had %q", token, paths, had)
	}
	d.sent[token] = paths
	if !slices.Contains(d.tokens, token) {
		d.tokens = append(d.tokens, token)
		d.parts = append(d.parts, inserted{time.Now(), rows})
	}
	if d.after != nil {
		return d.after()
	}
	return nil
}

func (d *database) Stored(ctx context.Context, rows []event.Row) (stored, known bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.probes++
	if err := d.reached(ctx); err != nil {
		return false, false, err
	}
	if slices.ContainsFunc(rows, func(r event.Row) bool { return monthOf(r.Day) != monthOf(rows[0].Day) }) {
		d.t.Error("rows of several months are asked for at once")
	}
	for i := range rows {
		known = known || rows[i].Visitor != 0
		for _, p := range d.parts {
			stored = stored || rows[i].Visitor != 0 && slices.ContainsFunc(p.rows, func(r event.Row) bool { return keyOf(&r) == keyOf(&rows[i]) })
		}
	}
	return stored, known, nil
}

func keyOf(r *event.Row) [5]uint64 {
	return [5]uint64{uint64(r.SiteID), uint64(r.Day), r.Visitor, uint64(r.VisitStart), uint64(r.Seq)<<16 | uint64(r.Origin)}
}

func (d *database) Started(ctx context.Context) (string, int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return "db", d.started, d.reached(ctx)
}

// cut cuts its power: of the parts that are not older than keep, it loses up to so many of the last ones; and it forgets so many of the last tokens.
func (d *database) cut(keep time.Duration, parts, tokens int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := 0; n < parts && len(d.parts) > 0; n++ {
		last := len(d.parts) - 1
		if time.Since(d.parts[last].at) >= keep {
			break
		}
		d.parts = d.parts[:last]
	}
	d.tokens = d.tokens[:max(0, len(d.tokens)-tokens)]
	d.started += 100
}

func (d *database) rows() (all []event.Row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, in := range d.parts {
		all = append(all, in.rows...)
	}
	return all
}

// inQuarantine returns the lines of the quarantine file.
func (l *line) inQuarantine() (lines []quarantined) {
	l.t.Helper()
	b, err := os.ReadFile(filepath.Join(l.cfg.Dir, "quarantine.jsonl"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var q quarantined
		if err := json.Unmarshal(line, &q); err != nil {
			l.t.Error(err)
		}
		lines = append(lines, q)
	}
	return lines
}

// pathsOf returns the paths of the events in the quarantine, sorted.
func pathsOf(t *testing.T, lines []quarantined) (paths []string) {
	t.Helper()
	for _, q := range lines {
		var f event.Frame
		var e event.Event
		if err := f.Decode(q.Frame, &e); err != nil {
			t.Error(err)
		}
		paths = append(paths, e.Path)
	}
	slices.Sort(paths)
	return paths
}

// isPoison says whether a row is one that the database refuses.
func isPoison(r *event.Row) bool { return strings.HasSuffix(r.Path, "!") }

func refuse(r *event.Row) error {
	if isPoison(r) {
		return fmt.Errorf("cannot send: %w", &fault.Error{Kind: fault.Invalid, Field: "path", Message: "violates a constraint", Err: errors.New("the value is " + r.Path)})
	}
	return nil
}

// checkStored wants every row of the events once, as an undisturbed run would make it, but for those that are refused: these are in the quarantine, once each.
func (l *line) checkStored(d *database, events []event.Event) {
	l.t.Helper()
	want := map[string]event.Row{}
	var refused []string
	for _, r := range joined(events) {
		if isPoison(&r) && d.poison != nil {
			refused = append(refused, r.Path)
		} else {
			want[r.Path] = r
		}
	}
	got := map[string]event.Row{}
	for _, r := range d.rows() {
		if _, twice := got[r.Path]; twice {
			l.t.Errorf("event %s is stored twice", r.Path)
		}
		got[r.Path] = r
	}
	if diff := cmp.Diff(want, got); diff != "" {
		missing := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(p string) bool { _, ok := got[p]; return ok })
		l.t.Errorf("%d rows, want %d; missing %q; rows differ from those of an undisturbed run:\n%.3000s", len(got), len(want), missing, diff)
	}
	slices.Sort(refused)
	if diff := cmp.Diff(refused, pathsOf(l.t, l.inQuarantine())); diff != "" {
		l.t.Errorf("quarantine: %s", diff)
	}
}

// Random traffic with rows that are refused, through a Shipper that dies at every step there is, a journal that is closed and opened, and a database that
// is away now and then and whose power is cut, so that it loses what it acknowledged last, and forgets tokens, which may be others.
func TestCrash_everything(t *testing.T) {
	first := uint64(time.Now().UnixNano() % 1_000_000)
	t.Logf("seeds from %d", first)
	for seed := first; seed < first+8; seed++ {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			everything(t, l, rand.New(rand.NewPCG(seed, 9)))
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

func everything(t *testing.T, l *line, rng *rand.Rand) {
	t.Helper()
	d := newDatabase(t)
	d.poison = refuse
	luck := rand.New(rand.NewPCG(rng.Uint64(), 0)) // under the lock of d
	var left atomic.Int64
	die := func() {
		if left.Add(-1) == 0 {
			runtime.Goexit()
		}
	}
	fail := func() error {
		die()
		if luck.IntN(5) == 0 {
			return errors.New("the connection broke")
		}
		return nil
	}
	l.cfg.Now = func() time.Time { die(); return time.Now() }
	l.failpoint = func(string) { die() }
	var events []event.Event
	at := int64(noon)
	feed := func() {
		for range rng.IntN(8) {
			at += rng.Int64N(400)
			path := fmt.Sprintf("/%d", len(events))
			if rng.IntN(12) == 0 {
				path += "!"
			}
			events = append(events, event.Event{
				SiteID: 1, Day: event.Day(at / 86_400), Time: at - rng.Int64N(5), Visitor: 1 + rng.Uint64N(8), Name: "pageview", Path: path, Source: "s" + path,
			})
			if rng.IntN(6) == 0 {
				events[len(events)-1].Day += 31
			}
			l.append(events[len(events)-1])
		}
	}
	l.cfg.Keep = time.Duration(1+rng.IntN(300)) * time.Millisecond
	for range 12 {
		d.before, d.after = fail, fail
		left.Store(1 + rng.Int64N(150))
		l.cfg.BatchRows, l.cfg.FlushEvery = 1+rng.IntN(20), time.Duration(1+rng.IntN(100))*time.Millisecond
		l.cfg.CheckpointEvery = time.Duration(1+rng.IntN(100)) * time.Millisecond
		l.startWith(d)
	alive:
		for range 30 {
			feed()
			if rng.IntN(8) == 0 {
				d.cut(l.cfg.Keep, rng.IntN(6), rng.IntN(9))
			}
			select {
			case <-l.dead:
				break alive
			case <-time.After(time.Duration(rng.IntN(80)) * time.Millisecond):
			}
		}
		<-l.dead // It goes on until then, at the next look at the clock at the latest.
		if rng.IntN(3) == 0 {
			d.cut(l.cfg.Keep, rng.IntN(6), rng.IntN(9))
		}
		if rng.IntN(3) == 0 {
			l.closeJournal()
			l.openJournal()
		}
	}
	d.before, d.after, l.cfg.Now, l.failpoint = nil, nil, time.Now, nil
	l.startWith(d)
	time.Sleep(time.Second) // It asks the database.
	l.flush()
	l.end()
	l.checkStored(d, events)
}
