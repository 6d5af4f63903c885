package agent

import (
	"strings"
	"testing"

	"github.com/daysalt/daysalt/internal/bot"
)

// marker is what a visitor could be recognised by, put where a parser might pick it up.
const marker = "Zq7Marker/3.1"

// marked returns s with the marker put before, after and in place of every word, of every name and of every version.
func marked(s string) []string {
	var all []string
	cut := func(from, to int) {
		all = append(all, s[:from]+marker+s[to:], s[:from]+marker+s[from:], s[:to]+marker+s[to:],
			s[:from]+marker+" "+s[from:], s[:to]+" "+marker+s[to:], s[:to]+"; "+marker+s[to:], s[:to]+"/"+marker+s[to:], s[:to]+" ("+marker+")"+s[to:])
	}
	start := 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || strings.IndexByte(` ;()[],/.:="_-`, s[i]) >= 0 {
			if i > start {
				cut(start, i)
			}
			start = i + 1
		}
	}
	for i, c := range s { // from a bracket to its end, and to the end of the agent
		if c == '(' || c == '[' || c == '"' {
			if n := strings.IndexAny(s[i+1:], `)]"`); n >= 0 {
				cut(i+1, i+1+n)
			}
			cut(i+1, len(s))
		}
	}
	return append(all, marker, "Mozilla/5.0 ("+marker+")", "Mozilla/5.0 (Linux; Android 10; "+marker+")")
}

func TestParse_markerNeverComesOut(t *testing.T) {
	p := New(Config{Bot: bot.Detect})
	tried := 0
	check := func(ua string, h Hints) {
		t.Helper()
		tried++
		a := p.Parse(ua, h)
		closed(t, a)
		for _, s := range []string{a.Browser, a.BrowserVersion, a.OS, a.OSVersion, a.Device, a.Bot} {
			if low := strings.ToLower(s); strings.Contains(low, "zq7") || strings.Contains(low, "marker") {
				t.Fatalf("Parse(%q, %+v) = %+v", ua, h, *a)
			}
		}
	}
	for _, s := range samples() {
		for _, ua := range marked(s.ua) {
			check(ua, Hints{})
		}
	}
	plain := Hints{`"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"`, `"Windows"`, "?0"}
	for _, ua := range []string{"", samples()[0].ua} {
		for _, s := range marked(plain.Brands) {
			check(ua, Hints{s, plain.Platform, plain.Mobile})
		}
		for _, s := range marked(plain.Platform) {
			check(ua, Hints{plain.Brands, s, plain.Mobile})
		}
		for _, s := range marked(plain.Mobile) {
			check(ua, Hints{plain.Brands, plain.Platform, s})
		}
	}
	if tried < 10_000 {
		t.Errorf("only %d agents were tried", tried)
	}
}
