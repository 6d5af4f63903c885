package store_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/engine"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/testkit"
)

// today is the date for these tests: tomorrow, so that the engine's own clock, by which it applies TTLs, is behind it whenever a test runs.
var today = sync.OnceValue(func() event.Day { return event.Day(time.Now().Unix()/86_400) + 1 })

func utc() *store.Dates { return &store.Dates{UTC: today()} }

// aged returns a row of a site whose day was so many days ago, with a path that can be looked for on the disk.
func aged(site uint32, days, retention int, path string) event.Row {
	r := fullRow()
	r.SiteID, r.Day, r.RetentionDays, r.Path = site, today()-event.Day(days), uint16(retention), path
	r.Time = int64(r.Day)*86_400 + 3600
	r.VisitStart, r.EntryPage = r.Time, "/"
	return r
}

// month returns the partition of a day so many days ago.
func month(days int) uint32 {
	t := time.Unix(int64(today()-event.Day(days))*86_400, 0).UTC()
	return uint32(t.Year()*100 + int(t.Month()))
}

// calm stops merges: what is deleted then, the code under test deletes. A TTL is applied by merges too, and would hide what is missing.
func calm(tb testing.TB, s *store.Store) {
	tb.Helper()
	ask(tb, s, "SYSTEM STOP TTL MERGES events", nil)
	ask(tb, s, "SYSTEM STOP TTL MERGES abuse", nil)
}

func insert(tb testing.TB, s *store.Store, token string, rows ...event.Row) {
	tb.Helper()
	if err := s.Insert(tb.Context(), token, rows); err != nil {
		tb.Fatal(err)
	}
}

// paths returns the paths that are in the table, expired or not.
func paths(tb testing.TB, s *store.Store) []string {
	tb.Helper()
	return ask(tb, s, "SELECT path FROM events ORDER BY path", nil)
}

// mutations returns a number that another mutation of a table makes larger. Their count does not say it: old ones go.
func mutations(tb testing.TB, s *store.Store) string {
	tb.Helper()
	const last = "SELECT toString(sum(n)) FROM (SELECT max(toUInt64(extract(mutation_id, '[0-9]+'))) AS n FROM system.mutations WHERE database = currentDatabase() GROUP BY table)"
	return ask(tb, s, last, nil)[0]
}

// What there is of each site, month and retention; expired rows are there until they are deleted.
func TestHoldings(t *testing.T) {
	s := open(t)
	calm(t, s)
	f := func(want ...store.Holding) {
		t.Helper()
		got, err := s.Holdings(t.Context())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v: %s", err, diff)
		}
	}
	f()
	insert(t, s, "a", aged(1, 400, 396, "/1"), aged(1, 401, 396, "/2"), aged(2, 400, 500, "/3"), aged(1, 0, 396, "/4"), aged(1, 0, 60, "/5"))
	day := func(ago int) event.Day { return today() - event.Day(ago) }
	want := []store.Holding{{1, month(400), 396, day(401), 2}, {2, month(400), 500, day(400), 1}, {1, month(0), 60, day(0), 1}, {1, month(0), 396, day(0), 1}}
	if month(400) != month(401) {
		want = append([]store.Holding{{1, month(401), 396, day(401), 1}, {1, month(400), 396, day(400), 1}}, want[1:]...)
	}
	f(want...)
	if got := want[0].Expires(); got != int(day(401))+396 {
		t.Errorf("it expires on %d", got)
	}
}

// A row goes on the day on which no question reads it any more, and not a day earlier; on a site where it is tomorrow already, or yesterday still, that day is another one.
func TestDeleteExpired_onItsDay(t *testing.T) {
	s := open(t)
	calm(t, s)
	f := func(dates *store.Dates, want ...string) {
		t.Helper()
		var rows []event.Row
		for site, name := range []string{"utc", "ahead", "behind"} {
			for _, age := range []int{58, 59, 60, 61, 62} {
				rows = append(rows, aged(uint32(site), age, 60, fmt.Sprintf("/%s/%d", name, age)))
			}
		}
		insert(t, s, rand.Text(), append(rows, aged(0, 65_000, math16, "/largest"))...)
		for _, m := range slices.Compact([]uint32{month(58), month(60), month(62)}) {
			if err := s.DeleteExpired(t.Context(), m, dates); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, paths(t, s)); diff != "" {
			t.Error(diff)
		}
		ask(t, s, "TRUNCATE TABLE events", nil)
	}
	f(utc(), "/ahead/58", "/ahead/59", "/behind/58", "/behind/59", "/largest", "/utc/58", "/utc/59")
	f(&store.Dates{UTC: today(), Ahead: []uint32{1, 7}, Behind: []uint32{8, 2}}, "/ahead/58", "/behind/58", "/behind/59", "/behind/60", "/largest", "/utc/58", "/utc/59")
}

const math16 = 65_535

// One month is deleted at a time; the others, other sites and rows that have time stay, and their parts are not written anew.
func TestDeleteExpired_oneMonth(t *testing.T) {
	s := open(t)
	calm(t, s)
	insert(t, s, "a", aged(1, 400, 396, "/old"), aged(2, 400, 1000, "/other"))
	insert(t, s, "b", aged(1, 200, 60, "/later"), aged(1, 1, 60, "/fresh"))
	if err := s.DeleteExpired(t.Context(), month(400), utc()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/fresh", "/later", "/other"}, paths(t, s)); diff != "" {
		t.Error(diff)
	}
}

// place is an engine on a directory that is looked through, and that can be opened again.
type place struct {
	tb     testing.TB
	dir    string
	engine *engine.Engine
	*store.Store
}

func openPlace(tb testing.TB) *place {
	tb.Helper()
	p := &place{tb: tb, dir: tb.TempDir()}
	p.open()
	tb.Cleanup(p.close)
	return p
}

func (p *place) open() {
	p.tb.Helper()
	var err error
	if p.engine, err = engine.Open(engine.Config{Library: testkit.Library(p.tb), DataDir: p.dir}, nil); err != nil {
		p.tb.Fatal(err)
	}
	if p.Store, err = store.Open(context.Background(), store.Config{Transport: p.engine.RoundTripper()}); err != nil {
		p.tb.Fatal(err)
	}
	if err := p.Migrate(context.Background()); err != nil {
		p.tb.Fatal(err)
	}
}

func (p *place) close() {
	p.tb.Helper()
	if err := errors.Join(p.Close(), p.engine.Close()); err != nil {
		p.tb.Error(err)
	}
}

// files returns the files of the engine that hold a text. Every part is looked at, also those that the engine uses no more.
func (p *place) files(text string) []string {
	p.tb.Helper()
	found := []string{}
	err := filepath.WalkDir(p.dir, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && !entry.Type().IsRegular() {
			return nil // the engine removes files meanwhile
		}
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			found = append(found, strings.TrimPrefix(path, p.dir))
		}
		if os.IsNotExist(err) {
			return nil
		}
		return err
	})
	if err != nil {
		p.tb.Fatal(err)
	}
	return found
}

// noise returns a text that compression leaves as it is: all bytes are as frequent, and so many that they decide for their block.
func noise() string {
	b := make([]byte, 2048)
	_, _ = rand.Read(b) // never fails
	return string(b)
}

// What is expired leaves the disk, byte for byte, and what is not stays. The tokens are known afterwards: what is sent again is dropped.
func TestDeleteExpired_noByteIsLeft(t *testing.T) {
	p := openPlace(t)
	calm(t, p.Store)
	old, short, fresh := noise(), noise(), noise()
	batch := []event.Row{aged(1, 400, 396, "/"+old), aged(2, 61, 60, "/"+short), aged(1, 395, 396, "/"+fresh), aged(2, 59, 60, "/"+fresh)}
	insert(t, p.Store, "token", batch...)
	for name, text := range map[string]string{"old": old, "short": short, "fresh": fresh} {
		if len(p.files(text)) == 0 {
			t.Fatalf("the %s marker is not to be seen on the disk: looking for it proves nothing", name)
		}
	}
	for _, m := range []uint32{month(400), month(61)} {
		if err := p.DeleteExpired(t.Context(), m, utc()); err != nil {
			t.Fatal(err)
		}
	}
	if got := append(p.files(old), p.files(short)...); len(got) > 0 {
		t.Errorf("expired rows are in %q", got)
	}
	if len(p.files(fresh)) == 0 {
		t.Error("the fresh rows are gone")
	}
	insert(t, p.Store, "token", batch...)
	if got := paths(t, p.Store); len(got) != 2 {
		t.Errorf("a batch that was sent again was stored: %q", got)
	}
	p.close()
	p.open()
	insert(t, p.Store, "token", batch...)
	if got := append(p.files(old), p.files(short)...); len(got) > 0 || len(paths(t, p.Store)) != 2 {
		t.Errorf("after a restart: %q, %q", got, paths(t, p.Store))
	}
}

// Rows of before follow their site's present retention: the shorter one deletes at once what is older, and what TTL merges do afterwards agrees.
func TestSetRetention(t *testing.T) {
	s := open(t)
	calm(t, s)
	insert(t, s, "token", aged(1, 500, 396, "/1/over"), aged(1, 300, 396, "/1/300"), aged(1, 61, 396, "/1/61"), aged(1, 59, 396, "/1/59"), aged(1, 1, 60, "/1/agrees"), aged(2, 300, 396, "/2/300"))
	f := func(site uint32, days uint16, want ...string) {
		t.Helper()
		if err := s.SetRetention(t.Context(), site, days, utc()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, paths(t, s)); diff != "" {
			t.Errorf("%d days: %s", days, diff)
		}
		for _, n := range ask(t, s, fmt.Sprintf("SELECT DISTINCT toString(retention_days) FROM events WHERE site_id = %d AND path NOT LIKE '%%over'", site), nil) {
			if n != strconv.Itoa(int(days)) {
				t.Errorf("a row has the retention %s, want %d", n, days)
			}
		}
		before := mutations(t, s)
		if err := s.SetRetention(t.Context(), site, days, utc()); err != nil || mutations(t, s) != before {
			t.Errorf("again: %v, %s mutations, want %s", err, mutations(t, s), before)
		}
	}
	f(3, 60, "/1/300", "/1/59", "/1/61", "/1/agrees", "/1/over", "/2/300")
	f(1, 60, "/1/59", "/1/agrees", "/2/300")
	f(1, 396, "/1/59", "/1/agrees", "/2/300")
	f(2, 400, "/1/59", "/1/agrees", "/2/300")

	ttl := ask(t, s, "SELECT concat(toString(rows), ' ', toString(toDate(delete_ttl_info_min)), ' ', toString(toDate(delete_ttl_info_max))) FROM system.parts "+
		"WHERE database = currentDatabase() AND table = 'events' AND active AND rows > 0 AND partition = {p:String}", map[string]string{"p": strconv.Itoa(int(month(300)))})
	date := func(days int) string {
		return time.Unix(int64(today())*86_400, 0).UTC().AddDate(0, 0, days).Format(time.DateOnly)
	}
	if want := "1 " + date(100) + " " + date(100); len(ttl) != 1 || ttl[0] != want {
		t.Errorf("the part expires as %q, want %q", ttl, want)
	}
	ask(t, s, "SYSTEM START TTL MERGES events", nil)
	ask(t, s, "OPTIMIZE TABLE events FINAL", nil)
	if diff := cmp.Diff([]string{"/1/59", "/1/agrees", "/2/300"}, paths(t, s)); diff != "" {
		t.Error(diff)
	}
	insert(t, s, "token", aged(1, 1, 396, "/again"))
	if diff := cmp.Diff([]string{"/1/59", "/1/agrees", "/2/300"}, paths(t, s)); diff != "" {
		t.Errorf("sent again: %s", diff)
	}
}

// What was expired, and had not been deleted yet, does not come back with a longer retention.
func TestSetRetention_expired(t *testing.T) {
	s := open(t)
	calm(t, s)
	insert(t, s, "token", aged(1, 65, 60, "/65"), aged(1, 60, 60, "/60"), aged(1, 59, 60, "/59"))
	if err := s.SetRetention(t.Context(), 1, 396, utc()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/59"}, paths(t, s)); diff != "" {
		t.Error(diff)
	}
}

// Where it is tomorrow already, what is over there goes with a shorter retention, whatever the TTL says.
func TestSetRetention_zone(t *testing.T) {
	s := open(t)
	calm(t, s)
	insert(t, s, "token", aged(1, 59, 396, "/1/59"), aged(1, 60, 396, "/1/60"), aged(2, 59, 396, "/2/59"), aged(2, 58, 396, "/2/58"))
	dates := &store.Dates{UTC: today(), Ahead: []uint32{2}, Behind: []uint32{3}}
	for site := range uint32(3) {
		if err := s.SetRetention(t.Context(), site, 60, dates); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"/1/59", "/2/58"}, paths(t, s)); diff != "" {
		t.Error(diff)
	}
}

func TestDeleteExpiredAbuse(t *testing.T) {
	s := open(t)
	calm(t, s)
	if oldest, rows, err := s.OldestAbuse(t.Context()); !oldest.IsZero() || rows != 0 || err != nil {
		t.Errorf("of an empty table: %v, %d, %v", oldest, rows, err)
	}
	now := time.Unix(int64(today())*86_400, 0).UTC().Add(12 * time.Hour)
	at := func(d time.Duration) time.Time { return now.Add(-15*24*time.Hour + d) }
	insertAbuse(t, s, "token", abuseRow(1, at(-time.Hour), "203.0.0.0", "kept", 1), abuseRow(0, at(0), "203.0.0.0", "bot", 2), abuseRow(1, at(time.Second), "203.0.0.0", "bot", 4))
	f := func(now, oldest time.Time, rows uint64) {
		t.Helper()
		if err := s.DeleteExpiredAbuse(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if got, n, err := s.OldestAbuse(t.Context()); !got.Equal(oldest) || n != rows || err != nil {
			t.Errorf("oldest %v of %d, %v; want %v of %d", got, n, err, oldest, rows)
		}
	}
	f(now.Add(-time.Hour-time.Second), at(-time.Hour), 3)
	f(now.Add(-time.Second), at(0), 2)
	f(now, at(time.Second), 1)
	before := mutations(t, s)
	f(now, at(time.Second), 1)
	if after := mutations(t, s); after != before {
		t.Errorf("%s mutations, want %s", after, before)
	}
	insertAbuse(t, s, "token", abuseRow(1, at(0), "203.0.0.0", "again", 1))
	if _, n, err := s.OldestAbuse(t.Context()); n != 1 || err != nil {
		t.Errorf("%d rows after a batch was sent again, %v", n, err)
	}
}

// A deletion that was interrupted after rows were hidden is finished: what is hidden is still on the disk.
func TestFinishDeletes(t *testing.T) {
	s := open(t)
	calm(t, s)
	insert(t, s, "token", aged(1, 1, 396, "/hidden"), aged(1, 1, 396, "/stays"))
	insertAbuse(t, s, "token", abuseRow(1, time.Now(), "203.0.0.0", "hidden", 1), abuseRow(2, time.Now(), "203.0.0.0", "stays", 1))
	const rows = "SELECT toString(sum(rows)) FROM system.parts WHERE database = currentDatabase() AND table IN ('events', 'abuse') AND active"
	ask(t, s, "DELETE FROM events WHERE path = '/hidden' SETTINGS lightweight_deletes_sync = 2", nil)
	ask(t, s, "DELETE FROM abuse WHERE reason = 'hidden' SETTINGS lightweight_deletes_sync = 2", nil)
	if got := ask(t, s, rows, nil); got[0] != "4" {
		t.Fatalf("%s rows are on the disk before, want 4", got)
	}
	if err := s.FinishDeletes(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, rows, nil); got[0] != "2" {
		t.Errorf("%s rows are on the disk, want 2", got)
	}
	before := mutations(t, s)
	if err := s.FinishDeletes(t.Context()); err != nil || mutations(t, s) != before {
		t.Errorf("nothing to do: %v, %s mutations, want %s", err, mutations(t, s), before)
	}
}

// While the table is being rewritten, nothing is added to the queue: the work would be done once for each time it is tried again.
func TestSettle(t *testing.T) {
	s := open(t)
	insert(t, s, "token", aged(1, 30, 396, "/1"), aged(1, 30, 20, "/2"))
	ask(t, s, "SYSTEM STOP MERGES events", nil)
	ask(t, s, "SYSTEM STOP MERGES abuse", nil)
	f := func(do func(ctx context.Context) error) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := do(ctx); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%v", err)
		}
		return mutations(t, s)
	}
	all := []func(ctx context.Context) error{
		func(ctx context.Context) error { return s.DeleteExpired(ctx, month(30), utc()) },
		func(ctx context.Context) error { return s.SetRetention(ctx, 1, 25, utc()) },
		s.FinishDeletes,
	}
	first := f(all[0])
	for _, do := range all {
		if got := f(do); got != first || got == "0" {
			t.Errorf("%s mutations, want %s", got, first)
		}
	}
	ask(t, s, "SYSTEM START MERGES events", nil)
	if err := all[1](t.Context()); err != nil || len(paths(t, s)) != 0 {
		t.Errorf("%v, left: %q", err, paths(t, s))
	}
}

// asDeleter in the environment makes this binary delete on a directory until it is killed.
const asDeleter = "TEST_AS_DELETER"

func TestDeleteExpired_deleter(t *testing.T) {
	dir := os.Getenv(asDeleter)
	if dir == "" {
		return
	}
	p := &place{tb: t, dir: dir}
	p.open()
	fmt.Println("begin")
	for _, m := range []uint32{month(400), month(61)} {
		if err := p.DeleteExpired(t.Context(), m, utc()); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.SetRetention(t.Context(), 1, 395, utc()); err != nil {
		t.Fatal(err)
	}
	fmt.Println("done")
	select {} // to be killed: Close would finish what a dead process does not
}

// Killed at any moment and started again, it comes to the same end.
func TestDeleteExpired_killed(t *testing.T) {
	p := openPlace(t)
	old, fresh := noise(), noise()
	calm(t, p.Store)
	var rows []event.Row
	for i := range 2000 {
		rows = append(rows, aged(2, 400, 396, fmt.Sprint("/", i)), aged(2, 61, 60, fmt.Sprint("/", i)), aged(1, 30, 396, fmt.Sprint("/", i)))
	}
	rows = append(rows, aged(1, 400, 396, "/"+old), aged(1, 394, 396, "/"+fresh))
	insert(t, p.Store, "token", rows...)
	p.close()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := mathrand.New(mathrand.NewPCG(uint64(seed), 0))
	for range 3 {
		killDeleter(t, p.dir, time.Duration(random.IntN(2500))*time.Millisecond)
	}
	p.open()
	for _, m := range []uint32{month(400), month(61)} {
		if err := p.DeleteExpired(t.Context(), m, utc()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(p.SetRetention(t.Context(), 1, 395, utc()), p.FinishDeletes(t.Context())); err != nil {
		t.Fatal(err)
	}
	got := ask(t, p.Store, "SELECT concat(toString(count()), ' ', toString(uniqExact(site_id)), ' ', toString(max(retention_days))) FROM events", nil)
	if got[0] != "2001 1 395" || len(p.files(fresh)) == 0 {
		t.Errorf("rows, sites and retention are %s; fresh rows are in %q", got, p.files(fresh))
	}
	insert(t, p.Store, "token", rows...)
	if got := ask(t, p.Store, "SELECT toString(count()) FROM events", nil); got[0] != "2001" {
		t.Errorf("%s rows after the batch was sent again", got)
	}
}

// killDeleter runs a deleter on a directory and kills it so long after it began.
func killDeleter(t *testing.T, dir string, after time.Duration) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestDeleteExpired_deleter$")
	c.Env = append(os.Environ(), asDeleter+"="+dir)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if line != "begin\n" {
		t.Errorf("it said %q, %v", line, err)
	}
	time.Sleep(after)
	_ = c.Process.Kill()
	rest, _ := io.ReadAll(lines)
	t.Logf("killed after %v, it had said %q", after, rest)
	_ = c.Wait() // killed
}
