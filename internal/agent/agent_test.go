package agent

import (
	_ "embed"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/bot"
)

//go:embed testdata/agents.tsv
var agentsFile string

// sample is one line of testdata/agents.tsv.
type sample struct {
	ua   string
	want Agent
}

func samples() []sample {
	var all []sample
	for _, f := range rows(agentsFile, 7) {
		for i := range f {
			if f[i] == "-" {
				f[i] = ""
			}
		}
		all = append(all, sample{f[6], Agent{Browser: f[0], BrowserVersion: f[1], OS: f[2], OSVersion: f[3], Device: f[4], Bot: f[5]}})
	}
	return all
}

func TestParse_realAgents(t *testing.T) {
	p := New(Config{Bot: bot.Detect})
	all := samples()
	if len(all) < 40 {
		t.Fatalf("only %d agents to try", len(all))
	}
	for _, s := range all {
		for _, visit := range []string{"first", "cached"} {
			if diff := cmp.Diff(s.want, *p.Parse(s.ua, Hints{})); diff != "" {
				t.Errorf("%s Parse(%q) (-want +got):\n%s", visit, s.ua, diff)
			}
		}
	}
}

func TestParse_hints(t *testing.T) {
	const (
		windows  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
		x11      = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
		phone    = "Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"
		webView  = "Mozilla/5.0 (Linux; Android 13; SM-A536B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36"
		gram     = webView + " Instagram 355.0.0.1"
		opera    = windows + " OPR/115.0.0.0"
		fox      = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"
		tv       = "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0.4606.128 Safari/537.36"
		unknown  = "Fnord/1.0"
		chrome   = `"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"`
		brave    = `"Brave";v="131", "Chromium";v="131", "Not_A Brand";v="24"`
		onlyCore = `"Not;A=Brand\"";v="8", "Chromium";v="131"`
	)
	for _, c := range []struct {
		name, ua string
		hints    Hints
		want     Agent
	}{
		{"no news", windows, Hints{chrome, `"Windows"`, "?0"}, Agent{"Chrome", "131", "Windows", "", Desktop, ""}},
		{"Brave hides behind Chrome", windows, Hints{brave, `"Windows"`, "?0"}, Agent{"Brave", "131", "Windows", "", Desktop, ""}},
		{"only Chromium and a made-up brand", windows, Hints{onlyCore, "", ""}, Agent{"Chromium", "131", "Windows", "", Desktop, ""}},
		{"an unknown brand says nothing", windows, Hints{`"Zq7Marker";v="3"`, "", ""}, Agent{"Chrome", "131", "Windows", "", Desktop, ""}},
		{"a version that is no number", windows, Hints{`"Brave";v="Zq7"`, "", ""}, Agent{"Brave", "", "Windows", "", Desktop, ""}},
		{"the agent knows its brand", opera, Hints{chrome, "", ""}, Agent{"Opera", "115", "Windows", "", Desktop, ""}},
		{"the agent knows its app", gram, Hints{`"Android WebView";v="131"`, `"Android"`, "?1"}, Agent{"Instagram", "355", "Android", "13", Mobile, ""}},
		{"the agent knows its WebView", webView, Hints{brave, `"Android"`, "?1"}, Agent{MobileApp, "", "Android", "13", Mobile, ""}},
		{"the hint knows its WebView", phone, Hints{`"Android WebView";v="131", "Chromium";v="131"`, "", ""}, Agent{MobileApp, "", "Android", "13", Mobile, ""}},
		{"Firefox sends none", fox, Hints{brave, `"macOS"`, ""}, Agent{"Firefox", "132", "Windows", "", Desktop, ""}},
		{"desktop mode of a tablet", x11, Hints{chrome, `"Android"`, "?0"}, Agent{"Chrome", "131", "Android", "", Tablet, ""}},
		{"Android is Linux below", phone, Hints{chrome, `"Linux"`, "?1"}, Agent{"Chrome", "131", "Android", "13", Mobile, ""}},
		{"a tablet that says Mobile", phone, Hints{chrome, `"Android"`, "?0"}, Agent{"Chrome", "131", "Android", "13", Tablet, ""}},
		{"ChromeOS that says Linux", x11, Hints{chrome, `"Chrome OS"`, "?0"}, Agent{"Chrome", "131", "ChromeOS", "", Desktop, ""}},
		{"Android inside ChromeOS", phone, Hints{chrome, `"Chrome OS"`, "?0"}, Agent{"Chrome", "131", "ChromeOS", "", Desktop, ""}},
		{"a television stays one", tv, Hints{chrome, `"Linux"`, "?0"}, Agent{"Chrome", "131", "webOS", "", TV, ""}},
		{"nothing but hints", unknown, Hints{chrome, `"Windows"`, "?0"}, Agent{"Chrome", "131", "Windows", "", Desktop, ""}},
		{"an unknown platform", windows, Hints{"", `"Zq7Marker"`, "Zq7Marker"}, Agent{"Chrome", "131", "Windows", "", Desktop, ""}},
		{"broken headers", windows, Hints{`"Brave`, `"Windows`, "?"}, Agent{"Chrome", "131", "Windows", "", Desktop, ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, *New(Config{}).Parse(c.ua, c.hints)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What only mssola/useragent makes out, from the shape of an agent, is named by the tables.
func TestParse_fillsGaps(t *testing.T) {
	p := New(Config{})
	for _, c := range []struct{ ua, browser, os string }{
		{"Mozilla/4.0 (compatible; MSIE 6.0)", "Internet Explorer", "Windows"},
		{"Mozilla/5.0 (X11; Linux i686; rv:10.0) Gecko/20100101 Firefox", "Firefox", "Linux"},
		{"Mozilla/5.0 (X11; Linux i686; rv:10.0) Gecko/20100101 Zq7Marker/3.1", Other, "Linux"},
	} {
		if got := p.Parse(c.ua, Hints{}); got.Browser != c.browser || got.OS != c.os {
			t.Errorf("Parse(%q) is %s on %s, want %s on %s", c.ua, got.Browser, got.OS, c.browser, c.os)
		}
	}
}

func TestParse_readsOnlyTheStart(t *testing.T) {
	p := New(Config{})
	ua := "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 "
	ua += strings.Repeat("x", maxAgent-len(ua))
	if p.Parse(ua+" Edg/131.0", Hints{}) != p.Parse(ua+" OPR/115.0", Hints{}) {
		t.Error("agents that differ behind the limit have different answers")
	}
	long := Hints{Brands: strings.Repeat(`"A";v="1", `, 1000), Platform: strings.Repeat(`"`, 1000), Mobile: strings.Repeat("?", 1000)}
	if got := p.Parse(ua, long).Browser; got != "Chrome" {
		t.Errorf("with long hints: got %q, want Chrome", got)
	}
}

// closed fails the test where an answer holds anything but names of the tables and short versions.
func closed(t *testing.T, a *Agent) {
	t.Helper()
	if !allBrowsers[a.Browser] {
		t.Errorf("browser %q is in no table", a.Browser)
	}
	if !allSystems[a.OS] {
		t.Errorf("system %q is in no table", a.OS)
	}
	if !allDevices[a.Device] {
		t.Errorf("device class %q is none", a.Device)
	}
	for _, v := range []string{a.BrowserVersion, a.OSVersion} {
		if !shortVersion.MatchString(v) {
			t.Errorf("version %q is not two short numbers", v)
		}
	}
}

var (
	shortVersion = regexp.MustCompile(`^([0-9]{1,3}(\.[0-9]{1,3})?)?$`)
	allDevices   = map[string]bool{Desktop: true, Mobile: true, Tablet: true, TV: true, Other: true}
	allBrowsers  = column(1, rows(browsersFile, 4), []string{Other, MobileApp, "Safari", "Android Browser"}, hintNames("brand"))
	allSystems   = column(1, rows(systemsFile, 3), []string{Other}, hintNames("platform"))
)

func column(n int, lines [][]string, more ...[]string) map[string]bool {
	set := map[string]bool{}
	for _, f := range lines {
		set[f[n]] = true
	}
	for _, names := range more {
		for _, name := range names {
			set[name] = true
		}
	}
	return set
}

func hintNames(header string) []string {
	var names []string
	for _, f := range rows(hintsFile, 3) {
		if f[0] == header {
			names = append(names, f[2])
		}
	}
	return names
}

func TestTables_deviceClasses(t *testing.T) {
	for _, f := range rows(devicesFile, 2) {
		if !allDevices[f[1]] {
			t.Errorf("devices.tsv: %s: %q is no device class", f[0], f[1])
		}
	}
	for _, f := range rows(systemsFile, 3) {
		if !allDevices[f[2]] && f[2] != handheld {
			t.Errorf("systems.tsv: %s: %q is no device class", f[0], f[2])
		}
	}
}

func TestTables_brokenFile(t *testing.T) {
	for name, files := range map[string][4]string{
		"columns":         {"Chrome/\tChrome\t1\n"},
		"kind":            {"Chrome/\tChrome\t1\tnice\n"},
		"hint header":     {3: "model\tA\tB\n"},
		"unknown hint OS": {3: "platform\tA\tNowhere\n"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("newTables took it")
				}
			}()
			newTables(files[0], files[1], files[2], files[3])
		})
	}
}
