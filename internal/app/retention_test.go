package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/testkit"
)

// retained is a server whose retention a test tends, at a time of its own.
type retained struct {
	*testing.T
	app *App
	*retention
	at    time.Time
	token int
}

// noon is the time of these tests: of tomorrow, so that the engine's own clock, by which it applies TTLs, is behind it whenever a test runs.
var noon = sync.OnceValue(func() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(36 * time.Hour) })

func newRetained(t *testing.T) *retained {
	t.Helper()
	cfg := config.Default()
	cfg.Data.Dir, cfg.Salt.Storage = t.TempDir(), config.StorageMemory
	cfg.Engine.Library = testkit.Library(t)
	server, err := New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &retained{T: t, app: server, at: noon()}
	r.retention = newRetention(server)
	r.now = func() time.Time { return r.at }
	ctx, stop := context.WithCancel(context.Background())
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
	for _, table := range []string{"events", "abuse"} { // what is deleted, the code under test deletes
		r.texts("SYSTEM STOP TTL MERGES " + table)
	}
	return r
}

func (r *retained) add(domain, zone string, days int) uint32 {
	r.Helper()
	one, err := r.app.sites.Add(r.Context(), domain, zone, days)
	if err != nil {
		r.Fatal(err)
	}
	return one.ID
}

func (r *retained) set(domain string, days int) {
	r.Helper()
	if _, err := r.app.sites.Set(r.Context(), domain, site.Change{RetentionDays: &days}); err != nil {
		r.Fatal(err)
	}
}

// insert stores a row of so many days ago, with the site and its age for a path.
func (r *retained) insert(site uint32, age, days int) {
	r.Helper()
	insertAged(r.T, r.app.store.Store, site, age, days, fmt.Sprint("aged", r.token))
	r.token++
}

func insertAged(t *testing.T, s *store.Store, site uint32, age, days int, token string) {
	t.Helper()
	row := event.Row{Event: event.Event{SiteID: site, Day: dayOf(noon(), time.UTC) - event.Day(age), RetentionDays: uint16(days), Path: fmt.Sprintf("/%d/%d", site, age)}}
	if err := s.Insert(t.Context(), token, []event.Row{row}); err != nil {
		t.Fatal(err)
	}
}

func (r *retained) texts(question string) []string {
	r.Helper()
	return askTexts(r.T, r.app.store.Store, question)
}

func askTexts(t *testing.T, s *store.Store, question string) []string {
	t.Helper()
	var texts []string
	err := s.Select(t.Context(), question, nil, func(scan func(dest ...any) error) error {
		var text string
		err := scan(&text)
		texts = append(texts, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

const (
	heldRows = "SELECT concat(path, ' ', toString(retention_days)) FROM events ORDER BY path"
	// Another mutation of a table makes it larger. Their count does not say it: old ones go.
	mutations = "SELECT toString(sum(n)) FROM (SELECT max(toUInt64(extract(mutation_id, '[0-9]+'))) AS n FROM system.mutations GROUP BY table)"
)

// tends looks once, and says whether the database was changed.
func (r *retained) tends(changes bool, want ...string) {
	r.Helper()
	before := r.texts(mutations)[0]
	r.tend(r.Context())
	if after := r.texts(mutations)[0]; (after != before) != changes {
		r.Errorf("%s mutations before and %s afterwards, want a change: %t", before, after, changes)
	}
	if diff := cmp.Diff(want, r.texts(heldRows)); diff != "" {
		r.Error(diff)
	}
}

func (r *retained) expectOverdue(want map[string]float64) {
	r.Helper()
	got := map[string]float64{}
	r.overdue(func(class string, seconds float64) { got[class] = seconds })
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("overdue: %s", diff)
	}
}

// What is over goes at the first look and every six hours, and rows follow their site's retention within a look. Otherwise nothing is done.
func TestRetention(t *testing.T) {
	r := newRetained(t)
	r.expectOverdue(map[string]float64{"spool": 0}) // of the others it is not known yet
	long, short := r.add("long.example", "UTC", 396), r.add("short.example", "UTC", 60)
	if long != 1 || short != 2 {
		t.Fatalf("the sites are %d and %d", long, short)
	}
	r.insert(1, 400, 396)
	r.insert(1, 395, 396)
	r.insert(1, 61, 396)
	r.insert(2, 61, 60)
	r.insert(2, 59, 60)
	r.insert(2, 50, 396) // of the time before the site had 60
	r.insert(9, 61, 60)  // of a site that is gone
	r.insert(9, 59, 60)
	r.tends(true, "/1/395 396", "/1/61 396", "/2/50 60", "/2/59 60", "/9/59 60")
	r.expectOverdue(map[string]float64{"events": 0, "abuse": 0, "spool": 0})
	if _, ok := r.applied[2]; !ok || len(r.applied) != 2 {
		t.Errorf("applied: %v", r.applied)
	}

	r.insert(2, 62, 60)
	r.at = r.at.Add(retentionEvery - time.Second)
	r.tends(false, "/1/395 396", "/1/61 396", "/2/50 60", "/2/59 60", "/2/62 60", "/9/59 60")
	r.at = r.at.Add(time.Second)
	r.tends(true, "/1/395 396", "/1/61 396", "/2/50 60", "/2/59 60", "/9/59 60")
}

// Rows of before follow a change at the next look, and nothing is done where a site is set to what it is.
func TestRetention_changed(t *testing.T) {
	r := newRetained(t)
	r.add("one.example", "UTC", 396)
	r.insert(1, 100, 396)
	r.insert(1, 30, 396)
	r.tends(false, "/1/100 396", "/1/30 396")
	r.set("one.example", 60)
	r.tends(true, "/1/30 60")
	r.tends(false, "/1/30 60")
	r.set("one.example", 396)
	r.tends(true, "/1/30 396")
	r.set("one.example", 396)
	r.tends(false, "/1/30 396")
	r.add("two.example", "UTC", 30)
	r.tends(false, "/1/30 396")
}

// The day of a site is over at its own midnight: by then its rows are overdue, and deleted with the next look.
func TestRetention_zones(t *testing.T) {
	r := newRetained(t)
	r.add("ahead.example", "Pacific/Kiritimati", 60) // UTC+14: at noon it is tomorrow
	r.add("utc.example", "UTC", 60)
	r.add("behind.example", "Pacific/Niue", 60) // UTC-11
	for site := range uint32(3) {
		for age := 58; age < 62; age++ {
			r.insert(site+1, age, 60)
		}
	}
	r.tends(true, "/1/58 60", "/2/58 60", "/2/59 60", "/3/58 60", "/3/59 60")
	r.expectOverdue(map[string]float64{"events": 0, "abuse": 0, "spool": 0})
	// The first is the last one of Kiritimati, at its midnight: 10:00 UTC.
	r.at = noon().Truncate(24 * time.Hour).Add(24*time.Hour + 10*time.Hour + time.Minute)
	r.expectOverdue(map[string]float64{"events": 10*3600 + 60, "abuse": 0, "spool": 0})
	r.tends(true, "/2/58 60", "/3/58 60", "/3/59 60")
	r.expectOverdue(map[string]float64{"events": 0, "abuse": 0, "spool": 0})
}

func TestRetention_abuse(t *testing.T) {
	r := newRetained(t)
	row := func(at time.Time) abuse.Row {
		return abuse.Row{SiteID: 1, Minute: at.Unix(), Reason: "kept", Events: 1, Address: testAddress()}
	}
	over := r.at.AddDate(0, 0, -15)
	if err := r.app.store.InsertAbuse(t.Context(), "token", []abuse.Row{row(over), row(over.Add(time.Hour))}); err != nil {
		t.Fatal(err)
	}
	count := func(want string) {
		t.Helper()
		if got := r.texts("SELECT toString(count()) FROM abuse")[0]; got != want {
			t.Errorf("%s rows, want %s", got, want)
		}
	}
	r.tend(t.Context())
	count("1")
	r.at = r.at.Add(90 * time.Minute)
	r.expectOverdue(map[string]float64{"events": 0, "abuse": 1800, "spool": 0})
	r.at = r.at.Add(retentionEvery)
	r.tend(t.Context())
	count("0")
	r.expectOverdue(map[string]float64{"events": 0, "abuse": 0, "spool": 0})
}

// A clock that was set forward and back again is no reason to wait.
func TestRetention_clock(t *testing.T) {
	r := newRetained(t)
	r.add("one.example", "UTC", 60)
	r.at = noon().AddDate(1, 0, 0)
	r.tends(false)
	r.at = noon()
	r.insert(1, 61, 60)
	r.tends(true)
}

// While the database is away it is tried each hour; when it is back, what was promised is done.
func TestRetention_away(t *testing.T) {
	e := testkit.Engine(t)
	var away atomic.Bool
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked.Add(1)
		if away.Load() {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		e.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	s, err := store.Open(t.Context(), store.Config{DSN: "http://" + server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	log := slog.New(slog.DiscardHandler)
	db, err := openDatabase(t.Context(), s, false, log)
	if err != nil {
		t.Fatal(err)
	}
	askTexts(t, s, "SYSTEM STOP TTL MERGES events")
	insertAged(t, s, 1, 61, 60, "a")
	insertAged(t, s, 1, 10, 60, "b")
	at := noon()
	r := &retention{store: db, sites: func() []*site.Site { return nil }, now: func() time.Time { return at }, log: log}
	f := func(want ...string) {
		t.Helper()
		r.tend(t.Context())
		was := away.Swap(false)
		if diff := cmp.Diff(want, askTexts(t, s, heldRows)); diff != "" {
			t.Error(diff)
		}
		away.Store(was)
	}
	away.Store(true)
	f("/1/10 60", "/1/61 60")
	away.Store(false)
	at = at.Add(retentionAgain - time.Second)
	before := asked.Load()
	r.tend(t.Context())
	if n := asked.Load() - before; n != 0 {
		t.Errorf("%d questions before the hour was over", n)
	}
	at = at.Add(time.Second)
	f("/1/10 60")

	// By a clock that is wrong nothing is deleted: the database has its own.
	at = at.AddDate(1, 0, 0)
	f("/1/10 60")
}

func testAddress() netip.Addr { return netip.MustParseAddr("203.0.0.0") }

// Every class is told, with its rule and what there is, also what the job has not deleted yet.
func TestRetention_report(t *testing.T) {
	r := newRetained(t)
	r.add("b.example", "Pacific/Kiritimati", 60)
	r.add("a.example", "UTC", 396)
	r.insert(1, 62, 60)
	r.insert(1, 10, 60)
	r.insert(9, 10, 60)
	day := noon().Truncate(24 * time.Hour)
	minute := day.AddDate(0, 0, -16)
	if err := r.app.store.InsertAbuse(t.Context(), "token", []abuse.Row{{SiteID: 1, Minute: minute.Unix(), Address: testAddress(), Reason: "kept", Events: 1}}); err != nil {
		t.Fatal(err)
	}
	today := day.Unix() / 86_400
	dir := filepath.Join(r.app.cfg.Data.Dir, "ship")
	lines := fmt.Sprintf("{\"day\":%d}\n{\"day\":%d}\n{\"day\":%d}\nno line\n{}\n", today-2, today-8, today)
	if err := os.WriteFile(filepath.Join(dir, "quarantine.jsonl"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := admin.Local(admin.NewSocket(admin.Services{Sites: r.app.sites}, 396, r.now, slog.New(slog.DiscardHandler))).Retention(t.Context())
	if err == nil {
		t.Errorf("a server that keeps nothing answers %v", report)
	}
	report, err = newRetentionReport(r.app, r.retention).Retention(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ago := func(days int) time.Time { return day.AddDate(0, 0, -days) }
	quota := int64(4 << 30)
	want := []admin.RetentionClass{
		{Class: "events", Site: "a.example", Days: 396},
		{Class: "events", Site: "b.example", Days: 60, Items: 2, Oldest: ago(62), Expires: ago(2).Add(-14 * time.Hour), Overdue: (2*24 + 12 + 14) * 3600},
		{Class: "events", Items: 1, Oldest: ago(10), Expires: ago(-50)},
		{Class: "abuse", Days: 15, Items: 1, Oldest: minute, Expires: ago(1), Overdue: (24 + 12) * 3600},
		{Class: "spool", Days: 7, MaxBytes: quota},
		{Class: "kept_segments", Days: 7, MaxBytes: quota},
		{Class: "quarantine", Days: 7, MaxBytes: 16 << 20, Oldest: ago(8), Expires: ago(1), Overdue: 36 * 3600},
		{Class: "sealed"},
	}
	if diff := cmp.Diff(want, report.Classes); diff != "" {
		t.Error(diff)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	report, err = newRetentionReport(r.app, r.retention).Retention(canceled) // as where the database is away
	for i, c := range report.Classes {
		if asked := i < 3; err != nil || (c.Problem != "") != asked || asked && c.Items != 0 {
			t.Errorf("%v, %+v", err, c)
		}
	}
	r.tend(t.Context())
	if report, err = newRetentionReport(r.app, r.retention).Retention(t.Context()); err != nil {
		t.Fatal(err)
	}
	want[1] = admin.RetentionClass{Class: "events", Site: "b.example", Days: 60, Items: 1, Oldest: ago(10), Expires: ago(-50).Add(-14 * time.Hour)}
	want[3] = admin.RetentionClass{Class: "abuse", Days: 15}
	if diff := cmp.Diff(want, report.Classes); diff != "" {
		t.Error(diff)
	}
}
