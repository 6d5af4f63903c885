package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/query"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/stats"
	"github.com/daysalt/daysalt/internal/web"
)

// noon is the servers' only moment.
func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// ingester is a fake that does what it is told.
type ingester func(h *ingest.Hit) (ingest.Verdict, error)

func (f ingester) Ingest(h *ingest.Hit) (ingest.Verdict, error) { return f(h) }

func keeps(*ingest.Hit) (ingest.Verdict, error) { return ingest.Verdict{Kept: 1}, nil }

// answerer is a fake that answers every question alike.
type answerer func() (*stats.Answer, error)

func (f answerer) Answer(context.Context, stats.Site, *query.Question) (*stats.Answer, error) {
	return f()
}

func (f answerer) Current(context.Context, stats.Site) (stats.Value, error) {
	_, err := f()
	return stats.Value{Hundredths: 700}, err
}

// fixture is what a server is made of; zero values stand for a part that does nothing.
type fixture struct {
	config web.Config
	ingest ingester
	stats  answerer
	sites  web.Sites // shop.example and blog.example where it is nil
	peer   string    // where requests seem to come from; "" is where they do come from
	log    *logged
}

// logged is a log that can be read.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// sites are shop.example in Berlin and blog.example.
func sites(t *testing.T) *site.Registry {
	t.Helper()
	db, err := settings.Open(t.Context(), filepath.Join(t.TempDir(), "settings.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r, err := site.NewRegistry(t.Context(), db, noon)
	if err != nil {
		t.Fatal(err)
	}
	for domain, zone := range map[string]string{"shop.example": "Europe/Berlin", "blog.example": "UTC"} {
		if _, err := r.Add(t.Context(), domain, zone, 30); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (f *fixture) new(t *testing.T) (*web.Server, error) {
	t.Helper()
	if f.config.Dashboard == nil {
		f.config.Dashboard = fstest.MapFS{}
	}
	if f.config.Attribution == nil {
		f.config.Attribution = func() (string, string) { return "", "" }
	}
	if f.ingest == nil {
		f.ingest = keeps
	}
	if f.stats == nil {
		f.stats = func() (*stats.Answer, error) { return &stats.Answer{}, nil }
	}
	if f.log == nil {
		f.log = &logged{}
	}
	if f.sites == nil {
		f.sites = sites(t)
	}
	f.config.Version = "1.2.3"
	return web.New(f.config, f.ingest, f.stats, f.sites, slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})), noon)
}

// serve starts the server and returns its address.
func (f *fixture) serve(t *testing.T) string {
	t.Helper()
	s, err := f.new(t)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if f.peer != "" {
		l = elsewhere{l, f.peer}
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		// Shutdown acts on a server that serves, and Serve may not have begun.
		if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
			_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
			_, _ = io.ReadAll(conn)
			_ = conn.Close()
		}
		if err := errors.Join(s.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// elsewhere is a listener whose connections come from another address.
type elsewhere struct {
	net.Listener
	peer string
}

func (l elsewhere) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return movedConn{conn, l.peer}, err
}

type movedConn struct {
	net.Conn
	peer string
}

func (c movedConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.peer), 4711))
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func call(t *testing.T, address, method, path, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	got, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, string(text)}
}

// What the ingester is handed: the peer whatever headers say, and the headers as they came.
func TestCollect_hit(t *testing.T) {
	var got ingest.Hit
	f := fixture{peer: "::ffff:192.0.2.7", ingest: func(h *ingest.Hit) (ingest.Verdict, error) {
		got = *h // the strings are the server's, so they are copied
		got.Agent, got.Language, got.Purpose = strings.Clone(h.Agent), strings.Clone(h.Language), strings.Clone(h.Purpose)
		got.Hints = agent.Hints{Brands: strings.Clone(h.Hints.Brands), Platform: strings.Clone(h.Hints.Platform), Mobile: strings.Clone(h.Hints.Mobile)}
		got.Body = bytes.Clone(h.Body)
		return ingest.Verdict{Kept: 1, Dropped: 2}, nil
	}}
	address := f.serve(t)
	answered := call(t, address, "POST", "/api/event", "the body", "User-Agent", "the agent", "Sec-CH-UA", "brands", "Sec-CH-UA-Platform", "platform",
		"Sec-CH-UA-Mobile", "?1", "Accept-Language", "de", "Sec-Purpose", "prefetch", "X-Forwarded-For", "198.51.100.1", "X-Real-IP", "198.51.100.1", "Forwarded", "for=198.51.100.1")
	if answered.status != 202 || answered.body != "ok" || answered.header.Get("X-Plausible-Dropped") != "2" || answered.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%+v", answered)
	}
	want := ingest.Hit{
		Time: noon(), Address: netip.MustParseAddr("192.0.2.7"), Agent: "the agent", Hints: agent.Hints{Brands: "brands", Platform: "platform", Mobile: "?1"},
		Language: "de", Purpose: "prefetch", Body: []byte("the body"),
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// Nothing of a hit stays with its connection.
func TestCollect_forgets(t *testing.T) {
	hits := make(chan *ingest.Hit, 1)
	address := (&fixture{ingest: func(h *ingest.Hit) (ingest.Verdict, error) {
		hits <- h
		return ingest.Verdict{Kept: 1}, nil
	}}).serve(t)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "POST /api/event HTTP/1.1\r\nHost: a.example\r\nUser-Agent: the agent\r\nContent-Length: 5\r\n\r\nhello"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 500)); err != nil {
		t.Fatal(err)
	}
	if h := <-hits; h.Agent != "" || h.Body != nil || h.Address.IsValid() {
		t.Errorf("%+v", h)
	}
}

// With an objection the body is nobody's business.
func TestCollect_objection(t *testing.T) {
	address := (&fixture{ingest: func(*ingest.Hit) (ingest.Verdict, error) {
		t.Error("an objection reached the ingester")
		return ingest.Verdict{}, nil
	}}).serve(t)
	if got := call(t, address, "POST", "/api/event", "no JSON", "Sec-GPC", "1"); got.status != 202 || got.body != "ok" || got.header.Get("X-Plausible-Dropped") != "" {
		t.Errorf("%+v", got)
	}
}

// What is told of an error: faults meant for the reader without their cause, nothing of any other.
func TestErrors(t *testing.T) {
	secret := errors.New("secret cause at 192.0.2.1")
	f := func(err error, status int, want, logs string) {
		t.Helper()
		f := fixture{
			ingest: func(*ingest.Hit) (ingest.Verdict, error) { return ingest.Verdict{}, err },
			stats:  func() (*stats.Answer, error) { return nil, err },
		}
		address := f.serve(t)
		const question = `{"site_id":"shop.example","metrics":["visitors"],"date_range":"day"}`
		asJSON := []string{"Content-Type", "application/json"}
		for path, got := range map[string]answer{
			"/api/event":    call(t, address, "POST", "/api/event", "{}"),
			"/api/v2/query": call(t, address, "POST", "/api/v2/query", question, asJSON...),
			"realtime":      call(t, address, "GET", "/api/v1/stats/realtime/visitors?site_id=shop.example", ""),
		} {
			if got.status != status || got.body != want || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("%v on %s: %d %s, want %d %s", err, path, got.status, got.body, status, want)
			}
			if retry := got.header.Get("Retry-After"); (retry != "") != (status == 503) {
				t.Errorf("%v on %s: Retry-After %q", err, path, retry)
			}
		}
		got := call(t, address, "POST", "/api/v2/query", `{"queries":[`+question+`,{"site_id":"nowhere.example","metrics":["visitors"],"date_range":"day"},{}]}`, asJSON...)
		batch := `{"answers":[` + want + `,{"error":"site_id: is not one of the sites"},{"error":"site_id: must be the domain of a site"}]}`
		if got.status != 200 || got.body != batch {
			t.Errorf("%v in a batch: %d %s, want %s", err, got.status, got.body, batch)
		}
		if logged := f.log.String(); logs == "" && logged != "" || !strings.Contains(logged, logs) {
			t.Errorf("%v: the log has no %q: %s", err, logs, logged)
		}
	}
	f(secret, 500, `{"error":"internal error"}`, "192.0.2.1")
	f(fmt.Errorf("cannot do it: %w", secret), 500, `{"error":"internal error"}`, "192.0.2.1")
	f(&fault.Error{Kind: fault.Internal, Message: "secret"}, 500, `{"error":"internal error"}`, "secret")
	f(fault.Invalidf("metrics", "must be there"), 400, `{"error":"metrics: must be there"}`, "")
	f(fault.NotFoundf("site_id", "is not there"), 404, `{"error":"site_id: is not there"}`, "")
	f(fault.Conflictf("site_id", "is taken"), 409, `{"error":"site_id: is taken"}`, "")
	f(&fault.Error{Kind: fault.Forbidden, Message: "not yours"}, 403, `{"error":"not yours"}`, "")
	f(fault.Unavailablef(secret, "not now"), 503, `{"error":"not now"}`, "")
	f(fmt.Errorf("cannot do it: %w", fault.Unavailablef(secret, "not now")), 503, `{"error":"not now"}`, "")
}

func TestErrors_badEvent(t *testing.T) {
	bad := &ingest.BadEvent{Fields: []ingest.FieldError{{Field: "url", Message: "is required"}, {Field: "url", Message: "is long"}, {Field: "name", Message: "is required"}}}
	address := (&fixture{ingest: func(*ingest.Hit) (ingest.Verdict, error) { return ingest.Verdict{}, bad }}).serve(t)
	got := call(t, address, "POST", "/api/event", "{}")
	if want := `{"errors":{"name":["is required"],"url":["is required","is long"]}}`; got.status != 400 || got.body != want {
		t.Errorf("%d %s, want %s", got.status, got.body, want)
	}
}

// A panic is a 500 and a line in the log that says where, and never what: its value may be a visitor's.
func TestPanic(t *testing.T) {
	const secret = "Mozilla/5.0 of 192.0.2.1"
	f := fixture{
		ingest: func(*ingest.Hit) (ingest.Verdict, error) { panic(secret) },
		stats:  func() (*stats.Answer, error) { panic(errors.New(secret)) },
	}
	address := f.serve(t)
	const question = `{"site_id":"shop.example","metrics":["visitors"],"date_range":"day"}`
	asJSON := []string{"Content-Type", "application/json"}
	for range 2 { // the server goes on
		for path, got := range map[string]answer{
			"/api/event":    call(t, address, "POST", "/api/event", "{}"),
			"/api/v2/query": call(t, address, "POST", "/api/v2/query", question, asJSON...),
		} {
			if got.status != 500 || got.body != `{"error":"internal error"}` {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
		}
		if got := call(t, address, "POST", "/api/v2/query", `{"queries":[`+question+`]}`, asJSON...); got.body != `{"answers":[{"error":"internal error"}]}` {
			t.Errorf("a batch: %d %s", got.status, got.body)
		}
	}
	logged := f.log.String()
	if !strings.Contains(logged, "internal/web_test.TestPanic.func1:") || !strings.Contains(logged, "internal/web_test.TestPanic.func2:") {
		t.Errorf("the log does not say where it was: %s", logged)
	}
	if strings.Contains(logged, "Mozilla") || strings.Contains(logged, "192.0.2.1") {
		t.Errorf("the log says what it was: %s", logged)
	}
}

func TestSites_listed(t *testing.T) {
	address := (&fixture{}).serve(t)
	got := call(t, address, "GET", "/api/v1/sites", "")
	want := `{"meta":{"after":null,"before":null,"limit":100},"sites":[{"domain":"blog.example","timezone":"UTC"},{"domain":"shop.example","timezone":"Europe/Berlin"}]}`
	if got.status != 200 || got.body != want {
		t.Errorf("%d %s, want %s", got.status, got.body, want)
	}
	if got := call(t, address, "GET", "/api/v1/stats/realtime/visitors?site_id=www.Shop.example", ""); got.status != 200 || got.body != "7" {
		t.Errorf("%d %s, want 7", got.status, got.body)
	}
	if got := call(t, address, "GET", "/api/v1/stats/realtime/visitors", ""); got.status != 404 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
