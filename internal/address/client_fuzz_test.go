package address

import (
	"net/netip"
	"strings"
	"testing"
)

// FuzzClient holds that any header section leads to the peer or to an address that is written in it.
func FuzzClient(f *testing.F) {
	f.Add("X-Forwarded-For: 203.0.113.6, 192.0.2.1:80, 10.0.0.2\r\n", "")
	f.Add("Forwarded: for=\"[2001:db8::1%eth0]:80\";host=\"a,\\\"b\", For=10.0.0.2\r\nX-Forwarded-For: 2001:db8::1\r\n", "")
	f.Add("CF-Connecting-IP: ::ffff:192.0.2.1\r\n", "CF-Connecting-IP")
	f.Add("X-Forwarded-For: 1.2.3.4\r\n , 010.0.0.1\n\n\r", "forwarded")
	f.Add("Fe:1:2:3:4:5:6:7:8", "fe")
	p, peer := proxies(f), netip.MustParseAddr("10.0.0.1")
	f.Fuzz(func(t *testing.T, section, only string) {
		got := p.Client(peer, Headers{Section: section, Only: only})
		if got != peer && !written(section, got) {
			t.Errorf("%q, only %q: %s, which nobody wrote", section, only, got)
		}
		if again := p.Client(got, Headers{Section: section, Only: only}); !p.trusts(got) && again != got {
			t.Errorf("from %s, who is nobody's proxy: %s", got, again)
		}
	})
}

// written says whether an address stands anywhere in a text.
func written(text string, a netip.Addr) bool {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF:.", r) }) {
		ends := []int{0, len(word)}
		for i := range len(word) {
			if word[i] == ':' {
				ends = append(ends, i, i+1)
			}
		}
		for _, from := range ends {
			for _, to := range ends {
				if from < to {
					if b, err := netip.ParseAddr(word[from:to]); err == nil && b.Unmap() == a {
						return true
					}
				}
			}
		}
	}
	return false
}

// FuzzClient_left holds that what stands left of the first address that is not trusted, seen from the right, never changes the answer.
func FuzzClient_left(f *testing.F) {
	f.Add("203.0.113.6", "192.0.2.1, 10.0.0.2")
	f.Add(`for="203.0.113.6`, `for=192.0.2.1;host="a,b", for="10.0.0.2"`)
	f.Add(`for=203.0.113.6;host="\`, `";for=192.0.2.1`)
	f.Add(`"`, `";for=192.0.2.1`)
	f.Add(`\`, "for=192.0.2.1\r\nForwarded: for=10.0.0.2")
	p, peer := proxies(f), netip.MustParseAddr("10.0.0.1")
	f.Fuzz(func(t *testing.T, left, right string) {
		left = strings.ReplaceAll(left, "\n", "") // more lines would be other headers
		for _, name := range []string{forwardedFor, forwarded} {
			ask := func(list string) netip.Addr { return p.Client(peer, Headers{Section: name + ":" + list, Only: name}) }
			want := ask(right)
			if p.trusts(want) {
				continue // the walk came to the left end, or to what is no address
			}
			if got := ask(left + "," + right); got != want {
				t.Errorf("%s: %q before %q: %s, want %s", name, left, right, got, want)
			}
			if got := ask(left + "\r\n" + name + ":" + right); got != want {
				t.Errorf("%s: %q in a line before %q: %s, want %s", name, left, right, got, want)
			}
		}
	})
}
