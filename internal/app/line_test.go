package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/bot"
	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/query"
	"github.com/daysalt/daysalt/internal/salt"
	"github.com/daysalt/daysalt/internal/stats"
	"github.com/daysalt/daysalt/internal/testkit"
	"github.com/daysalt/daysalt/internal/testkit/metrics"
)

// TestMetrics runs every file of testdata/metrics through the real line: ingest, journal, visits, ship, the engine, query and stats. The
// clock is the files' own; nothing else is replaced.
func TestMetrics(t *testing.T) {
	cfg := config.Default()
	cfg.Data.Dir, cfg.Salt.Storage = t.TempDir(), config.StorageMemory
	cfg.Engine.Library = testkit.Library(t)
	server, err := New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	shipped := make(chan error, 1)
	go func() { shipped <- server.ship.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-shipped; err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	origin := uint16(0)
	metrics.Run(t, "../../testdata/metrics", func(t *testing.T, sites []metrics.Site) metrics.System {
		t.Helper()
		origin++
		return newLine(t, server, sites, origin)
	})
}

// line is the server as one file sees it: its own sites, an import with its keys, its own clock.
type line struct {
	server *App
	ingest *ingest.Ingester
	file   *ingest.Import
	lines  uint64
	stats  *stats.Service
	now    time.Time
}

// after is when the files are imported: later than anything in them.
func after() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) }

func newLine(t *testing.T, server *App, sites []metrics.Site, origin uint16) *line {
	t.Helper()
	for _, s := range sites {
		// The longest retention: the files' dates are fixed, and the engine deletes by its own clock.
		if _, err := server.sites.Add(t.Context(), s.Domain, s.Zone, 3650); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := server.sites.Remove(context.Background(), s.Domain); err != nil {
				t.Error(err)
			}
		})
	}
	keys, err := salt.OpenThrowaway(salt.File{}, server.clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{server: server, file: &ingest.Import{Origin: origin, Keys: keys}}
	t.Cleanup(func() {
		if err := errors.Join(l.ingest.EndImport(origin), keys.Destroy()); err != nil {
			t.Error(err)
		}
	})
	l.ingest = ingest.New(ingest.Deps{
		Sites: server.sites, Agents: agent.New(agent.Config{Bot: bot.Detect}), Journal: spool{server.journal}, Now: after,
	})
	answers, err := stats.New(stats.Config{}, server.store, func() time.Time { return l.now })
	if err != nil {
		t.Fatal(err)
	}
	l.stats = answers
	return l
}

// Load imports each line as "daysalt import events" does.
func (l *line) Load(t *testing.T, lines []byte) {
	t.Helper()
	for text := range bytes.Lines(lines) {
		l.lines++
		verdict, err := l.ingest.Import(l.file, l.lines, text)
		if err != nil || verdict.Kept != 1 {
			t.Fatalf("%s: %+v, %v", text, verdict, err)
		}
	}
	if err := l.server.ship.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Ask answers a question at a moment.
func (l *line) Ask(t *testing.T, question []byte, now time.Time) []byte {
	t.Helper()
	l.now = now
	request, err := query.Parse(question)
	if err != nil {
		t.Fatal(err)
	}
	q := request.Questions[0].Question
	one, ok := l.server.sites.Lookup(q.Site)
	if !ok {
		t.Fatalf("%s is not one of the sites", q.Site)
	}
	answer, err := l.stats.Answer(t.Context(), stats.Site{ID: one.ID, Domain: one.Domain, Zone: one.Zone(now), Anonymous: !one.Visitors, MinVisitors: one.MinVisitors}, &q)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
