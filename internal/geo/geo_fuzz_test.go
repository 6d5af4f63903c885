package geo

import (
	"net/netip"
	"testing"
)

// FuzzOpen holds that a file with anything in it is refused or answers with a country's code, and never panics.
func FuzzOpen(f *testing.F) {
	networks := map[string]string{"192.0.2.0/24": "DE", "2001:db8::/32": "NL"}
	f.Add(encode(6, "country ipvAll", networks, flatShape), uint64(0))
	f.Add(encode(6, "GeoLite2-Country", networks, maxMindShape), uint64(1<<63))
	f.Add(encode(4, "country ipv4", map[string]string{"192.0.2.0/24": "DE"}, plainShape), uint64(3))
	f.Fuzz(func(t *testing.T, content []byte, n uint64) {
		opened, err := newFile(content)
		if err != nil {
			return
		}
		d := &Database{}
		d.file.Store(opened)
		for _, addr := range []netip.Addr{
			netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}),
			netip.AddrFrom16([16]byte{byte(n >> 56), byte(n >> 48), byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16)}),
			netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
		} {
			if c := d.Country(addr); c != code(c) {
				t.Errorf("country of %s is %q", addr, c)
			}
		}
	})
}
