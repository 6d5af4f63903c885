package web

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/daysalt/daysalt/internal/site"
)

// noSites is a server's sites where there are none.
type noSites struct{}

func (noSites) Lookup(string) (*site.Site, bool) { return nil, false }
func (noSites) All() []*site.Site                { return nil }

// No answer may stand in a frame, whatever the route, the method and the mistake. The opt-out page of a site that is measured may, on the site's own pages:
// TestOptOut_policy.
func TestFrames(t *testing.T) {
	built := fstest.MapFS{"index.html": {Data: []byte(dataSlot)}, "assets/a.js": {Data: []byte("a")}}
	config := Config{Demo: true, Dashboard: built, Attribution: func() (string, string) { return "", "" }}
	s, err := New(config, nil, nil, noSites{}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	routes := 0
	f := func(method, path string, headers ...string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		got, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, got.Body)
		_ = got.Body.Close()
		routes++
		if policy := got.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "frame-ancestors 'none'") {
			t.Errorf("%s %s: %d with the policy %q", method, path, got.StatusCode, policy)
		}
	}
	for _, route := range s.app.GetRoutes(true) {
		if route.Path == eventPath {
			continue // no page
		}
		f(route.Method, strings.NewReplacer(":page", "about", "*", "x").Replace(route.Path))
		f(route.Method, strings.NewReplacer(":page", "none", "*", "sites/x").Replace(route.Path), "X-Forwarded-For", "192.0.2.1")
	}
	for _, path := range []string{"/", "/sites", "/sites/shop.example", "/assets/a.js", "/nowhere", "/js/", "/demo/style.css", "/api/", "/metrics", "/opt-outs", "/opt-out/x", "/OPT-OUT"} {
		f("GET", path)
		f("POST", path)
	}
	f("GET", optOutPath+"?site=x", "Sec-Fetch-Dest", "iframe")
	f("GET", "/", "X", strings.Repeat("x", readBuffer))
	f("BREW", "/opt-outs")
	if routes < 40 {
		t.Errorf("%d answers", routes)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := s.Shutdown(t.Context()); err != nil || <-served != nil {
		t.Error(err)
	}
}
