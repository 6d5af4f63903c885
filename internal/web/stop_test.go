package web_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/query"
	"github.com/daysalt/daysalt/internal/stats"
	"github.com/daysalt/daysalt/internal/web"
)

// endless answers no question before its context ends.
type endless chan struct{}

func (e endless) Answer(ctx context.Context, _ stats.Site, _ *query.Question) (*stats.Answer, error) {
	close(e)
	<-ctx.Done()
	return nil, fault.Unavailablef(ctx.Err(), "not now")
}

func (endless) Current(context.Context, stats.Site) (stats.Value, error) { return stats.Value{}, nil }

// A question may take long; a server that is told to stop does not wait for it.
func TestShutdown_endsQuestions(t *testing.T) {
	asked := make(endless)
	config := web.Config{Dashboard: fstest.MapFS{}, Attribution: func() (string, string) { return "", "" }}
	s, err := web.New(config, ingester(keeps), asked, sites(t), slog.New(slog.DiscardHandler), noon)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served, answered := make(chan error, 1), make(chan int, 1)
	go func() { served <- s.Serve(l) }()
	go func() {
		got := call(t, l.Addr().String(), "POST", "/api/v2/query", `{"site_id":"shop.example","metrics":["visitors"],"date_range":"day"}`, "Content-Type", "application/json")
		answered <- got.status
	}()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("the server waited: %v", err)
	}
	if status := <-answered; status != 503 {
		t.Errorf("the question was answered %d", status)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestTracker_codings(t *testing.T) {
	address := (&fixture{config: web.Config{Tracker: []byte(strings.Repeat("let x = 1;\n", 50))}}).serve(t)
	f := func(accepted, want string) {
		t.Helper()
		if got := call(t, address, "GET", "/js/d.js", "", "Accept-Encoding", accepted); got.header.Get("Content-Encoding") != want {
			t.Errorf("%q is answered in %q, want %q", accepted, got.header.Get("Content-Encoding"), want)
		}
	}
	f("gzip, deflate, br", "br")
	f("gzip", "gzip")
	f("br;q=0, gzip;q=0.5", "gzip")
	f("br ; q=1.0", "br")
	f("br;q=0,gzip;q=0", "")
	f("brotli, zstd", "")
	f("identity", "")
}

// nginx speaks HTTP/1.0 to what is behind it, and asks for it by its address, when nobody tells it otherwise.
func TestOnlyThisMachine_oldProxy(t *testing.T) {
	address := (&fixture{}).serve(t)
	if got, _ := raw(t, address, "GET /api/v1/sites HTTP/1.0\r\nHost: 127.0.0.1:8000\r\nConnection: close\r\n\r\n"); !strings.Contains(got, " 403 ") {
		t.Errorf("%.200q", got)
	}
	if got, _ := raw(t, address, "GET /js/d.js HTTP/1.0\r\nHost: 127.0.0.1:8000\r\nConnection: close\r\n\r\n"); !strings.Contains(got, " 200 ") {
		t.Errorf("the tracker is for everybody: %.200q", got)
	}
}
