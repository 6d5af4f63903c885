package stats_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"
	_ "time/tzdata" // zones must be there on a machine without them

	"github.com/daysalt/daysalt/internal/engine"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/stats"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/testkit"
)

// db is the one engine of this test binary; a process can hold only one data directory.
var db *store.Store

// lastSite gives every test sites of its own.
var lastSite atomic.Uint32

// lastBatch gives every batch a token of its own.
var lastBatch atomic.Uint32

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	library, ok := testkit.FindLibrary()
	if !ok {
		return 0, errors.New("libchdb.so is missing: run make engine")
	}
	dir, err := os.MkdirTemp("", "daysalt-stats-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	e, err := engine.Open(engine.Config{Library: library, DataDir: dir}, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = e.Close() }()
	ctx := context.Background()
	if db, err = store.Open(ctx, store.Config{Transport: e.RoundTripper()}); err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	if err := db.Migrate(ctx); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

func newSite(t *testing.T, domain, zoneName string) stats.Site {
	t.Helper()
	zone, err := time.LoadLocation(zoneName)
	if err != nil {
		t.Fatal(err)
	}
	return stats.Site{ID: lastSite.Add(1), Domain: domain, Zone: zone}
}

func insert(t *testing.T, rows []event.Row) {
	t.Helper()
	if err := db.Insert(t.Context(), fmt.Sprint("batch ", lastBatch.Add(1)), rows); err != nil {
		t.Fatal(err)
	}
}

func newService(t *testing.T, runner stats.Runner, now time.Time) *stats.Service {
	t.Helper()
	s, err := stats.New(stats.Config{}, runner, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// joiner is a plain assignment of visits. What it keeps of a visitor is the newest row, with the greatest time of the visit.
type joiner map[joinKey]*event.Row

type joinKey struct {
	site    uint32
	day     event.Day
	visitor uint64
}

func (j joiner) join(r *event.Row) {
	if r.Visitor == 0 {
		r.VisitStart = r.Time
		return
	}
	k := joinKey{r.SiteID, r.Day, r.Visitor}
	last := j[k]
	open := last != nil && r.Time-last.Time <= 30*60
	switch {
	case open:
		r.VisitStart, r.Seq = last.VisitStart, last.Seq+1
		r.EntryHost, r.EntryPage = last.EntryHost, last.EntryPage
		r.Source, r.Channel, r.Referrer = last.Source, last.Channel, last.Referrer
		r.UTMSource, r.UTMMedium, r.UTMCampaign, r.UTMContent, r.UTMTerm = last.UTMSource, last.UTMMedium, last.UTMCampaign, last.UTMContent, last.UTMTerm
	case r.Kind == event.Engagement: // in no visit
		r.VisitStart = r.Time
		return
	default:
		r.VisitStart, r.Seq, r.EntryHost, r.EntryPage = r.Time, 0, r.Hostname, r.Path
	}
	kept := *r
	if open {
		kept.Time = max(kept.Time, last.Time)
	}
	j[k] = &kept
}
