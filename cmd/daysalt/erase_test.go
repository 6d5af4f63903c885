package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/testkit"
	"github.com/daysalt/daysalt/internal/testkit/ledger"
)

// letters returns random text that nothing takes for somebody's data, and that no compression shortens.
func letters(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte("bcdfghjklmnpqrstvwxz"[rand.IntN(20)])
	}
	return b.String()
}

// filesWith returns the files below dir that have these bytes, as far as they stay while it looks.
func filesHolding(t *testing.T, dir string, text []byte) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil //nolint:nilerr // It went meanwhile.
		}
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, text) {
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// eraseRig is a server and its database, each in a process of its own, and events with numbers in their paths.
type eraseRig struct {
	t                *testing.T
	dir, databaseDir string
	web, databaseAt  string
	server, database *process

	mu   sync.Mutex // guards what follows
	book ledger.Ledger
	last uint64
}

func newEraseRig(t *testing.T) *eraseRig {
	t.Helper()
	r := &eraseRig{t: t, dir: t.TempDir(), databaseDir: t.TempDir(), web: lastingAddress(t), databaseAt: lastingAddress(t)}
	r.startDatabase()
	r.start()
	return r
}

func (r *eraseRig) startDatabase() { r.database = startEngine(r.t, r.databaseDir, r.databaseAt) }

func (r *eraseRig) start() {
	r.t.Helper()
	r.server = start(r.t, nil, "serve", "--data-dir", r.dir, "--clickhouse-dsn", "http://"+r.databaseAt, "--web-listen", r.web, "--admin-listen=", "--web-demo",
		"--web-trusted-proxies", "127.0.0.1")
	r.server.base = r.server.await(`dashboard  (http://\S+)/\n`)
}

// path returns the path of an event with a number, which is in letters.
func eventPath(prefix string, id uint64) string {
	return prefix + "/" + strings.Map(func(c rune) rune { return c - '0' + 'g' }, strconv.FormatUint(id, 10))
}

// post posts an event of a visitor.
func (r *eraseRig) post(prefix, from string) uint64 {
	r.t.Helper()
	r.mu.Lock()
	r.last++
	id := r.last
	r.book.Send(1)
	r.mu.Unlock()
	got, err := call(newClient(), "POST", r.server.base+"/api/event", pageview(demo, eventPath(prefix, id)), "X-Forwarded-For", from)
	if err != nil || got.status != 202 || got.header.Get("X-Plausible-Dropped") != "" {
		r.t.Errorf("%+v, %v", got, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.book.Accept(id)
	return id
}

// load posts events of other visitors until the returned function is called.
func (r *eraseRig) load() (end func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				r.post("/other", fmt.Sprint("198.51.100.", i%20))
			}
		}
	}()
	return func() { close(stop); <-ended }
}

// check restarts the database as after a crash, while load goes on, and then the server, and compares with what was sent. erased are gone, everything else is there once.
func (r *eraseRig) check(what string, end func(), erased []uint64) {
	r.t.Helper()
	r.database.kill()
	time.Sleep(6 * time.Second) // A restart is noticed by the time at which it started.
	r.startDatabase()
	end()
	r.book.Spoil(erased...)
	r.stored(what + ", the database was restarted")
	r.server.kill()
	r.start()
	r.stored(what + ", the server was restarted")
}

func (r *eraseRig) stored(what string) {
	r.t.Helper()
	r.server.settled(demo)
	stored := map[uint64]int{}
	for _, path := range strings.Fields(r.database.sql("SELECT path FROM events WHERE NOT startsWith(path, '/last/')")) {
		text := strings.Map(func(c rune) rune { return c - 'g' + '0' }, path[strings.LastIndexByte(path, '/')+1:])
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			r.t.Errorf("%s: %s", what, path)
		}
		stored[id]++
	}
	report := r.book.Check(stored)
	r.t.Logf("%s: %s", what, report)
	if err := report.Err(); err != nil {
		r.t.Errorf("%s: %v", what, err)
	}
}

// erase runs the command against the server.
func (r *eraseRig) erase(input string, args ...string) admin.EraseReport {
	r.t.Helper()
	var out, errOut bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"erase", "--site", demo, "--yes", "--json", "--data-dir", r.dir}, args...))
	root.SetIn(strings.NewReader(input))
	root.SetOut(&out)
	root.SetErr(&errOut)
	if err := root.ExecuteContext(r.t.Context()); err != nil {
		r.t.Fatalf("%v: %v, %s%s", args, err, &out, &errOut)
	}
	var report admin.EraseReport
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		r.t.Fatalf("%s: %v", &out, err)
	}
	r.t.Logf("%v: %s", args, strings.Join(strings.Fields(out.String()), " "))
	return report
}

// nowhere wants a text in no file of the server and the database.
func (r *eraseRig) nowhere(text string) {
	r.t.Helper()
	if names := slices.Concat(filesHolding(r.t, r.dir, []byte(text)), filesHolding(r.t, r.databaseDir, []byte(text))); len(names) > 0 {
		r.t.Errorf("%s is still in %q", text, names)
	}
}

// Each way of erasing under load, and the database and the server killed right after: what was erased stays away, and everything else is there once.
func TestErase(t *testing.T) {
	t.Parallel()
	r := newEraseRig(t)
	marker := "/" + letters(15)
	erased := []uint64{r.post(marker, "203.0.113.200")} // Alone in its part: in a larger one the text would be compressed.
	r.server.settled(demo)
	if len(filesHolding(t, r.dir, []byte(marker))) == 0 || len(filesHolding(t, r.databaseDir, []byte(marker))) == 0 {
		t.Fatal("the marker is not visible before: nobody would see it stay")
	}
	end := r.load()
	for i := range 20 {
		erased = append(erased, r.post(marker, fmt.Sprint("203.0.113.", i)))
		r.post("/stays", fmt.Sprint("203.0.113.", i)) // in the same visit
	}
	r.server.settled(demo)
	const visits = "SELECT arrayStringConcat(groupArray(concat(toString(visitor), ' ', toString(visit_start))), ',') FROM (SELECT DISTINCT visitor, visit_start FROM events WHERE startsWith(path, '/stays') ORDER BY 1, 2)"
	before := r.database.sql(visits)
	report := r.erase("", "--path", marker+"/*")
	r.nowhere(marker)
	if report.Events != 21 || report.EntryPages != 20 || report.Visits != 21 || report.Segments == 0 || report.Since > 0 || len(report.Left) > 0 {
		t.Errorf("%+v", report)
	}
	for i := range 20 {
		r.post("/stays", fmt.Sprint("203.0.113.", i)) // and the visit goes on
	}
	r.server.settled(demo)
	if after := r.database.sql(visits); after != before {
		t.Errorf("the visits are others:\n%s\n%s", before, after)
	}
	if got := r.database.sql("SELECT DISTINCT entry_page FROM events WHERE startsWith(path, '/stays')"); got != "{erased}" {
		t.Errorf("they began on %s", got)
	}
	r.pause(&end, "a path", erased)

	for range 10 {
		erased = append(erased, r.post("/me", "192.0.2.77"))
		r.post("/stays", "192.0.2.78")
	}
	if report = r.erase("192.0.2.77\n"+chrome+"\n", "--today"); report.Events != 10 || report.Visits != 1 || len(report.Left) > 0 {
		t.Errorf("%+v", report)
	}
	if report = r.erase(`{"ip": "::ffff:192.0.2.77", "ua": "`+chrome+`"}`, "--today"); report.Events != 0 || report.Visits != 0 || len(report.Left) > 0 {
		t.Errorf("again: %+v", report)
	}
	for _, path := range []string{"a", "b"} {
		r.database.sql("INSERT INTO events (site_id, day, visitor, ts, path, retention_days) SELECT site_id, day - 3, 7, ts - 3 * 86400, '/" + marker + path + "', 396 FROM events WHERE path LIKE '/stays%' LIMIT 1")
	}
	report = r.erase("", "--before", time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly))
	if report.Events != 2 || len(report.Left) > 0 {
		t.Errorf("%+v", report)
	}
	r.nowhere(marker)
	r.pause(&end, "days", erased)
	r.nowhere(marker)
	end()
	if code := r.server.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// pause ends the load for a check, and begins it again.
func (r *eraseRig) pause(end *func(), what string, erased []uint64) {
	r.t.Helper()
	r.check(what, *end, erased)
	*end = r.load()
}

// A site that is removed, and a database that is restarted right after.
func TestErase_removedSite(t *testing.T) {
	t.Parallel()
	r := newEraseRig(t)
	siteCommand(t, r.dir, "add", "gone.example")
	marker := "/" + letters(15)
	r.server.post("gone.example", marker)
	r.server.awaitPage("gone.example", marker) // It is alone in its insert: nothing else tells that this was stored.
	if len(filesHolding(t, r.dir, []byte(marker))) == 0 || len(filesHolding(t, r.databaseDir, []byte(marker))) == 0 {
		t.Fatal("the marker is not visible before: nobody would see it stay")
	}
	for i := range 20 {
		r.server.post("gone.example", eventPath(marker, uint64(i)))
		r.post("/stays", "192.0.2.1")
	}
	siteCommand(t, r.dir, "rm", "gone.example", "--yes")
	r.nowhere(marker)
	r.check("a removed site", func() {}, nil)
	r.nowhere(marker)
}

func TestErase_refuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	siteCommand(t, dir, "add", "a.example")
	siteCommand(t, dir, "add", "strict.example", "--preset", "strict")
	f := func(code int, want, input string, args ...string) {
		t.Helper()
		var out, errOut bytes.Buffer
		root := newRoot()
		root.SetArgs(append([]string{"erase", "--data-dir", dir, "--engine-library", testkit.Library(t)}, args...))
		root.SetIn(strings.NewReader(input))
		root.SetOut(&out)
		root.SetErr(&errOut)
		err := root.ExecuteContext(t.Context())
		if got := exitCode(err); got != code || code != 0 && !strings.Contains(err.Error(), want) || code == 0 && !strings.Contains(out.String(), want) {
			t.Errorf("%v: %d, %v, %s; want %d and %q", args, got, err, &out, code, want)
		}
		for _, secret := range []string{"203.0.113", "Agent/1"} {
			if err != nil && strings.Contains(err.Error(), secret) || strings.Contains(out.String()+errOut.String(), secret) {
				t.Errorf("%v says whom: %v %s %s", args, err, &out, &errOut)
			}
		}
	}
	one := []string{"--site", "a.example", "--yes"}
	with := func(more ...string) []string { return append(slices.Clone(one), more...) }
	f(2, "site: ", "", "--path", "/a", "--yes")
	f(2, "one of", "", one...)
	f(2, "one of", "", with("--path", "/a", "--before", "2026-01-01")...)
	f(2, "one of", "", with("--path", "/a", "--today")...)
	f(2, "--yes", "", "--site", "a.example", "--path", "/a")
	f(2, "before: ", "", with("--before", "yesterday")...)
	f(2, "before: ", "", with("--before", "2999-01-01")...)
	f(2, "before: ", "", with("--before", "1969-01-01")...)
	f(2, "before: ", "", with("--before", "")...)
	f(2, "path: ", "", with("--path", "a")...)
	f(2, "path: ", "", with("--path", "*")...)
	f(2, "path: ", "", with("--path", "")...)
	f(2, "today: ", "", with("--today")...)
	f(2, "today: ", "203.0.113.999\nAgent/1", with("--today")...)
	f(2, "today: ", "203.0.113.1\nAgent/1\nmore", with("--today")...)
	f(2, "today: ", `{"ip": "203.0.113.1", "agent": "Agent/1"}`, with("--today")...)
	f(2, "today: ", `{"ip": 203.0}`, with("--today")...)
	f(2, "today: ", strings.Repeat("203.0.113.1", 10000), with("--today")...)
	f(2, "today: ", "203.0.113.1\nAgent/1", "--site", "strict.example", "--yes", "--today")
	f(1, "domain: ", "", "--site", "b.example", "--yes", "--path", "/a")
	f(1, "no key of today in use", "203.0.113.1\nAgent/1\n", with("--today")...)
	f(0, "a.example: 0 events erased", "", with("--path", "/a*")...)
	f(0, "nothing is left", "", with("--before", "2026-01-01")...)
}
