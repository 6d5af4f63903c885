package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
)

// abuseTable is the service behind the socket.
type abuseTable struct {
	recording bool
	sums      []abuse.Summary
	asked     abuse.Filter
}

func (a *abuseTable) Recording() bool { return a.recording }

func (a *abuseTable) Abuse(_ context.Context, f abuse.Filter) ([]abuse.Summary, error) {
	a.asked = f
	return a.sums, nil
}

// abuseServer serves a socket in a data directory, with the site shop.example, and returns the directory.
func abuseServer(t *testing.T, a *abuseTable) string {
	t.Helper()
	dir := t.TempDir()
	db, err := settings.Open(t.Context(), filepath.Join(dir, "settings.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	registry, err := site.NewRegistry(t.Context(), db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Add(t.Context(), "shop.example", "UTC", 30); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(admin.NewSocket(admin.Services{Sites: registry, Abuse: a}, 90, time.Now, slog.New(slog.DiscardHandler)))
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return dir
}

// abuseCommand runs the command on a data directory.
func abuseCommand(t *testing.T, dir string, args ...string) (code int, stdout, text string) {
	t.Helper()
	t.Chdir(t.TempDir()) // without a daysalt.yaml
	root := &cobra.Command{Use: "daysalt", SilenceUsage: true, SilenceErrors: true}
	root.PersistentFlags().String("config", "", "")
	root.PersistentFlags().Bool("json", false, "")
	config.Flags(root.PersistentFlags())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newAbuse())
	asUsage(root)
	root.SetArgs(append([]string{"abuse", "--data-dir", dir}, args...))
	var out, problems bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&problems)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		return exitCode(err), out.String(), err.Error()
	}
	return 0, out.String(), problems.String()
}

// The command asks the server that holds the data directory, and prints a table or JSON.
func TestAbuse(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 34, 0, 0, time.UTC)
	a := &abuseTable{recording: true, sums: []abuse.Summary{
		{SiteID: 1, Address: netip.MustParseAddr("203.0.0.0"), Reason: "bot", Events: 12345, First: at.Add(-time.Hour), Last: at},
		{SiteID: 0, Address: netip.MustParseAddr("2001:db8:1::"), Reason: "unknown_site", Events: 7, First: at, Last: at},
	}}
	dir := abuseServer(t, a)
	f := func(want string, args ...string) {
		t.Helper()
		code, got, text := abuseCommand(t, dir, args...)
		if diff := cmp.Diff(want, got); diff != "" || code != 0 || text != "" {
			t.Errorf("%q ended with %d, %q: %s", args, code, text, diff)
		}
	}
	table := "SITE          ADDRESS       REASON        EVENTS  FIRST (UTC)       LAST (UTC)\n" +
		"shop.example  203.0.0.0     bot           12345   2026-11-22 11:34  2026-11-22 12:34\n" +
		"(none)        2001:db8:1::  unknown_site  7       2026-11-22 12:34  2026-11-22 12:34\n"
	f(table)
	if age := time.Since(a.asked.From); a.asked.SiteID != nil || a.asked.Limit != 50 || age < 24*time.Hour || age > 25*time.Hour {
		t.Errorf("asked for %+v", a.asked)
	}
	f(table, "--site", "shop.example", "--hours", "2", "--limit", "3")
	if age := time.Since(a.asked.From); a.asked.SiteID == nil || *a.asked.SiteID != 1 || a.asked.Limit != 3 || age < 2*time.Hour || age > 3*time.Hour {
		t.Errorf("asked for %+v", a.asked)
	}
	_, text, _ := abuseCommand(t, dir, "--json")
	var report admin.AbuseReport
	if err := json.Unmarshal([]byte(text), &report); err != nil || len(report.Rows) != 2 || report.Rows[0].Events != 12345 || !report.Recording {
		t.Errorf("%v in %s", err, text)
	}
	a.recording = false
	f(table + "addresses.store is off: nothing more is recorded\n")
	a.sums = nil
	f("addresses.store is off: nothing is recorded\n")
	f("{\n  \"recording\": false,\n  \"rows\": []\n}\n", "--json")
	a.recording = true
	f("nothing was recorded in the last 2 hours; what came in the last minute or two may not be stored yet\n", "--hours", "2")
}

func TestAbuse_usage(t *testing.T) {
	dir := abuseServer(t, &abuseTable{})
	f := func(want int, field string, args ...string) {
		t.Helper()
		if code, stdout, text := abuseCommand(t, dir, args...); code != want || !strings.Contains(text, field) || stdout != "" {
			t.Errorf("%q ended with %d, want %d: %q, %q", args, code, want, text, stdout)
		}
	}
	f(2, "hours: ", "--hours", "0")
	f(2, "hours: ", "--hours", "361")
	f(2, "--hours", "--hours", "long")
	f(2, "limit: ", "--limit", "0")
	f(2, "limit: ", "--limit", "1001")
	f(2, "site: ", "--site", "")
	f(2, "domain: ", "--site", "https://shop.example/")
	f(1, "domain: ", "--site", "blog.example")
	f(2, "shop.example", "shop.example")
}
