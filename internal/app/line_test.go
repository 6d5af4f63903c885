package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/netip"
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
	cfg.Data.Dir = t.TempDir()
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
	metrics.Run(t, "../../testdata/metrics", func(t *testing.T, sites []metrics.Site) metrics.System {
		t.Helper()
		return newLine(t, server, sites)
	})
}

// line is the server as one file sees it: its own sites and keys, its own clock.
type line struct {
	server *App
	ingest *ingest.Ingester
	stats  *stats.Service
	now    time.Time
}

func newLine(t *testing.T, server *App, sites []metrics.Site) *line {
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
	l := &line{server: server}
	l.ingest = ingest.New(ingest.Deps{
		Sites: server.sites, Keys: salt.New(rand.Reader), Agents: agent.New(agent.Config{Bot: bot.Detect}), Journal: spool{server.journal},
	})
	answers, err := stats.New(stats.Config{}, server.store, func() time.Time { return l.now })
	if err != nil {
		t.Fatal(err)
	}
	l.stats = answers
	return l
}

// Load ingests each line as the hit it describes; the members of the body are the line's own, and the rest is ignored by the decoder.
func (l *line) Load(t *testing.T, lines []byte) {
	t.Helper()
	for body := range bytes.Lines(lines) {
		var hit struct {
			Time time.Time  `json:"time"`
			IP   netip.Addr `json:"ip"`
			UA   string     `json:"ua"`
		}
		if err := json.Unmarshal(body, &hit); err != nil {
			t.Fatal(err)
		}
		verdict, err := l.ingest.Ingest(&ingest.Hit{Time: hit.Time, Address: hit.IP, Agent: hit.UA, Body: body})
		if err != nil || verdict.Kept != 1 {
			t.Fatalf("%s: %+v, %v", body, verdict, err)
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
	answer, err := l.stats.Answer(t.Context(), stats.Site{ID: one.ID, Domain: one.Domain, Zone: one.Zone(now)}, &q)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
