package app

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"testing"

	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/testkit"
)

// A deletion that was asked for and could not be done is done later: the site's id must not be lost with the site.
func TestRemove_finishedLater(t *testing.T) {
	cfg := config.Default()
	cfg.Data.Dir = t.TempDir()
	cfg.Engine.Library = testkit.Library(t)
	server, err := New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	err = server.shipping(func() error {
		one, err := server.sites.Add(t.Context(), "gone.example", "UTC", 396)
		if err != nil {
			return err
		}
		hit := ingest.Hit{
			Time: server.now(), Address: netip.MustParseAddr("192.0.2.1"),
			Agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
			Body:  []byte(`{"n":"pageview","u":"https://gone.example/"}`),
		}
		if v, err := server.ingest.Ingest(&hit); err != nil || v.Kept != 1 {
			t.Fatalf("%+v, %v", v, err)
		}
		// Remove does these two after each other; the command is interrupted between them.
		service := server.siteService()
		if _, err := service.Registry.Remove(t.Context(), "gone.example"); err != nil {
			t.Fatal(err)
		}
		interrupted, cancel := context.WithCancel(t.Context())
		cancel()
		if err := service.finish(interrupted); err == nil {
			t.Error("an interrupted deletion says that it is done")
		}
		if _, ok := server.sites.Lookup("gone.example"); ok {
			t.Error("the site is still measured")
		}
		if err := service.finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := countRows(t, server, one.ID); n != 0 {
			t.Errorf("%d events are left", n)
		}
		if ids, err := server.sites.Removed(t.Context()); err != nil || len(ids) != 0 {
			t.Errorf("still to do: %v, %v", ids, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func countRows(t *testing.T, server *App, siteID uint32) int {
	t.Helper()
	var n uint64
	err := server.store.Select(t.Context(), "SELECT count() FROM events WHERE site_id = {id:UInt32}", map[string]string{"id": strconv.Itoa(int(siteID))},
		func(scan func(dest ...any) error) error { return scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}
