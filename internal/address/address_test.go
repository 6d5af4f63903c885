package address

import (
	"net/netip"
	"testing"
)

// The vectors are those that Matomo's masks are known by.
func TestMask(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		for level, want := range want {
			got, want := Mask(netip.MustParseAddr(text), level+1), netip.MustParseAddr(want)
			if got != want {
				t.Errorf("Mask(%s, %d) = %s, want %s", text, level+1, got, want)
			}
			if again := Mask(got, level+1); again != got {
				t.Errorf("Mask(%s, %d) of itself is %s", got, level+1, again)
			}
		}
		a := netip.MustParseAddr(text)
		if n := testing.AllocsPerRun(100, func() { Mask(a, 2) }); n != 0 {
			t.Errorf("Mask(%s, 2) allocates %v times", text, n)
		}
	}
	f("198.51.100.77", "198.51.100.0", "198.51.0.0", "198.0.0.0", "0.0.0.0")
	f("2001:db8:0:8d3:0:8a2e:70:7344", "2001:db8:0:8d3::", "2001:db8::", "2001:d00::", "::")
	f("2001:6f8:900:724::2", "2001:6f8:900:724::", "2001:6f8:900::", "2001:600::", "::")
	f("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")
	f("255.255.255.255", "255.255.255.0", "255.255.0.0", "255.0.0.0", "0.0.0.0")
	f("127.255.255.255", "127.255.255.0", "127.255.0.0", "127.0.0.0", "0.0.0.0")
	f("128.0.0.0", "128.0.0.0", "128.0.0.0", "128.0.0.0", "0.0.0.0")
	// Mapped forms are IPv4 addresses, and come out as such.
	f("::ffff:198.51.100.77", "198.51.100.0", "198.51.0.0", "198.0.0.0", "0.0.0.0")
	f("::ffff:0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")
	f("::ffff:255.255.255.255", "255.255.255.0", "255.255.0.0", "255.0.0.0", "0.0.0.0")
	f("::ffff:127.255.255.255", "127.255.255.0", "127.255.0.0", "127.0.0.0", "0.0.0.0")
	f("::ffff:128.0.0.0", "128.0.0.0", "128.0.0.0", "128.0.0.0", "0.0.0.0")
	f("::ffff:1.2.3.4%eth0", "1.2.3.0", "1.2.0.0", "1.0.0.0", "0.0.0.0")
	// Others that end in an IPv4 address are IPv6 addresses.
	f("::198.51.100.77", "::", "::", "::", "::")
	f("64:ff9b::198.51.100.77", "64:ff9b::", "64:ff9b::", "64:ff00::", "::")
	f("::", "::", "::", "::", "::")
	f("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::", "ffff:ffff:ffff::", "ffff:ff00::", "::")
	f("fe80::1:2:3:4%eth0", "fe80::", "fe80::", "fe80::", "::")
}

// A level that is none keeps nothing.
func TestMask_levels(t *testing.T) {
	for _, level := range []int{-1 << 63, -1, 0, 5, 6, 24, 1<<63 - 1} {
		for text, want := range map[string]string{"198.51.100.77": "0.0.0.0", "::ffff:198.51.100.77": "0.0.0.0", "2001:db8::1": "::"} {
			if got := Mask(netip.MustParseAddr(text), level); got != netip.MustParseAddr(want) {
				t.Errorf("Mask(%s, %d) = %s, want %s", text, level, got, want)
			}
		}
	}
	for level := range 6 {
		if got := Mask(netip.Addr{}, level); got.IsValid() {
			t.Errorf("Mask of none, %d = %s", level, got)
		}
	}
}
