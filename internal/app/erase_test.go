package app

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/salt"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/testkit"
)

const agentText = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

// erasingServer runs the line of a server while do lasts.
func erasingServer(t *testing.T, do func(server *App)) {
	t.Helper()
	cfg := config.Default()
	cfg.Data.Dir, cfg.Salt.Storage = t.TempDir(), config.StorageMemory
	cfg.Engine.Library = testkit.Library(t)
	server, err := New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var closed bool
	defer func() {
		if !closed { // do gave up
			_ = server.Close()
		}
	}()
	err = server.shipping(func() error { do(server); return nil })
	closed = true
	if err != nil {
		t.Error(err)
	}
}

// hit keeps a pageview.
func hit(t *testing.T, server *App, domain, from, path string) {
	t.Helper()
	h := ingest.Hit{Time: server.now(), Address: netip.MustParseAddr(from), Agent: agentText, Body: []byte(`{"n":"pageview","u":"https://` + domain + path + `"}`)}
	if v, err := server.ingest.Ingest(&h); err != nil || v.Kept != 1 {
		t.Fatalf("%+v, %v", v, err)
	}
}

// pathsOf returns the paths that are stored.
func pathsOf(t *testing.T, server *App) (paths []string) {
	t.Helper()
	if err := server.ship.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := server.store.Select(t.Context(), "SELECT path FROM events ORDER BY path", nil, func(scan func(dest ...any) error) error {
		var path string
		err := scan(&path)
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// The number is made as ingest makes it: of the whole address, or of the masked one, where it is that of all in a network.
func TestErase_today(t *testing.T) {
	erasingServer(t, func(server *App) {
		masked, strict, days := "masked", "strict", 30
		zone := "Pacific/Kiritimati"
		for domain, change := range map[string]site.Change{
			"plain.example": {Timezone: &zone, RetentionDays: &days}, "masked.example": {Timezone: &zone, RetentionDays: &days, Preset: &masked}, "strict.example": {Timezone: &zone, RetentionDays: &days, Preset: &strict},
		} {
			if _, err := server.sites.Create(t.Context(), domain, change); err != nil {
				t.Fatal(err)
			}
		}
		erase := func(domain, ip, agent string) admin.EraseReport {
			t.Helper()
			report, err := server.eraseService().Erase(t.Context(), admin.EraseRequest{Domain: domain, Today: &admin.EraseWhom{IP: ip, UA: agent}})
			if err != nil || len(report.Left) > 0 {
				t.Errorf("%s: %+v, %v", domain, report, err)
			}
			return report
		}
		if report := erase("plain.example", "203.0.113.5", agentText); !report.NoKey || server.keys.Stats().InUse != 0 {
			t.Errorf("before the first event: %+v, %+v", report, server.keys.Stats())
		}
		for _, domain := range []string{"plain.example", "masked.example", "strict.example"} {
			name := "/" + domain[:1]
			hit(t, server, domain, "203.0.113.5", name+"/me")
			hit(t, server, domain, "203.0.200.9", name+"/near")
			hit(t, server, domain, "198.51.100.9", name+"/far")
		}
		all := []string{"/m/far", "/m/me", "/m/near", "/p/far", "/p/me", "/p/near", "/s/far", "/s/me", "/s/near"}
		step := func(domain, ip, agent string, gone ...string) {
			t.Helper()
			if report := erase(domain, ip, agent); report.Events != uint64(len(gone)) || report.NoKey {
				t.Errorf("%s %s: %+v", domain, ip, report)
			}
			all = slices.DeleteFunc(all, func(p string) bool { return slices.Contains(gone, p) })
			if diff := cmp.Diff(all, pathsOf(t, server)); diff != "" {
				t.Errorf("%s %s: %s", domain, ip, diff)
			}
		}
		step("plain.example", "203.0.113.5", "another agent")
		step("plain.example", "203.0.113.6", agentText)
		step("plain.example", "::ffff:203.0.113.5", agentText, "/p/me")
		step("masked.example", "203.0.113.5", agentText, "/m/me", "/m/near")
		_, err := server.eraseService().Erase(t.Context(), admin.EraseRequest{Domain: "strict.example", Today: &admin.EraseWhom{IP: "203.0.113.5", UA: agentText}})
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Invalid || f.Field != "today" || strings.Contains(err.Error(), "203.0") {
			t.Errorf("a site without visitor numbers: %v", err)
		}
	})
}

// Days are the site's, for events and for masked addresses, which are stored by the minute.
func TestErase_before(t *testing.T) {
	erasingServer(t, func(server *App) {
		zone, err := time.LoadLocation("Pacific/Kiritimati") // 14 hours ahead
		if err != nil {
			t.Fatal(err)
		}
		one, err := server.sites.Add(t.Context(), "a.example", zone.String(), 396)
		if err != nil {
			t.Fatal(err)
		}
		other, err := server.sites.Add(t.Context(), "b.example", zone.String(), 396)
		if err != nil {
			t.Fatal(err)
		}
		today := salt.DayOf(server.now(), zone)
		midnight := salt.EndOf(today-3, zone) // when the day before yesterday begins
		var rows []event.Row
		var masked []abuse.Row
		for _, s := range []*site.Site{one, other} {
			for i, at := range []time.Time{midnight.Add(-time.Minute), midnight, midnight.Add(time.Minute)} {
				day := salt.DayOf(at, zone)
				path := "/" + s.Domain[:1] + []string{"/before", "/at", "/after"}[i]
				rows = append(rows, event.Row{Event: event.Event{SiteID: s.ID, Day: day, Time: at.Unix(), Visitor: 1, Path: path, RetentionDays: 396}, VisitStart: at.Unix()})
				masked = append(masked, abuse.Row{SiteID: s.ID, Minute: at.Unix(), Address: netip.MustParseAddr("203.0.0.0"), Reason: "kept", Events: uint32(i + 1)})
			}
		}
		if err := server.store.Insert(t.Context(), "rows", rows); err != nil {
			t.Fatal(err)
		}
		if err := server.store.InsertAbuse(t.Context(), "rows", masked); err != nil {
			t.Fatal(err)
		}
		date := time.Unix(int64(today-2)*86_400, 0).UTC().Format(time.DateOnly)
		report, err := server.eraseService().Erase(t.Context(), admin.EraseRequest{Domain: "a.example", Before: date})
		if err != nil || report.Events != 1 || report.Abuse != 1 || len(report.Left) > 0 {
			t.Errorf("%+v, %v", report, err)
		}
		if diff := cmp.Diff([]string{"/a/after", "/a/at", "/b/after", "/b/at", "/b/before"}, pathsOf(t, server)); diff != "" {
			t.Error(diff)
		}
		sums, err := server.store.Abuse(t.Context(), abuse.Filter{SiteID: &one.ID, Limit: 10})
		if err != nil || len(sums) != 1 || sums[0].Events != 5 {
			t.Errorf("masked addresses: %+v, %v", sums, err)
		}
	})
}

// While the line does not go on nothing is erased, and the error says why.
func TestErase_unavailable(t *testing.T) {
	cfg := config.Default()
	cfg.Data.Dir, cfg.Salt.Storage = t.TempDir(), config.StorageMemory
	cfg.ClickHouse.DSN = "http://127.0.0.1:1"
	server, err := New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	err = server.shipping(func() error {
		if _, err := server.sites.Add(t.Context(), "a.example", "UTC", 396); err != nil {
			return err
		}
		hit(t, server, "a.example", "203.0.113.5", "/a")
		_, err := server.eraseService().Erase(t.Context(), admin.EraseRequest{Domain: "a.example", Path: "/a"})
		if fault.KindOf(err) != fault.Unavailable || server.journal.Stats().Frames != 1 {
			t.Errorf("%v", err)
		}
		service := server.eraseService()
		service.patience = 50 * time.Millisecond
		if err := service.barrier(t.Context()); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("the barrier: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
