package address

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// proxies are the tests' trusted networks: 10/8, 2001:db8:ffff::/48, and this machine.
func proxies(tb testing.TB) Proxies {
	tb.Helper()
	p, err := ParseProxies([]string{"10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1", "::1"})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// section makes a header section of lines, with others around them.
func section(lines ...string) string {
	return "Host: a.example\r\n" + strings.Join(append(lines, "Accept: */*\r\n\r\n"), "\r\n")
}

// asks compares what Client says of a request from 10.0.0.1 with what is wanted, "peer" being that.
func asks(t *testing.T, only, want string, lines ...string) {
	t.Helper()
	if want == "peer" {
		want = "10.0.0.1"
	}
	h := Headers{Section: section(lines...), Only: only}
	if got := proxies(t).Client(netip.MustParseAddr("10.0.0.1"), h); got != netip.MustParseAddr(want) {
		t.Errorf("only %q, %.300q: %s, want %s", only, lines, got, want)
	}
}

// Only a trusted peer's headers are looked at.
func TestClient_peer(t *testing.T) {
	const forged = "X-Forwarded-For: 203.0.113.6\r\nForwarded: for=203.0.113.6\r\nCF-Connecting-IP: 203.0.113.6\r\n"
	f := func(p Proxies, peer, want string) {
		t.Helper()
		for _, only := range []string{"", "X-Forwarded-For", "Forwarded", "CF-Connecting-IP"} {
			if got := p.Client(netip.MustParseAddr(peer), Headers{Section: forged, Only: only}); got != netip.MustParseAddr(want) {
				t.Errorf("from %s, only %q: %s, want %s", peer, only, got, want)
			}
		}
	}
	p := proxies(t)
	f(p, "192.0.2.1", "192.0.2.1")
	f(p, "11.0.0.0", "11.0.0.0")
	f(p, "9.255.255.255", "9.255.255.255")
	f(p, "::ffff:192.0.2.1", "192.0.2.1")
	f(p, "2001:db8::1", "2001:db8::1")
	f(p, "fe80::1%eth0", "fe80::1")
	f(p, "203.0.113.6", "203.0.113.6")
	f(Proxies{}, "10.0.0.1", "10.0.0.1")
	f(Proxies{}, "127.0.0.1", "127.0.0.1")
	for _, peer := range []string{"10.0.0.1", "10.255.255.255", "::ffff:10.0.0.1", "::ffff:10.0.0.1%eth0", "127.0.0.1", "::1", "2001:db8:ffff::1", "2001:db8:ffff::1%eth0"} {
		f(p, peer, "203.0.113.6")
	}
	if got := p.Client(netip.Addr{}, Headers{Section: forged}); got.IsValid() {
		t.Errorf("without a peer: %s", got)
	}
}

// A list is walked from the right past trusted hops.
func TestClient_chain(t *testing.T) {
	f := func(want string, lists ...string) {
		t.Helper()
		var xff, fwd []string
		for _, list := range lists {
			xff = append(xff, "X-Forwarded-For: "+list)
			var elements []string
			for hop := range strings.SplitSeq(list, ",") {
				elements = append(elements, `for="`+strings.TrimSpace(hop)+`"`)
			}
			fwd = append(fwd, "Forwarded: "+strings.Join(elements, ","))
		}
		asks(t, "", want, xff...)
		asks(t, "", want, fwd...)
		asks(t, "", want, append(xff, fwd...)...)
		asks(t, "x-forwarded-FOR", want, xff...)
		asks(t, "forwarded", want, fwd...)
	}
	f("peer")
	f("192.0.2.1", "192.0.2.1")
	f("192.0.2.1", "192.0.2.1, 10.0.0.2")
	f("192.0.2.1", "203.0.113.6, 192.0.2.1, 10.0.0.2, 127.0.0.1")
	f("192.0.2.1", "10.0.0.9, 192.0.2.1")
	f("192.0.2.1", "127.0.0.1,10.0.0.9,192.0.2.1,10.0.0.2")
	f("2001:db8::1", "192.0.2.1, 2001:db8::1, 2001:db8:ffff::2, ::ffff:10.0.0.2")
	// Lines are one list in their order.
	f("192.0.2.1", "203.0.113.6", "192.0.2.1")
	f("192.0.2.1", "203.0.113.6, 192.0.2.1", "10.0.0.3, 10.0.0.2", "127.0.0.1")
	f("10.0.0.2", "192.0.2.1", "unknown", "10.0.0.2")
	// All are trusted: the left-most.
	f("10.0.0.3", "10.0.0.3")
	f("10.0.0.4", "10.0.0.4, 10.0.0.3, 10.0.0.2")
	f("10.0.0.4", "10.0.0.4", "10.0.0.3")
	f("10.0.0.4", "::ffff:10.0.0.4")
	// What is no address ends the walk at the nearest hop that is known.
	for _, garbage := range []string{"", "unknown", "_hidden", "garbage", "192.0.2.1 192.0.2.2", "192.0.2.256", "-", ":", ".", "for=192.0.2.1", "192.0.2.1;192.0.2.2"} {
		f("peer", garbage)
		f("peer", "192.0.2.1, "+garbage)
		f("peer", "192.0.2.1", garbage)
		f("10.0.0.2", "192.0.2.1, "+garbage+", 10.0.0.2")
		f("10.0.0.3", "192.0.2.1", garbage, "10.0.0.3, 10.0.0.2")
		f("192.0.2.2", "192.0.2.1, "+garbage+", 192.0.2.2, 10.0.0.2")
	}
}

// Entries as proxies write them, and as some do not.
func TestClient_entries(t *testing.T) {
	f := func(entry, want string) {
		t.Helper()
		asks(t, "", want, "X-Forwarded-For: 203.0.113.6, "+entry)
		asks(t, "X-Real-IP", want, "X-Real-IP: "+entry)
		asks(t, "Forwarded", want, `Forwarded: for=203.0.113.6, for="`+strings.Trim(entry, " \t")+`"`)
	}
	f("192.0.2.1", "192.0.2.1")
	f("\t 192.0.2.1 \t", "192.0.2.1")
	f("192.0.2.1:80", "192.0.2.1")
	f("192.0.2.1:00080", "192.0.2.1")
	f("192.0.2.1:_hidden.1", "192.0.2.1")
	f("2001:db8::1", "2001:db8::1")
	f("2001:DB8::A", "2001:db8::a")
	f("2001:db8:0:0:0:0:0:1", "2001:db8::1")
	f("[2001:db8::1]", "2001:db8::1")
	f("[2001:db8::1]:1234", "2001:db8::1")
	f("[2001:db8::1]:_port", "2001:db8::1")
	f("::", "::")
	f("0.0.0.0", "0.0.0.0")
	// The last group is no port.
	f("2001:db8::1:1234", "2001:db8::1:1234")
	// Zones are dropped, whatever they are.
	f("fe80::1%eth0", "fe80::1")
	f("fe80::1%25eth0", "fe80::1")
	f("[fe80::1%eth0]", "fe80::1")
	f("[fe80::1%eth0]:80", "fe80::1")
	f("fe80::1%"+strings.Repeat("z", 1000), "fe80::1")
	// IPv4 as IPv6.
	f("::ffff:192.0.2.1", "192.0.2.1")
	f("::ffff:c000:201", "192.0.2.1")
	f("[::ffff:192.0.2.1]:80", "192.0.2.1")
	f("::ffff:192.0.2.1%eth0", "192.0.2.1")
	f("0000:0000:0000:0000:0000:ffff:192.000.002.001", "peer")
	f("0000:0000:0000:0000:0000:ffff:192.100.222.101", "192.100.222.101")
	f("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
	f("64:ff9b::192.0.2.1", "64:ff9b::c000:201")

	for _, garbage := range []string{
		"", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:-1", "192.0.2.1:123456", "192.0.2.1:8 0", "192.0.2.1:_", "192.0.2.1:80:80", "192.0.2.1:_a b",
		"[192.0.2.1]", "[192.0.2.1]:80", "[2001:db8::1", "2001:db8::1]", "2001:db8::1]:80", "[2001:db8::1]80", "[2001:db8::1]:", "[2001:db8::1] :80", "[]", "[]:80", "[[::1]]", "[2001:db8::1]]",
		"fe80::1%", "[fe80::1%]", "[fe80::1]%eth0", "192.0.2.1%eth0", "%eth0", "eth0%", "[%eth0]",
		// Octal, hexadecimal, short and number forms, which C's inet_aton takes.
		"010.0.0.1", "192.0.2.01", "192.0.02.1", "00.0.0.0", "0300.0.2.1", "0xc0.0.2.1", "0xC0000201", "127.1", "192.0.513", "192", "3221225985", "0", "0x7f.1", "::ffff:010.0.0.1", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "+1.2.3.4", "-1.2.3.4", "1e1.2.3.4",
		"2001:db8::1::2", "2001:db8::12345", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8:9", "2001:db8::g",
		"192.0.2.1/32", "2001:db8::/32", "http://192.0.2.1", "192.0.2.1.", "192 .0.2.1", "localhost", "example.com", "null", "(null)", "192.0.2.1\x00", "\x00", "١٢٧.0.0.1", "127。0。0。1", "192.0.2.1\r",
		"192.0.2.1\u00a0", "\ufeff192.0.2.1", `192.0.2.\1`, strings.Repeat("1", 1000), strings.Repeat("1.", 1000), strings.Repeat(":", 1000), strings.Repeat("[", 1000),
	} {
		f(garbage, "peer")
	}
	asks(t, "", "peer", `X-Forwarded-For: "192.0.2.1"`)
	asks(t, "", "peer", `X-Forwarded-For: "[2001:db8::1]:80"`)
	asks(t, "", "peer", "X-Forwarded-For: 192.0.2.1,")
	asks(t, "", "peer", "X-Forwarded-For: 192.0.2.1, \t")
	asks(t, "", "peer", "X-Forwarded-For: 192.0.2.1,,")
	asks(t, "", "peer", "X-Forwarded-For: ,")
	asks(t, "", "192.0.2.1", "X-Forwarded-For: ,192.0.2.1")
	asks(t, "", "10.0.0.2", "X-Forwarded-For: 192.0.2.1,,10.0.0.2")
	asks(t, "", "192.0.2.1", "X-Forwarded-For:\t203.0.113.6\t,\t192.0.2.1\t")
}

// RFC 7239's examples, and what else may stand in an element.
func TestClient_forwarded(t *testing.T) {
	f := func(want, list string) {
		t.Helper()
		asks(t, "", want, "Forwarded: "+list)
		asks(t, "", want, "Forwarded: for=203.0.113.6,"+list)
		asks(t, "", want, "Forwarded: for=203.0.113.6", "Forwarded: "+list)
	}
	f("peer", `for="_gazonk"`)
	f("2001:db8:cafe::17", `For="[2001:db8:cafe::17]:4711"`)
	f("192.0.2.60", `for=192.0.2.60;proto=http;by=203.0.113.43`)
	f("198.51.100.17", `for=192.0.2.43, for=198.51.100.17`)
	f("peer", `for=192.0.2.43, for="[2001:db8:cafe::17]", for=unknown`)
	f("peer", `for=_hidden, for=_SEVKISEK`)
	f("192.0.2.43", `for=192.0.2.43,for="[2001:db8:ffff::17]";by=203.0.113.60;proto=http;host=example.com`)

	f("2001:db8::1", `by=10.0.0.1;host="a, b; c";FOR="[2001:db8::1]:1234";proto=https`)
	f("192.0.2.1", ` ; for = 192.0.2.1 ;; `)
	f("192.0.2.1", `for="192.0.2.1:8080"`)
	f("192.0.2.1", "for=192.0.2.1\t;\tproto=https")
	f("192.0.2.1", `host="x,for=192.0.2.9";for=192.0.2.1`)
	f("192.0.2.1", `for=192.0.2.1;host="x;for=192.0.2.9"`)
	f("192.0.2.1", `for=192.0.2.1;host="x\",for=192.0.2.9"`)
	f("192.0.2.1", `for=192.0.2.1;host="x\\"`)
	f("192.0.2.1", `for=192.0.2.1;host="\\\",for=192.0.2.9;\\"`)
	f("192.0.2.1", `for=192.0.2.2;host="\\",for=192.0.2.1;host=""`)
	f("192.0.2.1", `x="for=1.2.3.4";y=for;for=192.0.2.1;forx=1.2.3.4;xfor=1.2.3.4`)
	// No brackets or no quotes around an IPv6 address is wrong, and clear.
	f("2001:db8::1", `for="2001:db8::1"`)
	f("2001:db8::1", `for=[2001:db8::1]:80`)
	f("2001:db8::1", `for=2001:db8::1`)
	f("192.0.2.1", `for=192.0.2.1:80`)

	for _, garbage := range []string{
		"", "for", "for=", `for=""`, `for="`, "proto=https", "by=192.0.2.1", "192.0.2.1", "=192.0.2.1", "for==192.0.2.1", "for:192.0.2.1", `"for=192.0.2.1"`, `for='192.0.2.1'`,
		"for=192.0.2.1;for=192.0.2.1", "for=192.0.2.1;for=", "for=;for=192.0.2.1", "for=192.0.2.1;FOR=192.0.2.2", "for=192.0.2.1 proto=https", "for=192.0.2.1 192.0.2.2",
		`for="192.0.2.1`, `for=192.0.2.1"`, `for="192.0.2.1""`, `for=""192.0.2.1"`, `for="192.0.2.1";host="`, `for=192.0.2.1;host="x`, `for=192.0.2.1;host=x\"`, `for=192.0.2.1;host="x\"`, `for="192\.0.2.1"`, `for="192.0.2.1\"`,
		`for="192.0.2.1,192.0.2.2"`, `for=192.0.2.1;host=\x`, `for=192.0.2.1;host="a"b"`,
	} {
		f("peer", garbage)
		f("10.0.0.2", garbage+`, for=10.0.0.2`)
		f("10.0.0.2", garbage+`, for="10.0.0.2";host="a,b"`)
	}
	// A proxy that passes a Host on without escaping it does not thereby write what the client wants.
	f("peer", `for=203.0.113.6;a=", for=192.0.2.1;host="x\"`)
	f("peer", "for=192.0.2.1,")
	f("10.0.0.3", `for=192.0.2.1, for="10.0.0.2, for=10.0.0.3`)
}

// Headers that contradict each other are not believed.
func TestClient_both(t *testing.T) {
	f := func(want, xff, fwd string) {
		t.Helper()
		asks(t, "", want, "X-Forwarded-For: "+xff, "Forwarded: "+fwd)
		asks(t, "", want, "Forwarded: "+fwd, "X-Forwarded-For: "+xff)
	}
	f("192.0.2.1", "192.0.2.1", "for=192.0.2.1")
	f("192.0.2.1", "203.0.113.6, ::ffff:192.0.2.1", `for=203.0.113.7, for="192.0.2.1:80", for=10.0.0.2`)
	f("10.0.0.2", "192.0.2.1, unknown, 10.0.0.2", `for=10.0.0.2`)
	f("peer", "192.0.2.1", "for=192.0.2.2")
	f("peer", "192.0.2.1", "for=unknown")
	f("peer", "192.0.2.1", "")
	f("peer", "", "for=192.0.2.1")
	f("peer", "", "")
	f("peer", "192.0.2.1", "for=10.0.0.2")
	f("peer", "10.0.0.2", "for=192.0.2.1")
	// One that is named is believed alone.
	both := []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.2", "X-Real-IP: 192.0.2.3", "CF-Connecting-IP: 192.0.2.4"}
	asks(t, "", "peer", both...)
	asks(t, "X-Forwarded-For", "192.0.2.1", both...)
	asks(t, "Forwarded", "192.0.2.2", both...)
	asks(t, "x-real-ip", "192.0.2.3", both...)
	asks(t, "CF-CONNECTING-IP", "192.0.2.4", both...)
	asks(t, "X-Client-IP", "peer", both...)
	asks(t, "", "peer", both[2:]...)
}

// A header that is no list is there once and holds one address.
func TestClient_single(t *testing.T) {
	f := func(want string, lines ...string) {
		t.Helper()
		asks(t, "CF-Connecting-IP", want, lines...)
	}
	f("192.0.2.1", "CF-Connecting-IP: 192.0.2.1")
	f("192.0.2.1", "cf-connecting-ip:192.0.2.1")
	f("192.0.2.1", "X-Forwarded-For: 203.0.113.6", "CF-Connecting-IP: 192.0.2.1", "X-CF-Connecting-IP: 203.0.113.6", "CF-Connecting-IP-: 203.0.113.6", "CF-Connecting-I: 203.0.113.6", "CF_Connecting_IP: 203.0.113.6")
	f("10.9.9.9", "CF-Connecting-IP: 10.9.9.9")
	f("peer")
	f("peer", "X-Forwarded-For: 192.0.2.1")
	f("peer", "CF-Connecting-IP:")
	f("peer", "CF-Connecting-IP: 192.0.2.1, 192.0.2.1")
	f("peer", "CF-Connecting-IP: 192.0.2.1,")
	f("peer", "CF-Connecting-IP: for=192.0.2.1")
	f("peer", "CF-Connecting-IP: 192.0.2.1", "CF-Connecting-IP: 192.0.2.1")
	f("peer", "cf-connecting-ip: 203.0.113.6", "CF-Connecting-IP: 192.0.2.1")
	f("peer", "CF-Connecting-IP: 192.0.2.1", "Cf-Connecting-Ip: ")
}

// What a header section may look like.
func TestClient_section(t *testing.T) {
	f := func(want, section string) {
		t.Helper()
		if got := proxies(t).Client(netip.MustParseAddr("127.0.0.1"), Headers{Section: section}); got != netip.MustParseAddr(want) {
			t.Errorf("%q: %s, want %s", section, got, want)
		}
	}
	f("127.0.0.1", "")
	f("127.0.0.1", "\r\n")
	f("127.0.0.1", "\n\n\n")
	f("127.0.0.1", ":\r\n: \r\n")
	f("127.0.0.1", "X-Forwarded-For")
	f("127.0.0.1", "X-Forwarded-For\r\n192.0.2.1\r\n")
	f("127.0.0.1", "X-Forwarded-For:")
	f("127.0.0.1", "X-Forwarded-For : 192.0.2.1\r\n")
	f("127.0.0.1", "X_Forwarded_For: 192.0.2.1\r\n")
	f("127.0.0.1", "A: X-Forwarded-For: 192.0.2.1\r\n")
	f("127.0.0.1", "A: b\rX-Forwarded-For: 192.0.2.1\r\n")
	f("192.0.2.1", "X-Forwarded-For:192.0.2.1")
	f("192.0.2.1", "x-forwarded-for: 192.0.2.1\n")
	f("192.0.2.1", "\nX-FORWARDED-FOR: 192.0.2.1\n\n")
	f("192.0.2.1", "X-Forwarded-For: 192.0.2.1\r\nA: b\r\n  folded\r\n\r\n")
	// A line that goes on in the next ends the walk.
	f("127.0.0.1", "X-Forwarded-For: 203.0.113.6\r\n , 192.0.2.1\r\n\r\n")
	f("127.0.0.1", "X-Forwarded-For: 203.0.113.6\r\n\t\r\n\r\n")
	f("127.0.0.1", "X-Forwarded-For: 203.0.113.6\r\n X-Forwarded-For: 192.0.2.1\r\n\r\n")
	f("127.0.0.1", "X-Forwarded-For: 203.0.113.6\r\n x\r\n y\r\n\r\n")
	f("192.0.2.1", "X-Forwarded-For: 203.0.113.6\r\n x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
}

// However long a header is, the right end of it counts, and 32 hops.
func TestClient_long(t *testing.T) {
	hops := func(n int) string { return strings.Repeat(", 10.0.0.2", n) }
	asks(t, "", "192.0.2.1", "X-Forwarded-For: 192.0.2.1"+hops(31))
	asks(t, "", "10.0.0.2", "X-Forwarded-For: 192.0.2.1"+hops(32))
	asks(t, "", "10.0.0.2", "X-Forwarded-For: 192.0.2.1"+hops(1000))
	asks(t, "", "192.0.2.1", "X-Forwarded-For: 192.0.2.1"+hops(15), "X-Forwarded-For: 10.0.0.3"+hops(15))
	asks(t, "", "10.0.0.3", "X-Forwarded-For: 192.0.2.1, 10.0.0.3"+hops(15), "X-Forwarded-For: 10.0.0.3"+hops(15))
	asks(t, "", "10.0.0.2", "Forwarded: for=192.0.2.1"+strings.Repeat(", for=10.0.0.2", 32))
	for _, size := range []int{1 << 10, 16 << 10} {
		for _, filler := range []string{"x", ",", " ", "1", ":", "[", `"`, `\`, `\"`, `"\`, ";", "for=", "1.1.1.1,", `for="`, "%", "_"} {
			long := strings.Repeat(filler, size/len(filler))
			asks(t, "", "192.0.2.1", "X-Forwarded-For: "+long+", 192.0.2.1, 10.0.0.2")
			asks(t, "", "192.0.2.1", "Forwarded: "+long+", for=192.0.2.1, for=10.0.0.2")
			asks(t, "", "10.0.0.2", "Forwarded: for=192.0.2.1, "+long+"x, for=10.0.0.2")
			asks(t, "", "10.0.0.2", "X-Forwarded-For: 192.0.2.1, "+long+"x, 10.0.0.2")
			asks(t, "X-Real-IP", "peer", "X-Real-IP: "+long+"x")
		}
	}
}

func TestClient_allocations(t *testing.T) {
	p, peer := proxies(t), netip.MustParseAddr("::ffff:10.0.0.1")
	for _, h := range []Headers{
		{Section: section("A: b")},
		{Section: section("X-Forwarded-For: 203.0.113.6, [2001:db8::1]:80, ::ffff:10.0.0.3", "X-Forwarded-For: 10.0.0.2")},
		{Section: section(`Forwarded: for="[fe80::1%eth0]:80";proto=https;host="a,b", for=10.0.0.2`)},
		{Section: section("X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1")},
		{Section: section("X-Forwarded-For: unknown, _hidden, , garbage")},
		{Section: section("Forwarded: for=192.0.2.1, for=unknown")},
		{Section: section("CF-Connecting-IP: 2001:db8::1"), Only: "cf-connecting-ip"},
		{Section: section("X-Forwarded-For: " + strings.Repeat("10.0.0.2,", 1000) + "10.0.0.2")},
	} {
		if n := testing.AllocsPerRun(100, func() { p.Client(peer, h) }); n != 0 {
			t.Errorf("%.100q allocates %v times", h.Section, n)
		}
	}
}

// BenchmarkClient is what a request behind a proxy pays, and what the longest header costs.
func BenchmarkClient(b *testing.B) {
	const browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept-Language: de,en;q=0.5\r\nCookie: a=b; c=d\r\n"
	for name, h := range map[string]Headers{
		"chain":  {Section: section(browser+"X-Forwarded-For: 192.0.2.1, 10.0.0.2", browser)},
		"named":  {Section: section(browser+"CF-Connecting-IP: 192.0.2.1", browser), Only: "CF-Connecting-IP"},
		"16 KiB": {Section: section(`Forwarded: for="` + strings.Repeat(`\"`, 8<<10))},
	} {
		p, peer := proxies(b), netip.MustParseAddr("10.0.0.1")
		b.Run(fmt.Sprintf("%s/%d bytes", name, len(h.Section)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Client(peer, h)
			}
		})
	}
}
