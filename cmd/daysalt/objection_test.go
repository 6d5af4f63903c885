package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// counters are what the server counts of its own work, all of it that has to do with an event.
func counters(t *testing.T, operators string) string {
	t.Helper()
	got, err := call(newClient(), "GET", "http://"+operators+"/metrics", "")
	if err != nil || got.status != 200 {
		t.Fatalf("%v, %d", err, got.status)
	}
	var lines []string
	for line := range strings.Lines(grep(got.body, "daysalt_")) {
		// Checkpoints come with time, and the age of what is kept grows with it.
		if !strings.Contains(line, "_seconds") && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// undated sends an event and returns the answer to the byte, but for its date.
func undated(t *testing.T, p *process, headers, body string) string {
	t.Helper()
	got, _ := raw(t, p, rawEvent("User-Agent: "+chrome+"\r\n"+headers, body))
	before, after, ok := strings.Cut(got, "\r\nDate: ")
	if !ok {
		t.Fatalf("%q has no date", got)
	}
	_, after, _ = strings.Cut(after, "\r\n")
	return before + "\r\n" + after
}

// Every way to object is answered as a kept event is, to the byte, and leaves nothing: no row, no count, no line of the log, no masked address. Where a site
// does not take DNT for an objection, the event is kept.
func TestObjection_leavesNothing(t *testing.T) {
	t.Parallel()
	operators := freeAddress(t)
	dir := t.TempDir()
	p := serve(t, dir, "--web-demo", "--admin-listen", operators, "--addresses-store", "--log-level", "debug")
	siteCommand(t, dir, "add", "dnt.example", "--dnt")
	ask := func(headers, body string) string {
		t.Helper()
		return undated(t, p, headers, body)
	}
	want := ask("DNT: 1\r\n", pageview(demo, "/dnt-is-ignored"))
	ask("", pageview("dnt.example", "/kept"))
	p.settled(demo)
	p.settled("dnt.example")
	time.Sleep(200 * time.Millisecond) // what belongs to those events is logged by now
	counted, logged := counters(t, operators), p.log.String()

	for _, one := range []struct{ headers, domain string }{
		{"Sec-GPC: 1\r\n", demo},
		{"Cookie: daysalt_optout=1\r\n", demo},
		{"Cookie: a=b; daysalt_optout=1; c=d\r\n", "dnt.example"},
		{"Cookie: a=b\r\nCookie: daysalt_optout=1\r\n", demo},
		{"DNT: 1\r\n", "dnt.example"},
		{"DNT: 1\r\nSec-GPC: 1\r\nCookie: daysalt_optout=1\r\n", demo},
	} {
		for range 5 {
			if got := ask(one.headers, pageview(one.domain, "/objected")); got != want {
				t.Errorf("%q is answered %q, a kept event %q", one.headers, got, want)
			}
		}
	}
	if got := ask("Sec-GPC: 1\r\n", padded("/objected", 200<<10)); got != want {
		t.Errorf("a large body is answered %q, a kept event %q", got, want)
	}

	time.Sleep(200 * time.Millisecond)
	if diff := cmp.Diff(counted, counters(t, operators)); diff != "" {
		t.Errorf("objections are counted (-before +after):\n%s", diff)
	}
	if got := p.log.String(); got != logged {
		t.Errorf("objections are logged: %q", strings.TrimPrefix(got, logged))
	}
	for domain, kept := range map[string]string{demo: "/dnt-is-ignored", "dnt.example": "/kept"} {
		if got := p.settled(domain); got[kept] != 1 || got["/objected"] != 0 {
			t.Errorf("%s has %v", domain, got)
		}
	}
}
