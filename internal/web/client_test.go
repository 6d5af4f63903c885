package web_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/web"
)

// behind is a server that trusts 10/8, 2001:db8:ffff::/48 and this machine, for requests from peer. The function it returns sends an event with
// more header lines, and what follows the header section, and returns the address the ingester got.
func behind(t *testing.T, peer, only string) func(lines, body string) netip.Addr {
	t.Helper()
	proxies, err := address.ParseProxies([]string{"10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan netip.Addr, 1)
	at := (&fixture{peer: peer, config: web.Config{Proxies: proxies, ClientHeader: only}, ingest: func(h *ingest.Hit) (ingest.Verdict, error) {
		if string(h.Body) != "hello" {
			t.Errorf("body %q", h.Body)
		}
		got <- h.Address
		return ingest.Verdict{Kept: 1}, nil
	}}).serve(t)
	return func(lines, body string) netip.Addr {
		t.Helper()
		const head = "POST /api/event HTTP/1.1\r\nHost: stats.example.com\r\nUser-Agent: the agent\r\n"
		if answered, _ := raw(t, at, head+lines+"Connection: close\r\n"+body); !strings.HasPrefix(answered, "HTTP/1.1 202 ") {
			t.Fatalf("%q: %q", lines, answered)
		}
		return <-got
	}
}

const plainBody = "Content-Length: 5\r\n\r\nhello"

// Whoever is no trusted proxy may write what they like.
func TestClient_untrusted(t *testing.T) {
	for peer, want := range map[string]string{"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8::7": "2001:db8::7", "fe80::7%eth0": "fe80::7"} {
		for _, only := range []string{"", "X-Forwarded-For", "CF-Connecting-IP"} {
			send := behind(t, peer, only)
			const forged = "X-Forwarded-For: 203.0.113.6, 10.0.0.1\r\nForwarded: for=203.0.113.6\r\nX-Real-IP: 203.0.113.6\r\nCF-Connecting-IP: 203.0.113.6\r\n"
			if got := send(forged, plainBody); got != netip.MustParseAddr(want) {
				t.Errorf("from %s, only %q: %s, want %s", peer, only, got, want)
			}
		}
	}
}

func TestClient_chain(t *testing.T) {
	for _, peer := range []string{"10.0.0.1", "::ffff:10.0.0.1", "2001:db8:ffff::1", "127.0.0.1"} {
		send := behind(t, peer, "")
		f := func(want, lines string) {
			t.Helper()
			if want == "peer" {
				want = peer
			}
			if got := send(lines, plainBody); got != netip.MustParseAddr(want).Unmap() {
				t.Errorf("from %s, %q: %s, want %s", peer, lines, got, want)
			}
		}
		f("peer", "")
		f("peer", "X-Real-IP: 203.0.113.6\r\nCF-Connecting-IP: 203.0.113.6\r\nX-Client-IP: 203.0.113.6\r\nTrue-Client-IP: 203.0.113.6\r\n")
		f("192.0.2.1", "X-Forwarded-For: 192.0.2.1\r\n")
		f("192.0.2.1", "X-Forwarded-For: 203.0.113.6, 192.0.2.1, 10.0.0.2\r\n")
		f("192.0.2.1", "x-forwarded-for: 203.0.113.6\r\nA: b\r\nX-FORWARDED-FOR: 192.0.2.1:80\r\nX-Forwarded-For:10.0.0.3,10.0.0.2\r\n")
		f("2001:db8::1", "Forwarded: for=203.0.113.6, for=\"[2001:db8::1]:80\";proto=https\r\nforwarded: for=10.0.0.2\r\n")
		f("192.0.2.1", "Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.1\r\n")
		f("peer", "Forwarded: for=203.0.113.6\r\nX-Forwarded-For: 192.0.2.1\r\n")
		f("peer", "X-Forwarded-For: 192.0.2.1, unknown\r\n")
		f("peer", "X_Forwarded_For: 203.0.113.6\r\n")
		f("peer", "X-Forwarded-For: 203.0.113.6\r\n 192.0.2.1\r\n")
		f("192.0.2.1", "X-Forwarded-For: "+strings.Repeat("203.0.113.6, ", 1000)+"192.0.2.1\r\n")
	}
}

func TestClient_named(t *testing.T) {
	f := func(only, want, lines string) {
		t.Helper()
		if got := behind(t, "10.0.0.1", only)(lines, plainBody); got != netip.MustParseAddr(want) {
			t.Errorf("only %q, %q: %s, want %s", only, lines, got, want)
		}
	}
	const lines = "X-Forwarded-For: 203.0.113.6, 192.0.2.1\r\nForwarded: for=192.0.2.2\r\nX-Real-IP: 192.0.2.3\r\ncf-connecting-ip: 192.0.2.4\r\nX-Two: 192.0.2.5\r\nX-Two: 192.0.2.5\r\nX-List: 192.0.2.6, 192.0.2.6\r\n"
	f("", "10.0.0.1", lines)
	f("X-Forwarded-For", "192.0.2.1", lines)
	f("forwarded", "192.0.2.2", lines)
	f("X-Real-IP", "192.0.2.3", lines)
	f("CF-Connecting-IP", "192.0.2.4", lines)
	f("X-Two", "10.0.0.1", lines)
	f("X-List", "10.0.0.1", lines)
	f("X-None", "10.0.0.1", lines)
}

// Trailers are the client's: a proxy adds its header before the body, and may pass on what follows it.
func TestClient_trailers(t *testing.T) {
	const chunked = "Trailer: X-Forwarded-For\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
	const forged = "X-Forwarded-For: 203.0.113.6\r\nForwarded: for=203.0.113.6\r\nCF-Connecting-IP: 203.0.113.6\r\n\r\n"
	f := func(only, want, lines string) {
		t.Helper()
		if got := behind(t, "10.0.0.1", only)(lines, chunked+forged); got != netip.MustParseAddr(want) {
			t.Errorf("only %q, %q: %s, want %s", only, lines, got, want)
		}
	}
	f("", "192.0.2.1", "X-Forwarded-For: 192.0.2.1\r\n")
	f("", "192.0.2.1", "Forwarded: for=192.0.2.1\r\n")
	f("X-Forwarded-For", "192.0.2.1", "X-Forwarded-For: 192.0.2.1\r\n")
	f("CF-Connecting-IP", "192.0.2.1", "CF-Connecting-IP: 192.0.2.1\r\n")
	f("CF-Connecting-IP", "10.0.0.1", "")
	f("", "10.0.0.1", "")
}

// The address of a request that follows another on a connection is its own.
func TestClient_keepAlive(t *testing.T) {
	proxies, err := address.ParseProxies([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan netip.Addr, 3)
	at := (&fixture{config: web.Config{Proxies: proxies}, ingest: func(h *ingest.Hit) (ingest.Verdict, error) {
		got <- h.Address
		return ingest.Verdict{Kept: 1}, nil
	}}).serve(t)
	const line, end = "POST /api/event HTTP/1.1\r\nHost: a.example\r\n", "Content-Length: 5\r\n\r\nhello"
	answered, _ := raw(t, at, line+"X-Forwarded-For: 192.0.2.1\r\n"+end+line+end+line+"Connection: close\r\nX-Forwarded-For: 192.0.2.2\r\n"+end)
	if len(got) != 3 {
		t.Fatalf("%d of 3 came through: %q", len(got), answered)
	}
	for _, want := range []string{"192.0.2.1", "127.0.0.1", "192.0.2.2"} {
		if a := <-got; a != netip.MustParseAddr(want) {
			t.Errorf("%s, want %s", a, want)
		}
	}
}
