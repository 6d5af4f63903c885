package web_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const slot = `<script type="application/json" id="daysalt-data"></script>`

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestDashboard_notBuilt(t *testing.T) {
	f := fixture{}
	f.config.Dashboard = fstest.MapFS{".placeholder": file("")}
	address := f.serve(t)
	for _, path := range []string{"/", "/sites/shop.example"} {
		if got := call(t, address, "GET", path, ""); got.status != 404 || !strings.Contains(got.body, "run make build") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func TestDashboard_noSlot(t *testing.T) {
	f := fixture{}
	f.config.Dashboard = fstest.MapFS{"index.html": file("<html></html>")}
	if _, err := f.new(t); err == nil || !strings.Contains(err.Error(), "index.html") {
		t.Errorf("an index.html without a place for its data: %v", err)
	}
}

// What the server knows goes into the page as JSON, and can never end the element it stands in.
func TestDashboard_data(t *testing.T) {
	const hostile = `</script><script>alert(1)</script><!--`
	f := fixture{}
	f.config.Dashboard = fstest.MapFS{"index.html": file("<head>" + slot + "</head>")}
	f.config.Attribution = func() (string, string) { return hostile, "https://geo.example/?a=1&b=2" }
	address := f.serve(t)
	for _, path := range []string{"/", "/sites", "/sites/shop.example", "/sites/shop.example/pages"} {
		got := call(t, address, "GET", path, "")
		before, rest, ok := strings.Cut(got.body, strings.TrimSuffix(slot, "</script>"))
		data, after, _ := strings.Cut(rest, "</script>")
		if got.status != 200 || !ok || before != "<head>" || after != "</head>" {
			t.Fatalf("%s: %d %s", path, got.status, got.body)
		}
		var known map[string]any
		if err := json.Unmarshal([]byte(data), &known); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"version":     "1.2.3",
			"sites":       []any{map[string]any{"domain": "blog.example", "timezone": "UTC"}, map[string]any{"domain": "shop.example", "timezone": "Europe/Berlin"}},
			"attribution": map[string]any{"text": hostile, "url": "https://geo.example/?a=1&b=2"},
		}
		if diff := cmp.Diff(want, known); diff != "" {
			t.Error(diff)
		}
		for name, value := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
				"base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
		} {
			if got.header.Get(name) != value {
				t.Errorf("%s: %s: %q, want %q", path, name, got.header.Get(name), value)
			}
		}
	}
}

func TestDashboard_noAttribution(t *testing.T) {
	f := fixture{}
	f.config.Dashboard = fstest.MapFS{"index.html": file(slot)}
	if got := call(t, f.serve(t), "GET", "/", ""); !strings.Contains(got.body, `"attribution":null`) {
		t.Error(got.body)
	}
}

func TestDashboard_assets(t *testing.T) {
	f := fixture{}
	f.config.Dashboard = fstest.MapFS{
		"index.html": file(slot), "favicon.svg": file("<svg/>"), ".hidden": file("hidden"),
		"assets/app-1a2b.js": file("plain"), "assets/app-1a2b.js.gz": file("zipped"), "assets/app-1a2b.js.br": file("brotli"), "assets/only.css": file("css"),
	}
	address := f.serve(t)
	asset := func(path, accepted, body, encoding, kind, cache string) {
		t.Helper()
		got := call(t, address, "GET", path, "", "Accept-Encoding", accepted)
		if got.status != 200 || got.body != body || got.header.Get("Content-Encoding") != encoding || !strings.HasPrefix(got.header.Get("Content-Type"), kind) || got.header.Get("Cache-Control") != cache {
			t.Errorf("%s for %q: %+v", path, accepted, got)
		}
	}
	const forever = "public, max-age=31536000, immutable"
	asset("/assets/app-1a2b.js", "", "plain", "", "text/javascript", forever)
	asset("/assets/app-1a2b.js", "gzip", "zipped", "gzip", "text/javascript", forever)
	asset("/assets/app-1a2b.js", "gzip, br", "brotli", "br", "text/javascript", forever)
	asset("/assets/only.css", "gzip, br", "css", "", "text/css", forever)
	asset("/favicon.svg", "br", "<svg/>", "", "image/svg+xml", "no-cache")
	for _, path := range []string{
		"/assets/", "/assets", "/assets/none.js", "/assets/app-1a2b.js.gz", "/assets/app-1a2b.js.br", "/.hidden", "/index.html", "/assets/../.hidden", "/assets/%2e%2e/.hidden",
		"/assets/..%2f.hidden", "/assets\\app-1a2b.js", "/assets/app-1a2b.js%00", "/%2e%2e/%2e%2e/etc/passwd", "/sitesx",
	} {
		if got := call(t, address, "GET", path, ""); got.status != 404 || strings.Contains(got.body, "hidden") && !strings.Contains(got.body, "error") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
