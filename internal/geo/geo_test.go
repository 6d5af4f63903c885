package geo

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pinned returns the path of the database that deploy/runtime pins.
func pinned(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("cannot find the module's root")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, "deploy", "runtime", "node_modules", "@ip-location-db", "dbip-country-mmdb", "dbip-country.mmdb")
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("the pinned country database is missing, run \"make engine\": %v", err)
	}
	return path
}

func open(tb testing.TB, path string) *Database {
	tb.Helper()
	d, err := Open(path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func TestCountry_pinnedDatabase(t *testing.T) {
	d := open(t, pinned(t))
	for _, c := range []struct{ addr, want string }{
		{"8.8.8.8", "US"},
		{"::ffff:8.8.8.8", "US"},
		{"1.1.1.1", "AU"},
		{"2003:c1:e700::1", "DE"},
		{"141.1.1.1", "DE"},
		{"10.0.0.1", ""},
		{"192.168.1.1", ""},
		{"127.0.0.1", ""},
		{"::1", ""},
		{"fe80::1%eth0", ""},
		{"2001:db8::1", ""},
	} {
		for _, visit := range []string{"first", "remembered"} {
			if got := d.Country(netip.MustParseAddr(c.addr)); got != c.want {
				t.Errorf("%s: country of %s is %q, want %q", visit, c.addr, got, c.want)
			}
		}
	}
	if text, url := d.Attribution(); text != "IP Geolocation by DB-IP" || url != "https://db-ip.com" {
		t.Errorf("attribution is %q, %q", text, url)
	}
}

func TestCountry_kinds(t *testing.T) {
	networks := map[string]string{"192.0.2.0/24": "DE", "198.51.0.0/16": "FR", "2001:db8::/32": "NL"}
	const maxMind = "This product includes GeoLite Data created by MaxMind"
	for _, c := range []struct {
		kind  string
		shape shape
		text  string
	}{
		{"GeoLite2-Country", maxMindShape, maxMind},
		{"GeoLite2-City", maxMindShape, maxMind},
		{"GeoIP2-Country", maxMindShape, ""},
		{"DBIP-Country-Lite", maxMindShape, "IP Geolocation by DB-IP"},
		{"somebody's own", maxMindShape, ""},
		{"country ipvAll", flatShape, ""},
		{"country ipv6", plainShape, ""},
	} {
		t.Run(c.kind, func(t *testing.T) {
			d := open(t, write(t, temp(t), c.kind, networks, c.shape))
			for addr, want := range map[string]string{
				"192.0.2.77": "DE", "::ffff:192.0.2.77": "DE", "198.51.200.1": "FR", "2001:db8:1:2::3": "NL", "203.0.113.1": "", "2001:db9::1": "",
			} {
				if got := d.Country(netip.MustParseAddr(addr)); got != want {
					t.Errorf("country of %s is %q, want %q", addr, got, want)
				}
			}
			if text, _ := d.Attribution(); text != c.text {
				t.Errorf("attribution is %q, want %q", text, c.text)
			}
		})
	}
}

func TestCountry_codes(t *testing.T) {
	networks := map[string]string{"192.0.2.0/24": "DE"}
	for i, bad := range []string{"ZZ", "XX", "T1", "A1", "de", "DEU", "", "D", "Ä"} {
		networks[netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 24).String()] = bad
	}
	for kind, s := range map[string]shape{"country ipvAll": flatShape, "GeoLite2-Country": maxMindShape} {
		d := open(t, write(t, temp(t), kind, networks, s))
		for cidr, want := range networks {
			if want != "DE" {
				want = ""
			}
			if got := d.Country(netip.MustParsePrefix(cidr).Addr()); got != want {
				t.Errorf("%s: country of %s is %q, want %q", kind, cidr, got, want)
			}
		}
	}
}

// Only the cut address is looked up: what a database knows of a smaller network does not count.
func TestCountry_cuts(t *testing.T) {
	d := open(t, write(t, temp(t), "country ipvAll", map[string]string{
		"192.0.2.0/25": "DE", "192.0.2.128/25": "FR", "2001:db8:1::/64": "NL", "2001:db8:1:1::/64": "BE",
	}, flatShape))
	for addr, want := range map[string]string{"192.0.2.1": "DE", "192.0.2.200": "DE", "2001:db8:1::1": "NL", "2001:db8:1:1::1": "NL"} {
		if got := d.Country(netip.MustParseAddr(addr)); got != want {
			t.Errorf("country of %s is %q, want %q", addr, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.77":                 "192.0.2.0",
		"::ffff:192.0.2.77":          "192.0.2.0",
		"2001:db8:1:2:3:4:5:6":       "2001:db8:1::",
		"2001:db8:ffff:ffff::1%eth0": "2001:db8:ffff::",
		"::1":                        "::",
	} {
		if got := Cut(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("Cut(%s) = %s, want %s", in, got, want)
		}
	}
	if got := Cut(netip.Addr{}); got.IsValid() {
		t.Errorf("Cut of no address is %s", got)
	}
}

func TestCountry_ipv4Only(t *testing.T) {
	path := temp(t)
	if err := os.WriteFile(path, encode(4, "country ipv4", map[string]string{"192.0.2.0/24": "DE"}, flatShape), 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, path)
	if got := d.Country(netip.MustParseAddr("192.0.2.1")); got != "DE" {
		t.Errorf("country of an IPv4 address is %q, want DE", got)
	}
	if got := d.Country(netip.MustParseAddr("2001:db8::1")); got != "" {
		t.Errorf("country of an IPv6 address is %q, want none", got)
	}
}

func TestCountry_ipv6Only(t *testing.T) {
	d := open(t, write(t, temp(t), "country ipv6", map[string]string{"2001:db8::/32": "NL"}, flatShape))
	if got := d.Country(netip.MustParseAddr("2001:db8::1")); got != "NL" {
		t.Errorf("country is %q, want NL", got)
	}
}

// More records than are remembered: none passes for another.
func TestCountry_manyRecords(t *testing.T) {
	networks := map[string]string{}
	for i := range 3 * remembered {
		networks[netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), 0}), 24).String()] = string([]byte{'A' + byte(i%24), 'A' + byte(i/24%24)})
	}
	d := open(t, write(t, temp(t), "country ipvAll", networks, flatShape))
	for range 2 {
		for cidr, want := range networks {
			if got := d.Country(netip.MustParsePrefix(cidr).Addr()); got != code(want) {
				t.Fatalf("country of %s is %q, want %q", cidr, got, want)
			}
		}
	}
}

func TestCountry_nil(t *testing.T) {
	var d *Database
	if got := d.Country(netip.MustParseAddr("8.8.8.8")); got != "" {
		t.Errorf("country is %q", got)
	}
	if text, url := d.Attribution(); text != "" || url != "" {
		t.Errorf("attribution is %q, %q", text, url)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Watch(ctx); err != nil {
		t.Error(err)
	}
	if got := open(t, pinned(t)).Country(netip.Addr{}); got != "" {
		t.Errorf("country of no address is %q", got)
	}
}

func TestOpen_badFile(t *testing.T) {
	good := encode(6, "country ipvAll", map[string]string{"192.0.2.0/24": "DE"}, flatShape)
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "is empty"},
		{"text", []byte("<html>not found</html>"), "not a database"},
		{"cut off in front", good[len(good)/2:], "damaged"},
		{"cut off behind", good[:len(good)-100], "damaged"},
		{"cut off before the end", good[:len(good)/2], "cut off"},
		{"no countries", encode(6, "GeoLite2-ASN", map[string]string{"192.0.2.0/24": "DE"}, func(string) map[string]any {
			return map[string]any{"autonomous_system_number": uint32(1)}
		}), "holds no countries"},
		{"a kind that does not keep its word", encode(6, "GeoLite2-Country", map[string]string{"192.0.2.0/24": "DE"}, flatShape), "holds no countries"},
		{"no networks", encode(6, "GeoLite2-Country", nil, flatShape), "holds no countries"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := temp(t)
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path, nil)
			if err == nil {
				t.Fatal("Open took it")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error is %q, want the path and %q in it", err, c.want)
			}
		})
	}
	missing := temp(t)
	for _, path := range []string{missing, filepath.Dir(missing)} {
		if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s): error is %v, want the path in it", path, err)
		}
	}
}

// A file with any one byte wrong, or cut off anywhere, is refused or answers something; it never panics.
func TestOpen_damagedAnywhere(t *testing.T) {
	networks := map[string]string{"192.0.2.0/24": "DE", "2001:db8::/32": "NL"}
	for _, good := range [][]byte{
		encode(6, "country ipvAll", networks, flatShape),
		encode(6, "GeoLite2-Country", networks, maxMindShape),
	} {
		try := func(b []byte) {
			f, err := newFile(b)
			if err != nil {
				return
			}
			d := &Database{}
			d.file.Store(f)
			for _, addr := range []string{"192.0.2.1", "2001:db8::1", "0.0.0.0", "255.255.255.255", "::", "ffff::"} {
				d.Country(netip.MustParseAddr(addr))
			}
		}
		for i := range good {
			for _, flip := range []byte{0x20, 0xff} {
				b := bytes.Clone(good)
				b[i] ^= flip
				try(b)
			}
			try(good[:i])
		}
	}
}

// A key that points to itself, in the data or in what the file says of itself, would fill the reader's stack and end the process.
func TestOpen_keyPointsToItself(t *testing.T) {
	good := encode(6, "country ipvAll", map[string]string{"192.0.2.0/24": "DE"}, flatShape)
	for _, key := range []string{"country_code", "node_count"} {
		b := bytes.Clone(good)
		at := bytes.LastIndex(b, append([]byte{2<<5 | byte(len(key))}, key...))
		start := bytes.LastIndex(b, metadataMark) + len(metadataMark)
		if key == "country_code" {
			start = at - 1 // the record is the first of the data
		}
		binary.BigEndian.PutUint16(b[at:], 1<<13|uint16(at-start))
		if _, err := newFile(b); err == nil {
			t.Errorf("newFile took a file with such a %s", key)
		}
	}
}

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged lockedBuffer
		path := write(t, temp(t), "country ipvAll", map[string]string{"192.0.2.0/24": "DE"}, flatShape)
		d, err := Open(path, slog.New(slog.NewTextHandler(&logged, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Watch(ctx) }()

		polls := func(n int) {
			t.Helper()
			time.Sleep(time.Duration(n)*watchEvery + time.Second)
			synctest.Wait()
		}
		is := func(want string, warnings, reloads int) {
			t.Helper()
			if got := d.Country(netip.MustParseAddr("192.0.2.1")); got != want {
				t.Errorf("country is %q, want %q", got, want)
			}
			if got := strings.Count(logged.String(), "level=WARN"); got != warnings {
				t.Errorf("%d warnings, want %d:\n%s", got, warnings, &logged)
			}
			if got := strings.Count(logged.String(), "reloaded"); got != reloads {
				t.Errorf("%d reloads, want %d:\n%s", got, reloads, &logged)
			}
		}

		polls(2)
		is("DE", 0, 0)

		write(t, path, "GeoLite2-Country", map[string]string{"192.0.2.0/24": "FR"}, maxMindShape)
		polls(3)
		is("FR", 0, 1)
		if text, _ := d.Attribution(); !strings.Contains(text, "MaxMind") {
			t.Errorf("attribution is still %q", text)
		}

		if err := os.WriteFile(path, []byte("half a file"), 0o600); err != nil {
			t.Fatal(err)
		}
		polls(5)
		is("FR", 1, 1)

		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		polls(5)
		is("FR", 2, 1)

		write(t, path, "country ipvAll", map[string]string{"192.0.2.0/24": "NL"}, flatShape)
		polls(2)
		is("NL", 2, 2)

		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
}

// The file name says who made a file that does not say so itself, also behind a link.
func TestAttribution_name(t *testing.T) {
	dir := t.TempDir()
	target := write(t, filepath.Join(dir, "dbip-country.mmdb"), "country ipvAll", map[string]string{"192.0.2.0/24": "DE"}, flatShape)
	link := filepath.Join(dir, "country.mmdb")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{target, link} {
		if text, url := open(t, path).Attribution(); text == "" || url == "" {
			t.Errorf("%s has no attribution", filepath.Base(path))
		}
	}
}

func TestCountry_allocatesNothing(t *testing.T) {
	d := open(t, pinned(t))
	for _, s := range []string{"8.8.8.8", "2003:c1:e700::1", "10.0.0.1"} {
		addr := netip.MustParseAddr(s)
		d.Country(addr)
		if n := testing.AllocsPerRun(100, func() { d.Country(addr) }); n != 0 {
			t.Errorf("country of %s: %v allocations", s, n)
		}
	}
}

func BenchmarkCountry(b *testing.B) {
	d := open(b, pinned(b))
	x := uint32(1)
	b.ReportAllocs()
	for b.Loop() {
		x = x*1664525 + 1013904223
		d.Country(netip.AddrFrom4([4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)}))
	}
}
