package web_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/web"
)

// raw sends bytes and returns what comes back until the server closes the connection; it waits a second for that.
func raw(t *testing.T, address, request string) (text string, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	return string(got), err == nil
}

// What two servers could read in two ways is refused before the ingester, in the same words whatever it was.
func TestAmbiguous(t *testing.T) {
	address := (&fixture{ingest: func(*ingest.Hit) (ingest.Verdict, error) {
		t.Error("it reached the ingester")
		return ingest.Verdict{}, nil
	}}).serve(t)
	f := func(head string) {
		t.Helper()
		const agent = "User-Agent: Zq7Marker\r\n"
		got, closed := raw(t, address, head+agent+"\r\nhello")
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || !closed || !strings.HasSuffix(got, `{"error":"the request is malformed or ambiguous"}`) || !strings.Contains(got, "Connection: close") {
			t.Errorf("%q: closed %v after %q", head, closed, got)
		}
	}
	const line, host, length = "POST /api/event HTTP/1.1\r\n", "Host: a.example\r\n", "Content-Length: 5\r\n"
	f(line + length)
	f(line + host + host + length)
	f(line + host + "HOST: b.example\r\n" + length)
	f(line + host + length + length)
	f(line + host + length + "content-LENGTH: 0\r\n")
	f(line + host + length + "Transfer-Encoding: chunked\r\n")
	f(line + host + "transfer-encoding: chunked\r\n" + length)
	f(line + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")
	// fasthttp refuses these, with a text that repeats the request.
	f(line + host + "no header\r\n" + length)
	f(line + host + "Content-Length : 5\r\n")
	f(line + host + "Content-Length: five\r\n")
}

// What is not ambiguous passes, however it is written.
func TestAmbiguous_not(t *testing.T) {
	hits := 0
	address := (&fixture{ingest: func(h *ingest.Hit) (ingest.Verdict, error) {
		hits++
		if string(h.Body) != "hello" {
			t.Errorf("body %q", h.Body)
		}
		return ingest.Verdict{Kept: 1}, nil
	}}).serve(t)
	const line, end = "POST /api/event HTTP/1.1\r\nhost:a.example\r\nConnection: close\r\n", "\r\n\r\nhello"
	for i, request := range []string{
		line + "Content-Length: 5" + end,
		line + "content-length:5\r\nX-Content-Length: 6\r\nX-Host: b.example\r\nHosts: c\r\nX: Host: d\r\nY: Transfer-Encoding: chunked" + end,
		line + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		if got, _ := raw(t, address, request); !strings.HasPrefix(got, "HTTP/1.1 202 ") || hits != i+1 {
			t.Errorf("%q: %q, %d hits", request, got, hits)
		}
	}
}

// Both the peer and the Host must be this machine.
func TestOnlyThisMachine(t *testing.T) {
	f := func(peer string, want int, hosts ...string) {
		t.Helper()
		address := (&fixture{peer: peer}).serve(t)
		for _, host := range hosts {
			if got := call(t, address, "GET", "/api/v1/sites", "", "Host", host); got.status != want {
				t.Errorf("peer %s, Host %q: %d, want %d", peer, host, got.status, want)
			}
		}
		if got := call(t, address, "POST", "/api/event", "{}", "Host", "stats.example.com"); got.status != 202 {
			t.Errorf("an event from peer %s: %d", peer, got.status)
		}
	}
	for _, peer := range []string{"127.0.0.1", "127.77.7.7", "::1", "::ffff:127.0.0.1"} {
		f(peer, 200, "127.0.0.1", "127.0.0.1:8000", "localhost", "localhost:8000", "LocalHost:1", "shop.localhost", "[::1]", "[::1]:8000", "[::ffff:127.0.0.1]:80", "127.1.2.3")
	}
	f("127.0.0.1", 403, "example.com", "example.com:8000", "127.0.0.1.example.com", "localhost.example.com", "localhost.", "notlocalhost", "localhost:x", "localhost:99999",
		"localhost:80:80", "192.0.2.1", "[2001:db8::1]:80", "0.0.0.0", "[::]", "127.1", "2130706433", "0x7f.1", "user@localhost", "localhost/", "%6cocalhost")
	if got, _ := raw(t, (&fixture{}).serve(t), "GET /api/v1/sites HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 403 ") {
		t.Errorf("an empty Host: %q", got)
	}
	for _, peer := range []string{"192.0.2.1", "10.0.0.1", "::ffff:192.0.2.1", "2001:db8::1", "fe80::1%eth0"} {
		f(peer, 403, "127.0.0.1", "localhost:8000")
	}
}

// No header makes a request one of this machine's, and each that a proxy writes an address in makes it another's.
func TestOnlyThisMachine_proxies(t *testing.T) {
	proxies, err := address.ParseProxies([]string{"10.0.0.0/8", "127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(peer, only string, want int, headers ...string) {
		t.Helper()
		at := (&fixture{peer: peer, config: web.Config{Proxies: proxies, ClientHeader: only}}).serve(t)
		if got := call(t, at, "GET", "/api/v1/sites", "", append(headers, "Host", "localhost")...); got.status != want {
			t.Errorf("peer %s, only %q, %q: %d, want %d", peer, only, headers, got.status, want)
		}
	}
	f("127.0.0.1", "", 200)
	f("127.0.0.1", "X-Client", 200)
	f("127.0.0.1", "", 200, "X-Client", "127.0.0.1")
	f("127.0.0.1", "X-Client", 403, "x-client", "127.0.0.1")
	for _, only := range []string{"", "X-Forwarded-For", "X-Client"} {
		for _, header := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"} {
			f("127.0.0.1", only, 403, header, "127.0.0.1")
		}
		f("10.0.0.1", only, 403)
		f("10.0.0.1", only, 403, "X-Client", "127.0.0.1")
		f("10.0.0.1", only, 403, "X-Forwarded-For", "127.0.0.1")
	}
}

// The least a slow or greedy client gets is an answer.
func TestLimits(t *testing.T) {
	address := (&fixture{}).serve(t)
	f := func(status, request string) {
		t.Helper()
		if got, _ := raw(t, address, request); !strings.HasPrefix(got, "HTTP/1.1 "+status+" ") || !strings.Contains(got, "Connection: close") || strings.Contains(got, "XXXXX") {
			t.Errorf("want %s: %.300q", status, got)
		}
	}
	f("413", fmt.Sprintf("POST /api/event HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n", 128<<10+1))
	f("431", "GET /js/d.js HTTP/1.1\r\nHost: a.example\r\nX: "+strings.Repeat("X", 17<<10)+"\r\n\r\n")
	if got, _ := raw(t, address, "GET /js/d.js HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nCookie: "+strings.Repeat("X", 15<<10)+"\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("cookies of a site that passes them on: %.300q", got)
	}
}
