package load_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/bot"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/load"
	"github.com/daysalt/daysalt/internal/salt"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
)

// reader decodes what would be in the journal.
type reader struct {
	frame event.Frame
	event event.Event
}

func (r *reader) Append(b []byte) error { return r.frame.Decode(b, &r.event) }

// still is a clock that stands.
type still struct{}

func (still) Now() time.Time      { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
func (still) Boot() time.Duration { return time.Hour }

// The real ingest keeps every event: none is invalid, a bot's, or of an unknown site, and every id is in the journal as it was sent.
func TestGenerator_ingest(t *testing.T) {
	db, err := settings.Open(t.Context(), filepath.Join(t.TempDir(), "settings.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	registry, err := site.NewRegistry(t.Context(), db, still{}.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range sites {
		if _, err := registry.Add(t.Context(), domain, "UTC", 396); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := salt.Open(salt.Config{Storage: salt.Memory}, still{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	var stored reader
	in := ingest.New(ingest.Deps{Sites: registry, Keys: keys, Agents: agent.New(agent.Config{Bot: bot.Detect}), Journal: &stored, Now: still{}.Now})

	g := newGenerator(1 << 20)
	var e load.Event
	browsers, placeholders := map[string]int{}, 0
	for range 100_000 {
		g.NextEvent(&e)
		stored.event = event.Event{}
		v, err := in.Ingest(&ingest.Hit{
			Time: still{}.Now(), Address: e.Address, Agent: e.Agent, Language: e.Language, Body: e.Body,
			Hints: agent.Hints{Brands: e.Brands, Platform: e.Platform, Mobile: e.Mobile},
		})
		if err != nil || v.Kept != 1 || v.Dropped != 0 {
			t.Fatalf("%s by %s: %+v, %v", e.Body, e.Agent, v, err)
		}
		got := &stored.event
		n := slices.Index(got.PropKeys, "id")
		if n < 0 {
			t.Fatalf("%s has the properties %q", e.Body, got.PropKeys)
		}
		if id, ok := load.ParseID(got.PropValues[n]); !ok || id != e.ID {
			t.Fatalf("id %d is stored as %q", e.ID, got.PropValues[n])
		}
		browsers[got.Browser]++
		for _, text := range append([]string{got.Path, got.Referrer, got.UTMCampaign, got.Source, got.Name}, got.PropValues...) {
			if len(text) > 0 && text[0] == '{' || len(text) > 2 && text[len(text)-1] == '}' {
				placeholders++
			}
		}
	}
	t.Logf("browsers: %v", browsers)
	if len(browsers) < 10 || browsers[agent.Other] > 0 {
		t.Errorf("%d browsers, %d of no name", len(browsers), browsers[agent.Other])
	}
	if placeholders > 0 {
		t.Errorf("%d texts were redacted", placeholders)
	}
	if s := in.Stats(); s.Kept != 100_000 || s.Invalid != 0 {
		t.Errorf("%+v", s)
	}
}
