package app

import (
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/testkit"
)

// A deletion that was asked for and could not be done is done later: the site's id must not be lost with the site.
func TestRemove_finishedLater(t *testing.T) {
	cfg := config.Default()
	cfg.Data.Dir, cfg.Salt.Storage = t.TempDir(), config.StorageMemory
	cfg.Engine.Library = testkit.Library(t)
	server, err := New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	one, err := server.sites.Add(t.Context(), "gone.example", "UTC", 396)
	if err != nil {
		t.Fatal(err)
	}
	hit := ingest.Hit{
		Time: server.now(), Address: netip.MustParseAddr("192.0.2.1"),
		Agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		Body:  []byte(`{"n":"pageview","u":"https://gone.example/"}`),
	}
	if v, err := server.ingest.Ingest(&hit); err != nil || v.Kept != 1 {
		t.Fatalf("%+v, %v", v, err)
	}

	// Nothing is shipped yet, as while the database is away: the command must end, and say what will happen.
	service := server.siteService()
	service.patience = 50 * time.Millisecond
	if _, err := service.Remove(t.Context(), "gone.example"); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "will be deleted") {
		t.Errorf("an interrupted removal says %v", err)
	}
	if _, ok := server.sites.Lookup("gone.example"); ok {
		t.Error("the site is still measured")
	}

	err = server.shipping(func() error {
		if err := server.ship.Flush(t.Context()); err != nil {
			return err
		}
		if n := countRows(t, server, one.ID); n != 1 {
			t.Errorf("%d events arrived, want the one that was kept", n)
		}
		server.finishRemovals(t.Context())
		if n := countRows(t, server, one.ID); n != 0 {
			t.Errorf("%d events are left", n)
		}
		ids, err := server.sites.Removed(t.Context())
		if len(ids) != 0 {
			t.Errorf("still to do: %v", ids)
		}
		return err
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
