package web

import (
	"strings"
	"testing"

	"github.com/daysalt/daysalt/internal/site"
)

// Where a visitor may be sent back to: the site's own hosts, and nothing that anybody reads as another.
func TestBackTo(t *testing.T) {
	shop := &site.Site{Domain: "shop.example"}
	f := func(back, want string) {
		t.Helper()
		got, ok := backTo(shop, back)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", back, got, ok, want)
		}
	}
	const no = ""
	f("https://shop.example", "https://shop.example/")
	f("http://shop.example/", "http://shop.example/")
	f("HTTPS://SHOP.Example/Privacy", "https://shop.example/Privacy")
	f("https://www.shop.example/a?b=c&d=https://evil.example/", "https://www.shop.example/a?b=c&d=https://evil.example/")
	f("https://a.b.shop.example:8443/x", "https://a.b.shop.example:8443/x")
	f("https://a_b.shop.example/", "https://a_b.shop.example/")
	f("http://shop.example:80?q", "http://shop.example:80/?q")
	f("https://shop.example/a#part", "https://shop.example/a")
	f("https://shop.example#@evil.example/", "https://shop.example/")
	f("https://shop.example/#daysalt-opt-in", "https://shop.example/")
	f("https://shop.example/@evil.example", "https://shop.example/@evil.example")
	f("https://shop.example/%2e%2e//evil.example", "https://shop.example/%2e%2e//evil.example")
	f("https://shop.example//evil.example", "https://shop.example//evil.example")
	f("https://shop.example/grün?ä=ö", "https://shop.example/gr%C3%BCn?%C3%A4=%C3%B6")
	f(`https://shop.example/"><script>`, "https://shop.example/%22%3E%3Cscript%3E")
	f("https://shop.example/\u0085\u2028x", "https://shop.example/%C2%85%E2%80%A8x")

	for _, back := range []string{
		"", "/", "/privacy", "privacy", "shop.example", "shop.example/privacy", "//shop.example/", "//evil.example", "///evil.example", "////evil.example",
		"https:shop.example", "https:/shop.example", "https:///shop.example", "https:////shop.example", "https:evil.example", "https:/evil.example", "https:\\\\shop.example",
		"https:\\\\evil.example", `https://shop.example\@evil.example`, `https://evil.example\.shop.example`, `https://evil.example\@shop.example`, `\\evil.example`, `/\evil.example`, `https://shop.example/\evil`,
		"https://user@shop.example/", "https://user:pw@shop.example/", "https://@shop.example/", "https://shop.example@evil.example/", "https://shop.example:443@evil.example/", "https://shop.example:@evil.example",
		"https://evil.example", "https://evil.example/shop.example", "https://evil.example?shop.example", "https://evil.example#shop.example", "https://evil.example/?x=.shop.example", "https://evil.example#.shop.example/",
		"https://notshop.example", "https://shop.example.evil.example", "https://shop.example.", "https://shop.example./", "https://shop.examp", "https://example", "https://.shop.example", "https://..shop.example", "https://a..shop.example", "https://.",
		"https://shop%2eexample/", "https://%73hop.example/", "https://shop.example%2f@evil.example", "https://evil.example%2f.shop.example", "https://evil.example%23.shop.example", "https://evil.example%00.shop.example", "https://shop.example%20",
		"https://shop。example/", "https://shop．example/", "https://ｓhop.example/", "https://evil.example\u2044.shop.example", "https://evil.example／.shop.example", "https://evil.example？.shop.example", "https://shop.exampl\u0435", "https://sho\u00adp.example",
		"https://[::1]/", "https://[::1]:443/", "https://[shop.example]/", "https://[::ffff:127.0.0.1].shop.example", "https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/",
		"https://shop.example:", "https://shop.example:/", "https://shop.example:x", "https://shop.example:0", "https://shop.example:65536", "https://shop.example:-1", "https://shop.example:+1", "https://shop.example:80:80", "https://shop.example:8 0", "https://shop.example:80.evil.example",
		"javascript:alert(1)", "javascript://shop.example/%0aalert(1)", "JaVaScRiPt://shop.example", "data:text/html,x", "data://shop.example/", "vbscript://shop.example", "blob:https://shop.example/x", "about:blank", "file://shop.example/", "ftp://shop.example/", "ws://shop.example/",
		"view-source:https://shop.example/", "xhttps://shop.example", "https ://shop.example", "http+x://shop.example", "://shop.example", "https//shop.example",
		" https://shop.example/", "https://shop.example/ ", "\thttps://shop.example/", "ht\ntps://shop.example/", "https://shop.example/\r\nSet-Cookie: a=b", "https://shop.example/\n", "https://sh\top.example/", "https://shop.example/a b", "https://shop.example/\x00", "https://shop.example/\x7f",
		"https://shop.example\t.evil.example", "https://evil.example\r.shop.example", "https://shop.example/\xff", "https://\xffshop.example/", "https://shop.example;evil.example", "https://shop.example,evil.example", "https://evil.example;.shop.example", "https://evil.example&.shop.example",
		"https://*.shop.example/", "https://<b>.shop.example/", "https://'.shop.example/", "https://" + strings.Repeat("a.", 1000) + "shop.example/",
	} {
		f(back, no)
	}
}

func FuzzBackTo(f *testing.F) {
	for _, seed := range []string{"https://shop.example/a#b", "https://user@shop.example:80/?x", `https://shop.example\@evil.example`, "https://shop。example"} {
		f.Add(seed)
	}
	shop := &site.Site{Domain: "shop.example"}
	f.Fuzz(func(t *testing.T, back string) {
		got, ok := backTo(shop, back)
		if !ok {
			return
		}
		// What is left is ASCII without anything that a browser drops or turns, so an authority ends at the first slash.
		_, rest, _ := strings.Cut(got, "://")
		authority, _, slash := strings.Cut(rest, "/")
		host, _, _ := strings.Cut(authority, ":")
		if !slash || host != "shop.example" && !strings.HasSuffix(host, ".shop.example") || strings.ContainsAny(authority, "@%[]") {
			t.Errorf("%q: %q", back, got)
		}
		for i := range len(got) {
			if c := got[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
				t.Errorf("%q: %q has %q", back, got, c)
			}
		}
		if again, ok := backTo(shop, got); !ok && len(got) <= maxBack || ok && again != got {
			t.Errorf("%q: %q, and then %q", back, got, again)
		}
	})
}

func TestPrefersGerman(t *testing.T) {
	for header, want := range map[string]bool{
		"de": true, "DE": true, "de-AT": true, "de-DE,de;q=0.9,en;q=0.8": true, "fr, de;q=0.1": true, "de, en": true, "en;q=0.5, de;q=0.6": true, "de;q=0.7,*;q=0.5": true,
		"*, de": false, "de;q=1.000 , en;q=0.999": true, "en;q=0, de;q=0.001": true, "de ; q=0.5": true, "en;q=0.2,de;Q=0.5": true, "de;q=0.3,en;q=x": true,
		"": false, "en": false, "fr": false, "en, de": false, "en;q=0.9, de;q=0.8": false, "de;q=0": false, "de;q=0, *": false, "*": false, "de;q=0.5, *;q=0.8": false,
		"deu": false, "den-x": false, "x-de": false, "de;q=2": false, "de;q=-1": false, "de;q=NaN": false, "de;q=Inf": false, "de;q=1e0": false, "de;q=0.1234": false, "de;q=": false, "de;level=1": false,
		"de;q=0.5, en;q=0.5": true, "en;q=0.5, de;q=0.5": false, "de-CH;q=0.1, en;q=0.5, de;q=0.9": true, ",,,": false, ";q=1": false,
	} {
		if got := prefersGerman(header); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

// The text on the button is black or white, whichever is easier to read.
func TestButtonColors(t *testing.T) {
	for color, want := range map[string][2]string{
		"#000000": {"#000000", "#fff"}, "#ffffff": {"#ffffff", "#000"}, "#f2c500": {"#f2c500", "#000"}, "#0b5c8a": {"#0b5c8a", "#fff"}, "#757575": {"#757575", "#fff"}, "#777777": {"#777777", "#000"}, "#FF0000": {"#FF0000", "#000"}, "#0000ff": {"#0000ff", "#fff"}, "#008000": {"#008000", "#fff"},
		"": {defaultColor, "#fff"}, "red": {defaultColor, "#fff"}, "#fff": {defaultColor, "#fff"}, "000000": {defaultColor, "#fff"}, "#00000g": {defaultColor, "#fff"}, "#000000;}": {defaultColor, "#fff"}, "#00000000": {defaultColor, "#fff"},
	} {
		if button, text := buttonColors(color); button != want[0] || text != want[1] {
			t.Errorf("%q: %s on %s, want %v", color, text, button, want)
		}
	}
}
