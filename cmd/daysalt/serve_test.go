package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/tracker"
)

const demo = "demo.localhost"

// An event is in the answers within 2 s of its own answer; the rest of the 3 s is for a slow machine.
func TestServe_line(t *testing.T) {
	p := serve(t, t.TempDir(), "--web-demo")
	if page := p.await(`demo page  (http://\S+)`); page != p.base+"/demo" {
		t.Errorf("the demo page is said to be at %s, the server is at %s", page, p.base)
	}
	if got := p.do("GET", "/demo", ""); got.status != 200 || !strings.Contains(got.body, `src="/js/d.js"`) {
		t.Errorf("/demo: %+v", got)
	}
	began := time.Now()
	if got := p.do("POST", "/api/event", pageview(demo, "/demo"), "Content-Type", "text/plain"); got.status != 202 || got.body != "ok" {
		t.Fatalf("an event was answered %+v", got)
	}
	p.awaitPage(demo, "/demo")
	took := time.Since(began)
	t.Logf("%v from the event to its number", took.Round(time.Millisecond))
	if took > 3*time.Second {
		t.Errorf("it took %v until the event was in the answers", took)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// raw sends bytes over one connection and returns everything that comes back until the server closes it, or for as long as it may take.
func raw(t *testing.T, p *process, request string) (text string, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	return string(got), err == nil
}

// rawEvent is an event's request to the byte.
func rawEvent(headers, body string) string {
	return fmt.Sprintf("POST /api/event HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n%s", headers, len(body), body)
}

// The table of what comes to /api/event and how it is answered. What was kept is told by a question at the end.
func TestServe_answers(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--web-demo")
	f := func(name, body string, headers []string, status int, text, dropped string) {
		t.Helper()
		got := p.do("POST", "/api/event", body, headers...)
		if got.status != status || !strings.Contains(got.body, text) || got.header.Get("X-Plausible-Dropped") != dropped {
			t.Errorf("%s: answered %d %q, dropped %q; want %d %q, dropped %q", name, got.status, got.body, got.header.Get("X-Plausible-Dropped"), status, text, dropped)
		}
	}
	kept := map[string]int{"/plain": 1, "/json": 1, "/no-domain": 1, "/most": 1, "/odd-agent": 1, "/gpc-0": 1}

	f("kept", pageview(demo, "/plain"), []string{"Content-Type", "text/plain"}, 202, "ok", "")
	f("kept as JSON", pageview(demo, "/json"), []string{"Content-Type", "application/json"}, 202, "ok", "")
	f("no domain", `{"n":"pageview","u":"https://demo.localhost/no-domain"}`, nil, 202, "ok", "")
	f("as large as may be", padded("/most", 128<<10), nil, 202, "ok", "")
	f("GPC says 0", pageview(demo, "/gpc-0"), []string{"Sec-Gpc", "0"}, 202, "ok", "")

	f("no JSON", "no JSON", nil, 400, `{"errors":{"request":[`, "")
	f("nothing", "", nil, 400, `{"errors":{"request":[`, "")
	f("cut off", `{"n":"pageview","u":"https://demo.localhost/cut"`, nil, 400, `{"errors":{"request":[`, "")
	f("wrong types", `{"n":true,"u":"https://demo.localhost/types","d":7}`, nil, 400, `"name":["must be a string"]`, "")
	f("wrong types", `{"n":true,"u":"https://demo.localhost/types","d":7}`, nil, 400, `"domain":["must be a string"]`, "")
	f("no URL", `{"n":"pageview","d":"demo.localhost"}`, nil, 400, `{"errors":{"url":["is required"]}}`, "")
	f("data URL", `{"n":"pageview","u":"data:text/html,x","d":"demo.localhost"}`, nil, 400, `{"errors":{"url":[`, "")
	f("invalid UTF-8", "{\"n\":\"pageview\",\"u\":\"https://demo.localhost/\xff\",\"d\":\"demo.localhost\"}", nil, 400, `{"errors":{"request":[`, "")
	f("NUL", "{\"n\":\"pageview\",\"u\":\"https://demo.localhost/\x00\",\"d\":\"demo.localhost\"}", nil, 400, `{"errors":{"request":[`, "")
	f("escaped NUL", `{"n":"pageview","u":"https://demo.localhost/\u0000","d":"demo.localhost"}`, nil, 400, `{"errors":{"url":[`, "")
	f("compressed", pageview(demo, "/zip"), []string{"Content-Encoding", "gzip"}, 415, "compressed", "")
	f("compressed, GPC", pageview(demo, "/zip"), []string{"Content-Encoding", "gzip", "Sec-Gpc", "1"}, 202, "ok", "")

	f("unknown site", pageview("unknown.example", "/unknown"), nil, 202, "ok", "1")
	f("two unknown sites", `{"n":"pageview","u":"https://a.example/","d":"a.example,b.example"}`, nil, 202, "ok", "2")
	f("bot", pageview(demo, "/bot"), []string{"User-Agent", "Googlebot/2.1 (+http://www.google.com/bot.html)"}, 202, "ok", "1")
	f("no agent", pageview(demo, "/none"), []string{"User-Agent", ""}, 202, "ok", "1")
	f("automated", `{"n":"pageview","u":"https://demo.localhost/auto","d":"demo.localhost","b":1}`, nil, 202, "ok", "1")
	f("prefetch", pageview(demo, "/prefetch"), []string{"Sec-Purpose", "prefetch;prerender"}, 202, "ok", "1")
	f("GPC", pageview(demo, "/gpc"), []string{"Sec-Gpc", "1"}, 202, "ok", "")

	// A body over the limit is refused by its announced length, before any of it is read.
	if got, closed := raw(t, p, fmt.Sprintf("POST /api/event HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: %s\r\nContent-Length: %d\r\n\r\n", chrome, 128<<10+1)); !strings.HasPrefix(got, "HTTP/1.1 413 ") || !closed {
		t.Errorf("too large: %q, closed %v", got, closed)
	}
	// Bytes that Go's client would not send.
	if got, _ := raw(t, p, rawEvent("User-Agent: "+chrome+" \x00\xff\xfe\r\nAccept-Language: \xff\r\n", pageview(demo, "/odd-agent"))); !strings.HasPrefix(got, "HTTP/1.1 202 ") {
		t.Errorf("odd agent: %q", got)
	}
	for _, method := range []string{"PUT", "DELETE", "TRACE"} {
		if got := p.do(method, "/api/event", pageview(demo, "/method")); got.status != 405 {
			t.Errorf("%s: %+v", method, got)
		}
	}
	if got := p.settled(demo); !cmp.Equal(got, kept) {
		t.Errorf("kept is not what was to be kept:\n%s", cmp.Diff(kept, got))
	}
}

// padded is an event of exactly so many bytes.
func padded(path string, size int) string {
	body := strings.TrimSuffix(pageview(demo, path), "}") + `,"x":"`
	return body + strings.Repeat("x", size-len(body)-2) + `"}`
}

// An objection is answered as if there were none, to the byte, whatever the body is.
func TestServe_objection(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--web-demo")
	ask := func(headers, body string) string {
		t.Helper()
		return undated(t, p, headers, body)
	}
	want := ask("", pageview(demo, "/kept"))
	if !strings.HasPrefix(want, "HTTP/1.1 202 ") {
		t.Fatal(want)
	}
	for _, body := range []string{pageview(demo, "/objected"), pageview("unknown.example", "/objected"), "no JSON", "", "{\"n\":\"\x00\xff\"}"} {
		if got := ask("Sec-GPC: 1\r\n", body); got != want {
			t.Errorf("%q is answered %q, a kept event %q", body, got, want)
		}
	}
	// The answer about a site that is not here differs only in the header that says so.
	if got := strings.Replace(ask("", pageview("unknown.example", "/")), "X-Plausible-Dropped: 1\r\n", "", 1); got != want {
		t.Errorf("an unknown site is answered %q, a kept event %q", got, want)
	}
	if got := p.settled(demo); !cmp.Equal(got, map[string]int{"/kept": 1}) {
		t.Errorf("kept: %v", got)
	}
}

// What has no accounts answers this machine alone; what trackers need answers all.
func TestServe_guard(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--web-demo")
	port := p.base[strings.LastIndexByte(p.base, ':'):]
	type request struct{ method, path, body string }
	question := `{"site_id":"demo.localhost","metrics":["visitors"],"date_range":"day"}`
	private := []request{
		{"GET", "/", ""},
		{"GET", "/sites/demo.localhost", ""},
		{"GET", "/api/v1/sites", ""},
		{"GET", "/api/v1/stats/realtime/visitors?site_id=demo.localhost", ""},
		{"POST", "/api/v2/query", question},
		{"GET", "/api/nothing", ""},
		{"GET", "/assets/nothing.js", ""},
	}
	public := []request{{"POST", "/api/event", pageview(demo, "/public")}, {"OPTIONS", "/api/event", ""}, {"GET", "/js/d.js", ""}, {"GET", "/demo", ""}}

	f := func(requests []request, forbidden bool, headers ...string) {
		t.Helper()
		for _, r := range requests {
			got := p.do(r.method, r.path, r.body, append([]string{"Content-Type", "application/json"}, headers...)...)
			if (got.status == 403) != forbidden || got.status >= 500 {
				t.Errorf("%s %s with %v: %d", r.method, r.path, headers, got.status)
			}
		}
	}
	for _, host := range []string{"127.0.0.1" + port, "localhost", "localhost" + port, "LOCALHOST", "[::1]" + port, "shop.localhost" + port, "127.8.9.10"} {
		f(private, false, "Host", host)
	}
	for _, headers := range [][]string{
		{"Host", "evil.example"},
		{"Host", "evil.example" + port},
		{"Host", "127.0.0.1.evil.example"},
		{"Host", "localhost.evil.example"},
		{"Host", "192.0.2.1"},
		{"Host", "notlocalhost"},
		{"X-Forwarded-For", "192.0.2.1"},
		{"X-Forwarded-For", "127.0.0.1"},
		{"Forwarded", "for=192.0.2.1"},
		{"X-Real-IP", "192.0.2.1"},
		{"Via", "1.1 proxy"},
	} {
		f(private, true, headers...)
		f(public, false, headers...)
	}
	for _, from := range []string{"cross-site", "same-site"} {
		f(private[2:6], true, "Sec-Fetch-Site", from)
		f(private[:2], false, "Sec-Fetch-Site", from) // a link on another page may lead here
		f(public, false, "Sec-Fetch-Site", from)
	}
	f(private, false, "Sec-Fetch-Site", "same-origin")
	f(private, false, "Sec-Fetch-Site", "none")
	// Another site's form cannot ask without a preflight.
	if got := p.do("POST", "/api/v2/query", question, "Content-Type", "text/plain"); got.status != 415 {
		t.Errorf("a question as text: %+v", got)
	}
	if got := p.do("OPTIONS", "/api/v2/query", ""); got.header.Get("Access-Control-Allow-Origin") != "" || got.status < 400 {
		t.Errorf("a preflight of a question: %+v", got)
	}
}

func TestServe_tracker(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	f := func(accepted, encoding string, read func(string) string) {
		t.Helper()
		got := p.do("GET", "/js/d.js", "", "Accept-Encoding", accepted)
		if got.status != 200 || got.header.Get("Content-Type") != "text/javascript; charset=utf-8" || got.header.Get("Content-Encoding") != encoding ||
			got.header.Get("Vary") != "Accept-Encoding" || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Fatalf("%q: %d %v", accepted, got.status, got.header)
		}
		if read(got.body) != tracker.Script() {
			t.Errorf("%q: not the script", accepted)
		}
		again := p.do("GET", "/js/d.js", "", "Accept-Encoding", accepted, "If-None-Match", got.header.Get("Etag"))
		if again.status != 304 || again.body != "" {
			t.Errorf("%q, asked again: %+v", accepted, again)
		}
		if other := p.do("GET", "/js/d.js", "", "If-None-Match", `"other"`); other.status != 200 {
			t.Errorf("asked with another tag: %d", other.status)
		}
	}
	plain := func(s string) string { return s }
	f("", "", plain)
	f("deflate", "", plain)
	f("gzip", "gzip", unzip)
	f("gzip, deflate, br, zstd", "br", unbrotli)
	if got := p.do("GET", "/demo", ""); got.status != 404 {
		t.Errorf("/demo without --web-demo: %d", got.status)
	}
}

func unzip(s string) string {
	z, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		return err.Error()
	}
	return readAll(z)
}

func unbrotli(s string) string { return readAll(brotli.NewReader(strings.NewReader(s))) }

func readAll(r io.Reader) string {
	text, err := io.ReadAll(r)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Two servers could read these requests differently, so this one does not read them at all, nor what follows on the connection.
func TestServe_ambiguous(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--web-demo")
	body := pageview(demo, "/smuggled")
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	f := func(name, head, body string) {
		t.Helper()
		const next = "GET /js/d.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
		got, closed := raw(t, p, head+"User-Agent: "+chrome+"\r\n\r\n"+body+next)
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Count(got, "HTTP/1.1 ") != 1 || !closed {
			t.Errorf("%s: closed %v after\n%.400s", name, closed, got)
		}
	}
	const line = "POST /api/event HTTP/1.1\r\n"
	const host = "Host: 127.0.0.1\r\n"
	f("two Hosts", line+host+"Host: evil.example\r\n"+length, body)
	f("the same Host twice", line+host+"hOST: 127.0.0.1\r\n"+length, body)
	f("no Host", line+length, body)
	f("no Host, old version", "POST /api/event HTTP/1.0\r\n"+length, body)
	f("length and chunks", line+host+length+"Transfer-Encoding: chunked\r\n", chunked)
	f("chunks and length", line+host+"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunked)
	f("two lengths", line+host+length+"Content-Length: 0\r\n", body)
	f("the same length twice", line+host+length+length, body)
	f("two encodings", line+host+"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", chunked)
	f("blank before the colon", line+host+"Content-Length : 5\r\n"+length, body)
	f("a length that is none", line+host+"Content-Length: 5x\r\n", body)
	f("a length with a sign", line+host+"Content-Length: +5\r\n", body)
	f("no header line", line+host+"no header line\r\n"+length, body)
	if got := p.settled(demo); len(got) != 0 {
		t.Errorf("kept: %v", got)
	}
}

func TestServe_operators(t *testing.T) {
	t.Parallel()
	operators := freeAddress(t)
	p := serve(t, t.TempDir(), "--web-demo", "--admin-listen", operators)
	for range 3 {
		p.post(demo, "/kept")
	}
	p.do("POST", "/api/event", "no JSON")
	p.do("POST", "/api/event", `{}`)
	p.do("POST", "/api/event", pageview("unknown.example", "/"))
	p.do("POST", "/api/event", pageview(demo, "/"), "User-Agent", "curl/8.5.0")
	p.do("POST", "/api/event", pageview(demo, "/"), "Sec-Purpose", "prefetch")
	p.do("POST", "/api/event", pageview(demo, "/"), "Sec-Gpc", "1")
	p.settled(demo) // is kept too
	f := func(path, want string) {
		t.Helper()
		got, err := call(newClient(), "GET", "http://"+operators+path, "")
		if err != nil || got.status != 200 || !strings.Contains("\n"+got.body, "\n"+want+"\n") {
			t.Errorf("%s: %v, %d, no line %q in\n%s", path, err, got.status, want, grep(got.body, "daysalt_"))
		}
	}
	f("/healthz", "ok")
	f("/readyz", "ok")
	f("/metrics", "daysalt_ingest_kept_total 4")
	f("/metrics", "daysalt_ingest_invalid_total 2")
	f("/metrics", `daysalt_ingest_dropped_total{reason="unknown_site"} 1`)
	f("/metrics", `daysalt_ingest_dropped_total{reason="bot"} 1`)
	f("/metrics", `daysalt_ingest_dropped_total{reason="prefetch"} 1`)
	f("/metrics", "daysalt_ship_rows_total 4")
	// None of it is public.
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/"} {
		if got := p.do("GET", path, ""); got.status != 404 {
			t.Errorf("%s on the public listener: %d", path, got.status)
		}
	}
}

func grep(text, part string) string {
	var b bytes.Buffer
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) && !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}
