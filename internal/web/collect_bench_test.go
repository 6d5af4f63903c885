package web_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/bot"
	"github.com/daysalt/daysalt/internal/geo"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/salt"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/web"
)

// BenchmarkCollect shows what the server adds to a bare one, without the system: requests come from memory, and answers go nowhere.
func BenchmarkCollect(b *testing.B) {
	requests := browsers()
	proxies, err := address.ParseProxies([]string{"127.0.0.1", "::1"})
	if err != nil {
		b.Fatal(err)
	}
	full := func(in web.Ingester) func(net.Listener) error {
		config := web.Config{Dashboard: fstest.MapFS{}, Attribution: func() (string, string) { return "", "" }, Proxies: proxies}
		s, err := web.New(config, in, answerer(nil), nil, slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			b.Fatal(err)
		}
		return s.Serve
	}
	whole := realIngester(b)
	for _, c := range []struct {
		name  string
		serve func(net.Listener) error
	}{{"bare", web.NewBare().Serve}, {"nothing", full(ingester(keeps))}, {"full", full(whole)}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			l := &memory{requests: requests, left: b.N, done: make(chan struct{})}
			before := cpu()
			if err := c.serve(l); err != nil {
				b.Error(err)
			}
			<-l.done
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
			if want := 12 * b.N; l.written < want {
				b.Errorf("%d bytes were answered to %d requests", l.written, b.N)
			}
		})
	}
	if s := whole.Stats(); s.Kept == 0 || s.Invalid > 0 || s.Dropped["bot"] > 0 || s.Dropped["unknown_site"] > 0 {
		b.Errorf("%+v", s)
	}
}

// BenchmarkTake is the part of it that knows no HTTP.
func BenchmarkTake(b *testing.B) {
	in := realIngester(b)
	requests := browsers()
	hits := make([]ingest.Hit, 1000)
	for i := range hits {
		head, body, _ := strings.Cut(string(requests[i]), "\r\n\r\n")
		_, ua, _ := strings.Cut(head, "User-Agent: ")
		ua, _, _ = strings.Cut(ua, "\r\n")
		hits[i] = ingest.Hit{Time: time.Now(), Address: address.Mask(addressOf(i), 1), Agent: ua, Language: "de-DE,de;q=0.9,en;q=0.8", Body: []byte(body)}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := in.Ingest(&hits[i%len(hits)]); err != nil {
			b.Fatal(err)
		}
	}
}

// addressOf is the address of one of many visitors.
func addressOf(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(i%223 + 1), byte(i % 251), byte(i % 13), 7})
}

// nowhere is a journal that costs nothing.
type nowhere struct{}

func (nowhere) Append([]byte) error { return nil }

// runs is a clock that goes on.
type runs struct{}

func (runs) Now() time.Time      { return time.Now() }
func (runs) Boot() time.Duration { return time.Hour }

// realIngester measures demo.daysalt.example with everything that a server has, but a journal.
func realIngester(b *testing.B) *ingest.Ingester {
	b.Helper()
	db, err := settings.Open(b.Context(), filepath.Join(b.TempDir(), "settings.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	sites, err := site.NewRegistry(b.Context(), db, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := sites.Add(b.Context(), "demo.daysalt.example", "Europe/Berlin", 396); err != nil {
		b.Fatal(err)
	}
	keys, err := salt.Open(salt.Config{Storage: salt.Memory}, runs{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = keys.Close() })
	var places *geo.Database
	path := filepath.Join("..", "..", "deploy", "runtime", "node_modules", "@ip-location-db", "dbip-country-mmdb", "dbip-country.mmdb")
	if _, err := os.Stat(path); err == nil {
		if places, err = geo.Open(path, nil); err != nil {
			b.Fatal(err)
		}
	}
	return ingest.New(ingest.Deps{Sites: sites, Keys: keys, Agents: agent.New(agent.Config{Bot: bot.Detect}), Geo: places, Journal: nowhere{}, Now: time.Now})
}

// browsers are requests as a proxy passes them on.
func browsers() [][]byte {
	agents := []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1%d.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.%d Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/1%d.0",
	}
	all := make([][]byte, 20000)
	for i := range all {
		page := fmt.Sprintf("/%s/page-%d", [...]string{"blog", "docs", "shop", "about"}[i%4], i%300)
		body := fmt.Sprintf(`{"n":"pageview","u":"https://demo.daysalt.example%s?utm_source=newsletter&utm_medium=email","d":"demo.daysalt.example","r":"https://www.google.com/"}`, page)
		all[i] = fmt.Appendf(nil, "POST /api/event HTTP/1.1\r\nHost: 127.0.0.1:8991\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: de-DE,de;q=0.9,en;q=0.8\r\n"+
			"Origin: https://demo.daysalt.example\r\nReferer: https://demo.daysalt.example%s\r\nContent-Type: text/plain\r\nUser-Agent: %s\r\nX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n%s",
			page, fmt.Sprintf(agents[i%3], 10+i%25), addressOf(i), len(body), body)
	}
	return all
}

// memory is a listener with one connection, which brings so many requests.
type memory struct {
	net.Conn

	requests [][]byte
	next     int
	left     int
	accepted bool
	written  int
	done     chan struct{}
}

func (m *memory) Accept() (net.Conn, error) {
	if m.accepted {
		return nil, io.EOF
	}
	m.accepted = true
	return m, nil
}

func (m *memory) Read(p []byte) (int, error) {
	if m.left == 0 {
		return 0, io.EOF
	}
	m.left--
	m.next = (m.next + 1) % len(m.requests)
	return copy(p, m.requests[m.next]), nil
}

func (m *memory) Write(p []byte) (int, error) {
	m.written += len(p)
	return len(p), nil
}

func (m *memory) Close() error {
	if m.left == 0 && m.accepted {
		select {
		case <-m.done:
		default:
			close(m.done)
		}
	}
	return nil
}

func (*memory) Addr() net.Addr                   { return memoryPeer }
func (*memory) LocalAddr() net.Addr              { return memoryPeer }
func (*memory) SetReadDeadline(time.Time) error  { return nil }
func (*memory) SetWriteDeadline(time.Time) error { return nil }
func (*memory) SetDeadline(time.Time) error      { return nil }

var memoryPeer = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}

func (*memory) RemoteAddr() net.Addr { return memoryPeer }

// cpu returns the time that the process has had, in nanoseconds.
func cpu() int64 {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) != nil {
		return 0
	}
	return use.Utime.Nano() + use.Stime.Nano()
}
