package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/testkit"
)

// retentionServer answers on the socket of a data directory, which it returns.
func retentionServer(t *testing.T, report admin.RetentionReport) string {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/retention" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(report)
	}))
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return dir
}

func retentionShow(t *testing.T, dir string, args ...string) (code int, stdout, text string) {
	t.Helper()
	t.Chdir(t.TempDir()) // without a daysalt.yaml
	root := newRoot()
	if cmd, _, err := root.Find([]string{"retention"}); err != nil || cmd == root {
		root.AddCommand(newRetention())
	}
	asUsage(root)
	root.SetArgs(append([]string{"retention", "--data-dir", dir}, args...))
	var out, problems bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&problems)
	if err := root.ExecuteContext(t.Context()); err != nil {
		return exitCode(err), out.String(), err.Error()
	}
	return 0, out.String(), problems.String()
}

func TestRetentionShow(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 34, 56, 0, time.UTC)
	midnight := at.Truncate(24 * time.Hour)
	report := admin.RetentionReport{Classes: []admin.RetentionClass{
		{Class: "events", Site: "shop.example", Days: 396, Items: 12345, Oldest: midnight, Expires: midnight.AddDate(0, 0, 396)},
		{Class: "events", Site: "new.example", Days: 1},
		{Class: "events", Items: 1, Oldest: midnight, Expires: midnight.AddDate(0, 0, 60), Overdue: 3*86_400 + 3661},
		{Class: "abuse", Days: 15, Items: 1, Oldest: at, Expires: at.AddDate(0, 0, 15)},
		{Class: "spool", Days: 7, MaxBytes: 4 << 30},
		{Class: "kept_segments", Days: 7, MaxBytes: 4 << 30, Items: 1, Oldest: at, Expires: at.AddDate(0, 0, 7)},
		{Class: "quarantine", Days: 7, MaxBytes: 16 << 20, Items: 1, Oldest: midnight, Expires: midnight.AddDate(0, 0, 7)},
		{Class: "sealed"},
	}}
	f := func(want string, args ...string) {
		t.Helper()
		code, got, text := retentionShow(t, retentionServer(t, report), append([]string{"show"}, args...)...)
		if diff := cmp.Diff(want, got); diff != "" || code != 0 || text != "" {
			t.Errorf("it ended with %d, %q: %s", code, text, diff)
		}
	}
	f(`CLASS          SITE          KEPT FOR                               OLDEST (UTC)      EXPIRES (UTC)     OVERDUE
events         shop.example  396 days                               2026-11-22        2027-12-23 00:00  no
events         new.example   1 day                                  none              -                 no
events         (removed)     until they are deleted                 2026-11-22        2027-01-21 00:00  73h1m0s
abuse          -             15 days                                2026-11-22 12:34  2026-12-07 12:34  no
spool          -             7 days, 4.0 GiB at most                none              -                 no
kept_segments  -             10 minutes to 7 days, 4.0 GiB at most  2026-11-22 12:34  2026-11-29 12:34  no
quarantine     -             7 days, 16 MiB at most                 2026-11-22        2026-11-29 00:00  no
sealed         -             without end                            none yet          -                 no
What is not stored, kept to be sent again or put aside goes earlier where its site's events do.
`)
	_, text, _ := retentionShow(t, retentionServer(t, report), "show", "--json")
	var got admin.RetentionReport
	if err := json.Unmarshal([]byte(text), &got); err != nil || !cmp.Equal(got, report) {
		t.Errorf("%v in %s", err, text)
	}

	report.Classes = []admin.RetentionClass{
		{Class: "events", Site: "shop.example", Days: 60, Problem: "cannot ask the database"}, {Class: "abuse", Days: 15, Problem: "cannot ask the database"},
	}
	f(`CLASS   SITE          KEPT FOR  OLDEST (UTC)  EXPIRES (UTC)  OVERDUE
events  shop.example  60 days   unknown       -              unknown
abuse   -             15 days   unknown       -              unknown
What is not stored, kept to be sent again or put aside goes earlier where its site's events do.
events: cannot ask the database
`)
}

func TestRetentionShow_usage(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		if code, stdout, text := retentionShow(t, t.TempDir(), args...); code != 2 || !strings.Contains(text, want) || stdout != "" {
			t.Errorf("%q ended with %d: %q, %q", args, code, text, stdout)
		}
	}
	f("name a command")
	f("shop.example", "show", "shop.example")
	f("--days", "show", "--days", "3")
}

// held returns whether a text is in the engine's files.
func held(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(filepath.Join(dir, "clickhouse"), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
			return nil // the engine removes files meanwhile
		}
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || bytes.Contains(b, []byte(text))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Rows of before follow their site's retention: what is over then leaves the answers and the disk, also when the server is killed right after it was
// told to. What is not over stays.
func TestRetention_followsTheSite(t *testing.T) {
	dir := t.TempDir()
	siteCommand(t, dir, "add", "shop.example")
	operators := freeAddress(t)
	p := serve(t, dir, "--admin-listen", operators)
	const old, fresh = "quokkazephyrmarimba", "walruscactustundra"
	day := func(n int) time.Time { return time.Now().UTC().AddDate(0, 0, -n) }
	for n, path := range map[int]string{100: old, 50: fresh} { // a file each: compression hides what is long
		importCommand(t, dir, "events", eventsFile(t, viewAt(day(n), 1, "shop.example", "/"+path, "")))
	}
	views := func() string {
		t.Helper()
		return p.do("POST", "/api/v2/query", fmt.Sprintf(`{"site_id":"shop.example","metrics":["pageviews"],"dimensions":["event:page"],"date_range":[%q,%q]}`,
			day(120).Format(time.DateOnly), day(0).Format(time.DateOnly)), "Content-Type", "application/json").body
	}
	if got := views(); !strings.Contains(got, old) || !strings.Contains(got, fresh) || !held(t, dir, old) || !held(t, dir, fresh) {
		t.Fatalf("the markers are not to be seen, looking for them proves nothing: %s, %t, %t", got, held(t, dir, old), held(t, dir, fresh))
	}
	shown := func() admin.RetentionReport {
		t.Helper()
		code, out, text := daysalt(t, "retention", "show", "--json", "--data-dir", dir, "--engine-library", testkit.Library(t))
		var report admin.RetentionReport
		if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 || len(report.Classes) < 6 {
			t.Fatalf("%d, %v: %s%s", code, err, out, text)
		}
		return report
	}
	if got := shown().Classes[0]; got.Days != 396 || got.Items != 2 || got.Oldest != day(100).Truncate(24*time.Hour) {
		t.Errorf("at first: %+v", got)
	}
	siteCommand(t, dir, "set", "shop.example", "--retention-days", "60")
	p.kill()
	p = serve(t, dir, "--admin-listen", operators)
	for deadline := time.Now().Add(90 * time.Second); held(t, dir, old); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is still on the disk")
		}
	}
	if got := views(); strings.Contains(got, old) || !strings.Contains(got, fresh) {
		t.Errorf("answered: %s", got)
	}
	siteCommand(t, dir, "set", "shop.example", "--retention-days", "40")
	for deadline := time.Now().Add(30 * time.Second); held(t, dir, fresh); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is still on the disk, without a restart")
		}
	}
	got, err := call(newClient(), http.MethodGet, "http://"+operators+"/metrics", "")
	for _, class := range []string{"events", "abuse", "spool"} {
		if want := fmt.Sprintf("daysalt_retention_overdue_seconds{class=%q} 0\n", class); err != nil || !strings.Contains(got.body, want) {
			t.Errorf("%v, no %s", err, want)
		}
	}
	if code := p.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if got := shown().Classes[0]; got.Days != 40 || got.Items != 0 || !got.Oldest.IsZero() { // without a server
		t.Errorf("in the end: %+v", got)
	}
}
