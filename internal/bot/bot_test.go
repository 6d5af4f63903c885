package bot

import (
	_ "embed"
	"strings"
	"testing"
)

//go:embed testdata/people.txt
var peopleFile string

//go:embed testdata/programs.tsv
var programsFile string

func TestDetect_people(t *testing.T) {
	for ua := range lines(peopleFile) {
		if name := Detect(ua); name != "" {
			t.Errorf("Detect(%q) = %q, want a person", ua, name)
		}
	}
}

func TestDetect_programs(t *testing.T) {
	for want, ua := range lines(programsFile) {
		if got := Detect(ua); got != want {
			t.Errorf("Detect(%q) = %q, want %q", ua, got, want)
		}
	}
}

func TestDetect_empty(t *testing.T) {
	for _, ua := range []string{"", " ", "a", "a/1.0"} {
		if got := Detect(ua); got != Empty {
			t.Errorf("Detect(%q) = %q, want %q", ua, got, Empty)
		}
	}
}

// Any place in the agent counts as far as it is read, and no further.
func TestDetect_reach(t *testing.T) {
	browser := "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 "
	pad := func(n int) string { return browser + strings.Repeat("x", n-len(browser)) }

	if got := Detect(pad(maxAgent-len(" gptbot")) + " GPTBot"); got != "GPTBot" {
		t.Errorf("at the end of what is read: got %q, want GPTBot", got)
	}
	if got := Detect(pad(maxAgent) + " GPTBot"); got != "" {
		t.Errorf("behind what is read: got %q, want nothing", got)
	}
}

func TestMatcher_anchors(t *testing.T) {
	m := newMatcher("^start\tS\n<word\tW\nends>\tE\nany\tA\nlonger any\tL\n", "plain\n")
	for _, c := range []struct{ in, want string }{
		{"start of it", "S"},
		{"at the start", ""},
		{"a wordy thing", "W"},
		{"swordfish", ""},
		{"it ends.", "E"},
		{"it endsnot", ""},
		{"many", "A"},
		{"a longer any", "L"},
		{"many words", "A"},
		{"wordy many", "W"},
		{"complaint plain", Other},
		{"plain many", "A"},
		{"many plain", "A"},
		{"an", ""},
		{"", ""},
	} {
		if got := m.find([]byte(c.in), 0, 0); got != c.want {
			t.Errorf("find(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestMatcher_brokenFile(t *testing.T) {
	for name, file := range map[string]string{"short": "ab\tName\n", "upper case": "Abc\tName\n", "no name": "abc\n"} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("newMatcher(%q) took it", file)
				}
			}()
			newMatcher(file, "")
		})
	}
}

// Every literal of the files is found where it stands alone, so none is hidden by a bucket or an anchor that never holds.
func TestMatcher_everyLiteral(t *testing.T) {
	for _, file := range []string{namesFile, wordsFile} {
		for text := range lines(file) {
			plain := strings.Trim(text, "^<>")
			if literals.find([]byte(plain), 0, 0) == "" {
				t.Errorf("%q is not found in itself", text)
			}
		}
	}
}

func TestHandset(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"mozilla/5.0 (linux; android 14; cubot x build/1) applewebkit", "; cubot x build/1"},
		{"mozilla/5.0 (linux; android 8; moto g (4)) applewebkit", "; moto g (4)"},
		{"mozilla/5.0 (linux; android 8; never closed", "; never closed"},
		{"mozilla/5.0 (linux; android 8) x; y)", ""},
		{"mozilla/5.0 (linux; android 8; compatible; foo) x", ""},
		{"mozilla/5.0 (linux; android 8; +http://a.example) x", ""},
		{"mozilla/5.0 (windows nt 10.0; x64)", ""},
		{"android", ""},
	} {
		from, to := handset([]byte(c.in))
		if got := c.in[from:to]; got != c.want {
			t.Errorf("handset(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestDetect_allocates_nothing(t *testing.T) {
	agents := []string{"", "curl/8.7.1", strings.Repeat("Mozilla/5.0 (", 100)}
	for ua := range lines(peopleFile) {
		agents = append(agents, ua)
	}
	for _, ua := range agents {
		if n := testing.AllocsPerRun(10, func() { Detect(ua) }); n != 0 {
			t.Errorf("Detect(%q) allocates %v times", ua, n)
		}
	}
}

func BenchmarkDetect(b *testing.B) {
	for _, c := range []struct{ name, ua string }{
		{"person", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"},
		{"program", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
		{"longest", strings.Repeat("Mozilla/5.0 (", 40)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Detect(c.ua)
			}
		})
	}
}
