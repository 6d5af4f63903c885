package web

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/daysalt/daysalt/internal/address"
)

// What one pass finds is what fasthttp's own parser and a plain look at every line find.
func TestHead(t *testing.T) {
	names := []string{
		"Host", "Content-Length", "Content-Encoding", "Sec-GPC", "Sec-Purpose", "Sec-CH-UA", "Sec-CH-UA-Platform", "Sec-CH-UA-Mobile", "Sec-CH-UA-Model", "Accept-Language",
		"X-Forwarded-For", "Forwarded", "X-Client", "User-Agent", "Accept", "Cookie", "Hosts", "X-Host", "Accept-Languages", "Sec-GP", "S", "Transfer-Encodin", "Transfer-Encoding",
		"Cookie", "Cookies", "DNT", "DNTs",
	}
	values := []string{"", "1", " 1 ", "\t1", "de, en", "192.0.2.1", "192.0.2.1, 10.0.0.1", "for=192.0.2.3", "identity", "Host: x", "5", `"a: b"`, "1\r\n folded", "\r\n\t2"}
	values = append(values, "daysalt_optout=1", "a=b; daysalt_optout=1 ;c", "daysalt_optout=12;", "a=b;\r\n daysalt_optout=1")
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	proxies, err := address.ParseProxies([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	peer := peerOf(dialled{})
	read, folded := 0, 0
	for range 50000 {
		var section strings.Builder
		for range random.IntN(8) {
			name := names[random.IntN(len(names))]
			if random.IntN(3) == 0 {
				name = strings.ToLower(name)
			}
			end := "\r\n"
			if random.IntN(5) == 0 {
				end = "\n"
			}
			section.WriteString(name + ":" + strings.Repeat(" ", random.IntN(3)) + values[random.IntN(len(values))] + end)
		}
		var header fasthttp.RequestHeader
		if header.Read(bufio.NewReader(strings.NewReader("POST /api/event HTTP/1.1\r\n"+section.String()+"\r\n"))) != nil {
			continue
		}
		read++
		only := [...]string{"", "", "X-Client", "Sec-GPC"}[random.IntN(4)]
		var got, want head
		got.read(&header, only)
		if got.folded {
			folded++
		}
		want.peek(&header)
		for _, f := range [...]struct{ got, want []byte }{
			{got.gpc, want.gpc},
			{got.dnt, want.dnt},
			{got.coding, want.coding},
			{got.language, want.language},
			{got.purpose, want.purpose},
			{got.brands, want.brands},
			{got.platform, want.platform},
			{got.mobile, want.mobile},
		} {
			if !bytes.Equal(f.got, f.want) {
				t.Fatalf("seed %d: %q: got %q, want %q", seed, section.String(), f.got, f.want)
			}
		}
		if got, want := got.optedOut, want.optedOut || optedOutLines(header.RawHeaders()); got != want {
			t.Fatalf("seed %d: %q: opted out %v, want %v", seed, section.String(), got, want)
		}
		whole := address.Headers{Section: string(header.RawHeaders()), Only: only}
		if got, want := proxies.Client(peer, got.sender(only)), proxies.Client(peer, whole); got != want {
			t.Fatalf("seed %d: %q, only %q: from %s, want %s", seed, section.String(), only, got, want)
		}
		if got, want := got.ambiguous(), ambiguousLines(header.RawHeaders()); got != want {
			t.Fatalf("seed %d: %q: ambiguous %v, want %v", seed, section.String(), got, want)
		}
	}
	if read < 10000 || folded < 1000 {
		t.Errorf("only %d sections were read, %d of them with folded lines", read, folded)
	}
}

// optedOutLines looks at every pair of every cookie line.
func optedOutLines(raw []byte) bool {
	for line := range bytes.Lines(raw) {
		name, value, _ := strings.Cut(string(line), ":")
		if !strings.EqualFold(name, "Cookie") {
			continue
		}
		for _, pair := range strings.Split(value, ";") {
			if strings.TrimSpace(pair) == "daysalt_optout=1" {
				return true
			}
		}
	}
	return false
}

// To look for an objection allocates nothing, however many cookies there are.
func TestHead_allocations(t *testing.T) {
	var header fasthttp.RequestHeader
	lines := "POST /api/event HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\nDNT: 1\r\nSec-GPC: 0\r\nCookie: " + strings.Repeat("a=b; ", 300) + "\r\nCookie: daysalt_optout=1\r\n\r\n"
	if err := header.Read(bufio.NewReader(strings.NewReader(lines))); err != nil {
		t.Fatal(err)
	}
	objects := false
	if n := testing.AllocsPerRun(100, func() {
		var h head
		h.read(&header, "")
		objects = h.objects() && isOne(h.dnt)
	}); n != 0 || !objects {
		t.Errorf("%v allocations, objects %v", n, objects)
	}
	if n := testing.AllocsPerRun(100, func() { headerRead(&header) }); n != 0 {
		t.Errorf("headerRead: %v allocations", n)
	}
}

// ambiguousLines looks at every line.
func ambiguousLines(raw []byte) bool {
	count := map[string]int{}
	for line := range bytes.Lines(raw) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		count[strings.ToLower(string(name))]++
	}
	return count["host"] != 1 || count["content-length"]+count["transfer-encoding"] > 1
}

// A Host that every reader of URLs takes needs no look at its address by fiber.
func TestPlainHost(t *testing.T) {
	for host, want := range map[string]bool{
		"example.com": true, "EXAMPLE.com:8000": true, "127.0.0.1:80": true, "a-b.c:": true, "x": true,
		"": false, "[::1]:80": false, "a:b": false, "a:1:2": false, "a b": false, "a/b": false, "u@a": false, "a%41": false, "ä": false, "a_b": false, "a\x00": false,
	} {
		if got := plainHost([]byte(host)); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

// dialled is a connection from a trusted proxy.
type dialled struct{ net.Conn }

func (dialled) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 1} }
