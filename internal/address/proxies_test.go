package address

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/fault"
)

func TestParseProxies(t *testing.T) {
	f := func(want string, cidrs ...string) {
		t.Helper()
		p, err := ParseProxies(cidrs)
		if got := strings.Trim(fmt.Sprint(p.networks), "[]"); err != nil || got != want {
			t.Errorf("ParseProxies(%q) = %s, %v, want %s", cidrs, got, err, want)
		}
	}
	f("")
	f("127.0.0.1/32", "127.0.0.1")
	f("::1/128", "::1")
	f("10.0.0.0/8 2001:db8::/32", "2001:db8::/32", "10.0.0.0/8")
	f("2001:db8:0:1::/64", "2001:0DB8:0000:0001::/64")
	// Neighbours do not overlap.
	f("10.0.0.0/9 10.128.0.0/9 11.0.0.0/32", "11.0.0.0", "10.128.0.0/9", "10.0.0.0/9")
	// IPv4 as IPv6.
	f("10.0.0.0/8", "::ffff:10.0.0.0/104")
	f("10.1.2.3/32", "::ffff:10.1.2.3")
	f("10.1.2.3/32", "::ffff:a01:203/128")
	f("128.0.0.0/1", "::ffff:128.0.0.0/97")
	// Halves of everything are what somebody wanted.
	f("0.0.0.0/1 2000::/3", "0.0.0.0/1", "2000::/3")
}

func TestParseProxies_bad(t *testing.T) {
	f := func(want string, cidrs ...string) {
		t.Helper()
		p, err := ParseProxies(cidrs)
		bad, is := errors.AsType[*fault.Error](err)
		if !is || bad.Kind != fault.Invalid || bad.Field != "web.trusted_proxies" || bad.Message != want {
			t.Errorf("ParseProxies(%q): %v, want %s", cidrs, err, want)
		}
		if p.networks != nil {
			t.Errorf("ParseProxies(%q) returns %v with its error", cidrs, p.networks)
		}
	}
	for _, text := range []string{
		"", " ", "proxy.example.com", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8/8", "010.0.0.0/8", "10.0.0/8", "10/8",
		"10.0.0.0 /8", " 10.0.0.0/8", "10.0.0.0/8,11.0.0.0/8", "10.0.0.0-10.0.0.9", "10.0.0.*", "10.0.0.1:80", "[::1]", "2001:db8::/129", "fe80::1%eth0", "fe80::%eth0/10", "/8", "167772160",
		"0x0a.0.0.0", "10.0.0.0/255.0.0.0",
	} {
		f(fmt.Sprintf("has %q, and must be a list of addresses and networks such as 192.0.2.7, 10.0.0.0/8 and 2001:db8::/32", text), "192.0.2.1", text)
	}
	for _, text := range []string{"0.0.0.0/0", "::/0", "10.0.0.0/0", "2001:db8::/0", "::ffff:0.0.0.0/96", "::ffff:10.0.0.0/96", "::ffff:0.0.0.0/80", "::ffff:10.0.0.0/1"} {
		f(fmt.Sprintf("has %q, which would believe anybody: name the networks of your proxies", text), text)
	}
	const beyond = "has %q, where bits are set beyond the prefix: write %s for the network, or %s for the one address"
	f(fmt.Sprintf(beyond, "10.0.0.5/8", "10.0.0.0/8", "10.0.0.5"), "10.0.0.5/8")
	f(fmt.Sprintf(beyond, "10.0.0.1/31", "10.0.0.0/31", "10.0.0.1"), "10.0.0.1/31")
	f(fmt.Sprintf(beyond, "2001:db8::1/32", "2001:db8::/32", "2001:db8::1"), "2001:db8::1/32")
	f(fmt.Sprintf(beyond, "::ffff:10.0.0.5/104", "10.0.0.0/8", "10.0.0.5"), "::ffff:10.0.0.5/104")

	const overlap = "has %q and %q, which overlap: leave one of them out"
	f(fmt.Sprintf(overlap, "10.0.0.0/8", "10.1.0.0/16"), "10.0.0.0/8", "10.1.0.0/16")
	f(fmt.Sprintf(overlap, "10.0.0.0/8", "10.1.0.0/16"), "10.1.0.0/16", "192.0.2.0/24", "10.0.0.0/8")
	f(fmt.Sprintf(overlap, "10.0.0.0/8", "10.0.0.0/16"), "10.0.0.0/16", "10.0.0.0/8")
	f(fmt.Sprintf(overlap, "10.0.0.0/8", "10.0.0.0/8"), "10.0.0.0/8", "10.0.0.0/8")
	f(fmt.Sprintf(overlap, "10.0.0.0/8", "10.255.255.255"), "10.0.0.0/8", "10.255.255.255")
	f(fmt.Sprintf(overlap, "10.0.0.1", "10.0.0.1/32"), "10.0.0.1", "10.0.0.1/32")
	f(fmt.Sprintf(overlap, "10.0.0.0/8", "::ffff:10.1.2.3"), "::ffff:10.1.2.3", "10.0.0.0/8")
	f(fmt.Sprintf(overlap, "2001:db8::/32", "2001:db8:1::/48"), "2001:db8:1::/48", "2001:db8::/32")
	// There is one between them, which overlaps too.
	f(fmt.Sprintf(overlap, "10.0.0.0/8", "10.1.0.0/16"), "10.2.0.0/16", "10.1.0.0/16", "10.0.0.0/8")
}

// The search must say what looking at every network would.
func TestTrusts(t *testing.T) {
	networks := []string{
		"10.0.0.0/8", "11.0.0.0/32", "12.0.0.0/31", "127.0.0.0/8", "192.0.2.0/25", "192.0.2.192/26", "255.255.255.255", "::1", "::ffff:198.51.100.0/120",
		"2001:db8::/48", "2001:db8:2::/48", "fe80::/10", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	}
	p, err := ParseProxies(networks)
	if err != nil {
		t.Fatal(err)
	}
	all := p.networks
	f := func(a netip.Addr) {
		t.Helper()
		want := false
		for _, n := range all {
			want = want || n.Contains(a)
		}
		if got := p.trusts(a); got != want {
			t.Errorf("trusts(%s) = %t", a, got)
		}
	}
	trusted := 0
	for _, n := range all {
		a := n.Addr()
		f(a)
		f(a.Prev())
		f(a.Next())
		if p.trusts(a) {
			trusted++
		}
	}
	if trusted != len(networks) {
		t.Errorf("%d networks of %d hold their first address", trusted, len(networks))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var b [16]byte
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		f(netip.AddrFrom16(b))
		f(netip.AddrFrom4([4]byte(b[:])))
		near := all[random.IntN(len(all))].Addr().AsSlice()
		near[len(near)-1-random.IntN(4)] ^= byte(random.Uint32())
		a, _ := netip.AddrFromSlice(near)
		f(a)
	}
	f(netip.Addr{})
	if (Proxies{}).trusts(netip.MustParseAddr("127.0.0.1")) {
		t.Error("nobody is trusted, and this machine is")
	}
}

// What ParseProxies was given is not what it keeps.
func TestProxies_immutable(t *testing.T) {
	cidrs := []string{"10.0.0.0/8"}
	p, err := ParseProxies(cidrs)
	if err != nil {
		t.Fatal(err)
	}
	cidrs[0] = "192.0.2.0/24"
	if !p.trusts(netip.MustParseAddr("10.1.1.1")) || p.trusts(netip.MustParseAddr("192.0.2.1")) {
		t.Error("the list's change changed who is trusted")
	}
}

func TestCheckHeader(t *testing.T) {
	for _, name := range []string{"", "CF-Connecting-IP", "cf-connecting-ip", "X-Real-IP", "X-Forwarded-For", "Forwarded", "True-Client-IP", "Fly-Client-IP", "X_Real_IP", "X-Azure-ClientIP", strings.Repeat("x", 64)} {
		if err := CheckHeader(name); err != nil {
			t.Errorf("CheckHeader(%q) = %v", name, err)
		}
	}
	f := func(name, want string) {
		t.Helper()
		err := CheckHeader(name)
		bad, is := errors.AsType[*fault.Error](err)
		if !is || bad.Kind != fault.Invalid || bad.Field != "web.client_header" {
			t.Errorf("CheckHeader(%q) = %v", name, err)
			return
		}
		if diff := cmp.Diff(want, bad.Message); diff != "" {
			t.Error(diff)
		}
	}
	for _, name := range []string{" ", "X-Real-IP:", "X Real IP", "X-Real-IP\r\n", "X-Real-IP, CF-Connecting-IP", "X-Réal-IP", "X-Real-\x00IP", "\"X\"", "(x)", "a/b", strings.Repeat("x", 65)} {
		f(name, fmt.Sprintf("is %q, and must be empty or the name of a header, such as CF-Connecting-IP, of at most 64 letters, digits and hyphens", name))
	}
	for _, name := range []string{
		"Host", "host", "COOKIE", "User-Agent", "Referer", "Origin", "Accept", "Accept-Language", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Trailer", "TE", "Via",
		"Authorization", "Proxy-Authorization", "Sec-GPC", "Sec-CH-UA", "If-None-Match", "X-Forwarded-Host", "x-forwarded-proto", "Date", "From", "DNT",
	} {
		f(name, fmt.Sprintf("is %q, which bears no address: name the header that your proxy writes the visitor's address in, such as CF-Connecting-IP, X-Real-IP or X-Forwarded-For", name))
	}
}
