package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/app"
	"github.com/daysalt/daysalt/internal/importer"
	"github.com/daysalt/daysalt/internal/testkit"
)

// fileMarker is in an agent or an address of a file, and nowhere else.
const fileMarker = "Zq8Marker"

// pastView is a line of a file: a pageview some hours ago, in the order of n.
func pastView(domain, path string, n int, more string) string {
	return viewAt(time.Now().Add(-6*time.Hour+time.Duration(n)*time.Second), n%200, domain, path, more)
}

func viewAt(at time.Time, person int, domain, path, more string) string {
	return fmt.Sprintf(`{"time":%q,"ip":"198.51.100.%d","ua":%q,"n":"pageview","u":"https://%s%s","d":%q%s}`+"\n",
		at.UTC().Format(time.RFC3339), person, chrome, domain, path, domain, more)
}

// visitors asks how many visitors a site has had since yesterday.
func visitors(p *process, domain string) string {
	p.t.Helper()
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
	got := p.do("POST", "/api/v2/query", fmt.Sprintf(`{"site_id":%q,"metrics":["visitors"],"date_range":[%q,%q]}`, domain, day(-1), day(1)), "Content-Type", "application/json")
	var rows struct {
		Results []struct{ Metrics []int }
	}
	if err := json.Unmarshal([]byte(got.body), &rows); err != nil || len(rows.Results) != 1 {
		p.t.Fatalf("%+v: %v", got, err)
	}
	return fmt.Sprint(rows.Results[0].Metrics)
}

func eventsFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(content string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(content))
	_ = z.Close()
	return b.String()
}

// importArgs is a command line about imports of a data directory.
func importArgs(t *testing.T, dir string, args ...string) []string {
	t.Helper()
	return append(append([]string{"import"}, args...), "--data-dir", dir, "--engine-library", testkit.Library(t))
}

// importCommand runs a command about imports and expects success.
func importCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	code, stdout, stderr := daysalt(t, importArgs(t, dir, args...)...)
	if code != 0 {
		t.Fatalf("%v ended with %d: %s%s", args, code, stdout, stderr)
	}
	if strings.Contains(stderr, "\r") {
		t.Errorf("%v drew a progress bar where there is no terminal: %q", args, stderr)
	}
	return stdout
}

// importResult is importCommand with --json.
func importResult(t *testing.T, dir string, args ...string) importer.Result {
	t.Helper()
	var result importer.Result
	if err := json.Unmarshal([]byte(importCommand(t, dir, append(args, "--json")...)), &result); err != nil {
		t.Fatal(err)
	}
	return result
}

func wantPages(t *testing.T, p *process, domain string, want map[string]int) {
	t.Helper()
	got, err := p.pages(domain)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("pages of %s: %v %.2000s", domain, err, diff)
	}
}

// A file is loaded, once, the same with a server and without; removed, and loaded again.
func TestImport(t *testing.T) {
	t.Parallel()
	const shop = "shop.example"
	content := pastView(shop, "/a", 1, "") + pastView(shop, "/b", 2, "") + "\n" + pastView(shop, "/a", 3, "") + pastView("unknown.example", "/", 4, "") +
		strings.Replace(pastView(shop, "/bot", 5, ""), chrome, "Googlebot/2.1 (+http://www.google.com/bot.html)", 1)
	commands := func(t *testing.T, dir string) {
		t.Helper()
		path := eventsFile(t, content)
		first := importResult(t, dir, "events", path)
		if first.State != importer.Ended || first.Known || first.Lines != 6 || first.Kept != 3 || first.LeftOut != 0 ||
			!cmp.Equal(first.Dropped, map[string]uint64{"unknown_site": 1, "bot": 1}) {
			t.Errorf("%+v", first)
		}
		if again := importResult(t, dir, "events", path); !again.Known || !cmp.Equal(again.Progress, first.Progress) {
			t.Errorf("again: %+v", again)
		}
		if got := importCommand(t, dir, "events", eventsFile(t, zipped(content))); !strings.Contains(got, "imported before") || !strings.Contains(got, "import rm "+strconv.Itoa(int(first.ID))+" --yes") {
			t.Errorf("compressed: %q", got)
		}
		if got := importCommand(t, dir, "list"); !strings.Contains(got, "6 of 6 lines") || !strings.Contains(got, "bot 1, unknown_site 1") {
			t.Errorf("listed: %q", got)
		}
		importCommand(t, dir, "rm", strconv.Itoa(int(first.ID)), "--yes")
		if got := importCommand(t, dir, "list", "--json"); strings.TrimSpace(got) != "[]" {
			t.Errorf("listed: %q", got)
		}
		got := importCommand(t, dir, "events", eventsFile(t, zipped(content)))
		for _, part := range []string{"3 events", "2 events: bot 1, unknown_site 1", "lines/s", "daysalt site add"} {
			if !strings.Contains(got, part) {
				t.Errorf("no %q in %q", part, got)
			}
		}
	}
	want := map[string]int{"/a": 2, "/b": 1}
	dir := t.TempDir()
	siteCommand(t, dir, "add", shop)
	commands(t, dir)
	p := serve(t, dir)
	wantPages(t, p, shop, want)
	if again := importResult(t, dir, "events", eventsFile(t, content)); !again.Known {
		t.Errorf("imported without a server, then with one: %+v", again)
	}

	dir = t.TempDir()
	p = serve(t, dir)
	siteCommand(t, dir, "add", shop)
	commands(t, dir)
	wantPages(t, p, shop, want)
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// What is wrong with a file is said by line, field and rule, and nothing of it is loaded.
func TestImport_wrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir, "--web-demo")
	f := func(want int, text string, args ...string) {
		t.Helper()
		code, stdout, stderr := daysalt(t, importArgs(t, dir, args...)...)
		if code != want || !strings.Contains(stderr, text) || stdout != "" || strings.Contains(stderr, fileMarker) {
			t.Errorf("%q ended with %d, want %d; no %q in %q%q", args, code, want, text, stdout, stderr)
		}
	}
	good := pastView(demo, "/good", 1, "")
	wrong := eventsFile(t, good+strings.Replace(good, `"time":"`, `"time":"`+fileMarker, 1)+strings.Replace(good, "198.51.100.", fileMarker, 1)+good)
	f(2, "\n  line 2: time: must be a time such as 2026-11-22T10:20:30Z, from 1970-01-03 to 2106-02-05\n  line 3: ip: must be", "events", wrong)
	f(2, "file: ", "events", filepath.Join(dir, "nothing"))
	f(2, "file: ", "events", dir)
	f(2, "file: ", "events", "-")
	f(2, "file: is damaged", "events", eventsFile(t, zipped(good)[:20]))
	f(2, "arg", "events")
	f(2, "arg", "events", wrong, wrong)
	f(2, "--yes", "rm", "1")
	f(2, "id", "rm", "first", "--yes")
	f(2, "id", "rm", "65536", "--yes")
	f(1, "id: ", "rm", "1", "--yes")
	if got := importCommand(t, dir, "events", eventsFile(t, "")); !strings.Contains(got, "no lines") {
		t.Errorf("an empty file: %q", got)
	}
	if got := importCommand(t, dir, "list", "--json"); strings.TrimSpace(got) != "[]" {
		t.Errorf("listed: %q", got)
	}
	if got := importResult(t, dir, "events", wrong, "--skip-invalid"); got.LeftOut != 2 || got.Kept != 2 || got.Lines != 4 {
		t.Errorf("%+v", got)
	}
	wantPages(t, p, demo, map[string]int{"/good": 2})
}

// reach waits until an import on a running server has come to a line.
func reach(t *testing.T, dir string, line uint64) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c, err := admin.Dial(t.Context(), filepath.Join(dir, app.SocketName))
		if err != nil {
			continue
		}
		list, err := c.Imports(t.Context())
		if err == nil && len(list) == 1 && list[0].NextLine >= line {
			if list[0].State != importer.Open {
				t.Fatalf("too late: %+v", list[0])
			}
			return
		}
	}
	t.Fatalf("the import does not come to line %d", line)
}

// kill -9 of the server in the middle, twice: the first time the command waits for it to be back, the second time the command is stopped, and given again
// afterwards. Every line is stored once, and a person is one visitor all the way.
func TestImport_kill(t *testing.T) {
	t.Parallel()
	const lines, pages, people = 20_000, 5_000, 200
	var content strings.Builder
	padding := `,"x":"` + strings.Repeat("x", 3000) + `"` // of 20,000 lines there are 16 chunks
	days, from := map[string]bool{}, time.Now().Add(-6*time.Hour)
	for n := range lines {
		at, person := from.Add(time.Duration(n)*20*time.Millisecond), n%people
		days[fmt.Sprint(at.UTC().Format(time.DateOnly), person)] = true // midnight may come
		content.WriteString(viewAt(at, person, demo, fmt.Sprintf("/p%d", n%pages), padding))
	}
	path, dir := eventsFile(t, content.String()), t.TempDir()

	server := serve(t, dir, "--web-demo")
	command := start(t, nil, importArgs(t, dir, "events", path)...)
	reach(t, dir, 2)
	server.kill()
	server = serve(t, dir, "--web-demo")
	reach(t, dir, 8000)
	server.kill()
	if err := command.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := command.wait(); code != 1 || !strings.Contains(command.log.String(), "the same command goes on at line ") {
		t.Errorf("the command ended with %d: %s", code, command.log.String())
	}
	server = serve(t, dir, "--web-demo")
	result := importResult(t, dir, "events", path)
	if result.From < 8000 || result.Kept != lines || result.State != importer.Ended {
		t.Errorf("%+v", result)
	}
	t.Logf("went on at line %d", result.From)
	want := map[string]int{}
	for n := range pages {
		want[fmt.Sprintf("/p%d", n)] = lines / pages
	}
	wantPages(t, server, demo, want)
	if got := visitors(server, demo); got != fmt.Sprint([]int{len(days)}) {
		t.Errorf("%s visitors, and %d people came", got, len(days))
	}
	if again := importResult(t, dir, "events", path); !again.Known {
		t.Errorf("again: %+v", again)
	}
	wantPages(t, server, demo, want)
	if code := server.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// Address and agent of a line are in no file of the server's, nor in what it or the command says.
func TestImport_leavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir, "--web-demo", "--log-level", "debug")
	var content strings.Builder
	for n := range 500 {
		content.WriteString(strings.Replace(pastView(demo, "/control-page", n, ""), "Mozilla/5.0", fileMarker+"/5.0", 1))
	}
	out := importCommand(t, dir, "events", eventsFile(t, content.String()), "--log-level", "debug")
	look := func(where, text string) {
		t.Helper()
		for _, secret := range []string{fileMarker, strings.ToLower(fileMarker), "198.51.100."} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %s", where, secret)
			}
		}
	}
	look("the command", out)
	look("the server", p.out.String()+p.log.String())
	found := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && !entry.Type().IsRegular() {
			return nil // a merge may have taken it away
		}
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		look(path, string(text))
		if bytes.Contains(text, []byte("/control-page")) {
			found++
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("the search does not find what is there; %v", err)
	}
}
