package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/web"
)

const shopPage = "/opt-out?site=shop.example"

// mustHave checks that a page has texts, and lacks those that begin with a "!".
func mustHave(t *testing.T, got answer, texts ...string) {
	t.Helper()
	for _, text := range texts {
		not := strings.HasPrefix(text, "!")
		if strings.Contains(got.body, strings.TrimPrefix(text, "!")) == not {
			t.Errorf("want %q in %s", text, got.body)
		}
	}
}

// The page is for everybody, whoever asks and under whatever name the server is known; it changes nothing.
func TestOptOut_page(t *testing.T) {
	for _, peer := range []string{"", "192.0.2.7", "2001:db8::1"} {
		f := fixture{peer: peer}
		at := f.serve(t)
		got := call(t, at, "GET", shopPage, "", "Host", "stats.example.com", "X-Forwarded-For", "192.0.2.1")
		if got.status != 200 || got.header.Get("Content-Type") != "text/html; charset=utf-8" || len(got.header.Values("Set-Cookie")) != 0 {
			t.Errorf("from %s: %d %v", peer, got.status, got.header)
		}
		for name, want := range map[string]string{
			"Referrer-Policy": "origin", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Language": "en",
			"Vary": "Accept-Language, Cookie, DNT, Origin, Sec-Fetch-Dest, Sec-Fetch-Site, Sec-GPC",
		} {
			if is := got.header.Get(name); is != want {
				t.Errorf("%s: %q, want %q", name, is, want)
			}
		}
		mustHave(t, got, `<html lang="en">`, "<title>Opt out of measurement on shop.example</title>", "<header>", "<main>", "<h1>", "<footer>", "!<script", "!http-equiv", "!src=", "! style=", `<form method="post">`)
		if handler := regexp.MustCompile(`<[^>]* on[a-z]+=`).FindString(got.body); handler != "" {
			t.Errorf("a script: %s", handler)
		}
		if strings.Count(got.body, "<button>") != 1 || strings.Count(got.body, "<form") != 1 || strings.Count(got.body, "<h1>") != 1 {
			t.Errorf("not one button: %s", got.body)
		}
		head := call(t, at, "HEAD", shopPage, "")
		if head.status != 200 || head.body != "" || head.header.Get("Content-Security-Policy") != got.header.Get("Content-Security-Policy") {
			t.Errorf("HEAD: %+v", head)
		}
		if logs := f.log.String(); logs != "" {
			t.Errorf("the log says %s", logs)
		}
	}
}

// The policy lets in the page's style by its hash, and the form lead to the site's own hosts.
func TestOptOut_policy(t *testing.T) {
	shop := preset(t, "default", func(s *site.Site) { s.BrandColor, s.BrandName = "#f2c500", `<b>"Müller" & Söhne</b>` })
	at := (&fixture{sites: listed{"shop.example": shop}}).serve(t)
	got := call(t, at, "GET", shopPage, "", "Accept-Language", "de-AT, en;q=0.9")
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(got.body)
	if len(style) != 2 || !strings.HasSuffix(style[1], ":root{--brand:#f2c500;--text:#000}") {
		t.Fatalf("no style: %s", got.body)
	}
	sum := sha256.Sum256([]byte(style[1]))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'self' https://shop.example:* https://*.shop.example:* " +
		"http://shop.example:* http://*.shop.example:*; frame-ancestors 'self' https://shop.example:* https://*.shop.example:* http://shop.example:* http://*.shop.example:*"
	if is := got.header.Get("Content-Security-Policy"); is != want {
		t.Errorf("%s, want %s", is, want)
	}
	mustHave(t, got, `<html lang="de">`, "&lt;b&gt;&#34;Müller&#34; &amp; Söhne&lt;/b&gt; zählt Besuche", "!<b>", "! auf shop.example ", `value="shop.example"`)
	unknown := call(t, at, "GET", "/opt-out?site=evil.example;*", "")
	if is := unknown.header.Get("Content-Security-Policy"); !strings.Contains(is, "form-action 'none'; frame-ancestors 'none'") || strings.Contains(is, "evil") {
		t.Errorf("without a site: %s", is)
	}
}

// Each preset is described by its settings, in both languages.
func TestOptOut_presets(t *testing.T) {
	f := func(name string, change func(*site.Site), config web.Config, german bool, texts ...string) {
		t.Helper()
		language := "en"
		if german {
			language = "de"
		}
		at := (&fixture{config: config, sites: listed{"shop.example": preset(t, name, change)}}).serve(t)
		got := call(t, at, "GET", shopPage, "", "Accept-Language", language)
		mustHave(t, got, append(texts, "!%!")...)
		if gap := regexp.MustCompile(`\{[a-z]+\}`).FindString(got.body); gap != "" {
			t.Errorf("%s: %s is not filled in", name, gap)
		}
	}
	list := func(s *site.Site) { s.AllowProps, s.DNT = []string{"plan", "theme"}, true }
	f("default", nil, web.Config{}, false, "turns your full IP address,", "midnight (Europe/Berlin)", "396 days", "to the second", "main version", "screen", "the country, looked up with your IP address without its last part (of IPv4 the first 24 bits are left, of IPv6 the first 48)",
		"They are not stored.", "utm_source", "Do Not Track alone is not honoured", "!region", "!16 days")
	f("default", func(s *site.Site) { s.City = true }, web.Config{StoresAddresses: true}, false, "country, region and city", "Your shortened IP address (of IPv4 the first 16 bits are left, of IPv6 the first 48) is kept for up to 16 days", "!They are not stored")
	f("default", nil, web.Config{}, true, "Ihrer vollständigen IP-Adresse", "Mitternacht vernichtet (Europe/Berlin)", "396 Tage", "auf die Sekunde", "Hauptversion", "Do Not Track allein wird auf shop.example nicht beachtet")
	f("masked", nil, web.Config{}, false, "turns your shortened IP address (of IPv4 the first 16 bits are left, of IPv6 the first 48),", "looked up with your shortened IP address", "!full IP address")
	f("masked", nil, web.Config{}, true, "macht aus Ihrer gekürzten IP-Adresse", "!vollständigen IP-Adresse")
	f("cnil", list, web.Config{}, false, "to the minute", "in which order", "the host name of the page with the link", "!name and path, without the query</li>\n<li>the source", "only these: plan, theme", "but not which", "!utm_source", "!screen", "!city", "Do Not Track is honoured on shop.example")
	f("cnil", list, web.Config{}, true, "auf die Minute", "nur diese: plan, theme", "aber nicht welche", "!utm_source", "!Bildschirm", "!Stadt", "Do Not Track wird auf shop.example genauso beachtet")
	f("strict", nil, web.Config{StoresAddresses: true}, false, "no visitor numbers", "!random key", "!midnight", "!visit,", "to the hour", "!version", "!country", "No location is looked up", "No properties", "31 days", "They are not stored.")
	f("strict", nil, web.Config{}, true, "keine Besuchernummern", "!Schlüssel", "!Mitternacht", "auf die Stunde", "!version", "!Land", "Ein Ort wird nicht nachgeschlagen", "31 Tage")
}

// The page says what this browser sends, and what the button would do about it.
func TestOptOut_state(t *testing.T) {
	plain, dnt := preset(t, "default", nil), preset(t, "default", func(s *site.Site) { s.Domain, s.DNT = "dnt.example", true })
	at := (&fixture{sites: listed{"shop.example": plain, "dnt.example": dnt}}).serve(t)
	const out, in, cookie = `name="choice" value="out"`, `name="choice" value="in"`, "daysalt_optout=1"
	f := func(target string, headers []string, texts ...string) {
		t.Helper()
		got := call(t, at, "GET", target, "", headers...)
		if got.status != 200 {
			t.Errorf("%s: %d", target, got.status)
		}
		mustHave(t, got, texts...)
	}
	f(shopPage, nil, out, "You have not opted out", "It sets the opt-out cookie", "notes your objection", "came without https", "!It holds for every site", "!another address", "!first-party", "Back to shop.example", "!own window", `href="http://shop.example/"`)
	f(shopPage, []string{"Cookie", "a=b; " + cookie}, in, "You have opted out", "It deletes the opt-out cookie", "deletes the note", "!As long as", "!You have not opted out")
	f(shopPage, []string{"Cookie", cookie + "1"}, out, "You have not opted out")
	f(shopPage, []string{"Sec-GPC", "1"}, out, "You are not counted", "sends Global Privacy Control", "!You have not opted out", "!As long as")
	f(shopPage, []string{"Sec-GPC", "1", "Cookie", cookie}, in, "You have opted out", "sends Global Privacy Control. That", "As long as your browser sends Global Privacy Control")
	f(shopPage, []string{"DNT", "1"}, out, "You have not opted out", "!sends Do Not Track")
	f("/opt-out?site=dnt.example", []string{"DNT", "1"}, out, "You are not counted on dnt.example", "sends Do Not Track. This site honours it", "!You have not opted out")
	f("/opt-out?site=dnt.example", []string{"DNT", "1", "Cookie", cookie}, in, "You have opted out", "As long as your browser sends Do Not Track")
	f("/opt-out?site=dnt.example", nil, out, "You have not opted out")
	f(shopPage+"&back=https://www.shop.example/a%3Fb%23c", nil, `name="back" value="https://www.shop.example/a?b"`, `href="https://www.shop.example/a?b"`)
	for _, host := range []string{"shop.example", "STATS.shop.example:8000"} {
		f(shopPage, []string{"Host", host}, "first-party cookie", "!another address")
	}
	f(shopPage, []string{"Host", "shop.example.evil.example"}, "!first-party cookie", "came without https")

	secure := call(t, behindTLS(t).serve(t), "GET", shopPage, "", "X-Forwarded-Proto", "https")
	mustHave(t, secure, "It holds for every site", "another address", "!without https")

	framed := []string{"Sec-Fetch-Dest", "iframe"}
	f(shopPage, framed, out, "window of its own", `href="?site=shop.example" target="_blank" rel="noopener"`, "You stay in this frame", "!Back to", "!notes your objection", "!did not keep")
	f(shopPage+"&back=https://shop.example/x", framed, "notes your objection", "!You stay in this frame", "site=shop.example")
	f(shopPage+"&choice=out", framed, "Your browser did not keep your choice", out)
	f(shopPage+"&choice=out", append(framed, "Cookie", cookie), "You have opted out", "!did not keep", in)
	f(shopPage+"&choice=in", framed, "You have not opted out", "!did not keep")
	f(shopPage+"&choice=out", nil, "!did not keep")
}

// What is wrong is said by the field's name, and nothing that was sent comes back.
func TestOptOut_wrong(t *testing.T) {
	at := (&fixture{}).serve(t)
	f := func(status int, got answer, texts ...string) {
		t.Helper()
		if got.status != status || len(got.header.Values("Set-Cookie")) != 0 || got.header.Get("Location") != "" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %v, want %d", got.status, got.header, status)
		}
		mustHave(t, got, append(texts, `role="alert"`, "!evil", "!<script")...)
	}
	f(400, call(t, at, "GET", "/opt-out", ""), "“site” is missing", "!<button>")
	f(400, call(t, at, "GET", "/opt-out?site=", "", "Accept-Language", "de"), "„site“ fehlt", `<html lang="de">`)
	f(404, call(t, at, "GET", "/opt-out?site=evil.example", ""), "“site” names no site", "!<button>")
	f(404, call(t, at, "GET", "/opt-out?site=%3Cscript%3Eevil", ""), "“site” names no site")
	for _, back := range []string{"https://evil.example/", "//evil.example", "javascript:evil()", `https://shop.example\@evil.example`, "x", "%00", `"><script>evil`} {
		f(400, call(t, at, "GET", shopPage+"&back="+url.QueryEscape(back), ""), "“back” is not an address of shop.example", "on shop.example and on hosts below it", "<button>", `!name="back"`, `href="http://shop.example/"`)
	}
	f(400, post(t, at, "choice=out"), "“site” is missing")
	f(404, post(t, at, "site=evil.example&choice=out"), "“site” names no site")
	for _, choice := range []string{"", "&choice=", "&choice=Out", "&choice=evil", "&choice=out%00", "&choice=outin"} {
		f(400, post(t, at, "site=shop.example"+choice), "“choice” must be out or in", "<button>")
	}
	f(413, post(t, at, "site=shop.example&choice=out&x="+strings.Repeat("x", 8<<10)), "could not be read")
	f(415, post(t, at, "site=shop.example&choice=out", "Content-Encoding", "gzip"), "could not be read")
	for _, kind := range []string{"", "text/plain", "application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencodedx"} {
		f(415, follow(t, at, "POST", shopPage, "site=shop.example&choice=out", "Content-Type", kind, "Sec-Fetch-Site", "same-origin"), "could not be read", "<button>")
	}
}

// The click: a cookie that is the same for everybody, and the way back with a fragment.
func TestOptOut_click(t *testing.T) {
	known := sites(t)
	plain := (&fixture{sites: known}).serve(t)
	proxied := behindTLS(t)
	proxied.sites = known
	secure := proxied.serve(t)
	untrusting := (&fixture{sites: known}).serve(t)
	const lax, none = "; SameSite=Lax", "; SameSite=None; Secure"
	f := func(at, form, cookie, location string, headers ...string) {
		t.Helper()
		got := post(t, at, form, headers...)
		want := map[string]string{"Set-Cookie": cookie, "Location": location, "Referrer-Policy": "origin", "Cache-Control": "no-store"}
		for name, value := range want {
			if is := strings.Join(got.header.Values(name), "|"); is != value {
				t.Errorf("%s %v: %s: %q, want %q", form, headers, name, is, value)
			}
		}
		if got.status != 303 {
			t.Errorf("%s: %d", form, got.status)
		}
	}
	const life, end = "daysalt_optout=1; Path=/; Max-Age=34560000", "daysalt_optout=; Path=/; Max-Age=0"
	const shop = "site=shop.example&choice="
	f(plain, shop+"out", life+lax, "http://shop.example/#daysalt-opt-out")
	f(plain, shop+"in", end+lax, "http://shop.example/#daysalt-opt-in")
	f(plain, "site=www.SHOP.example&choice=out&back=", life+lax, "http://shop.example/#daysalt-opt-out")
	f(plain, shop+"out&back=https://www.shop.example:8443/a?b%23c", life+lax, "https://www.shop.example:8443/a?b#daysalt-opt-out")
	f(plain, shop+"in&back=https://shop.example/%23daysalt-opt-out", end+lax, "https://shop.example/#daysalt-opt-in")
	f(plain, shop+"out&back=https%3A%2F%2Fshop.example%2F%C3%BC", life+lax, "https://shop.example/%C3%BC#daysalt-opt-out")
	for _, back := range []string{"https://evil.example/", "//evil.example/", "https:evil.example", `https://shop.example\@evil.example`, "javascript:alert(1)", "https://shop.example/\r\nX: y", "https://shop.example@evil.example"} {
		f(plain, shop+"out&back="+url.QueryEscape(back), life+lax, "http://shop.example/#daysalt-opt-out")
		f(plain, shop+"out&back="+url.QueryEscape(back), life+lax, "http://shop.example/#daysalt-opt-out", "Sec-Fetch-Dest", "iframe")
	}
	f(plain, shop+"out", life+lax, "?choice=out&site=shop.example", "Sec-Fetch-Dest", "iframe")
	f(plain, shop+"in", end+lax, "?choice=in&site=shop.example", "Sec-Fetch-Dest", "frame")
	f(plain, shop+"out", life+lax, "http://shop.example/#daysalt-opt-out", "Sec-Fetch-Dest", "document")
	f(plain, shop+"out&back=https://shop.example/x", life+lax, "https://shop.example/x#daysalt-opt-out", "Sec-Fetch-Dest", "iframe")

	f(secure, shop+"out", life+none, "https://shop.example/#daysalt-opt-out", "X-Forwarded-Proto", "https")
	f(secure, shop+"in&back=http://shop.example/", end+none, "http://shop.example/#daysalt-opt-in", "X-Forwarded-Proto", "HTTPS")
	for _, proto := range []string{"", "http", "httpsx", "https, http", "http, https", "https,https"} {
		f(secure, shop+"out", life+lax, "http://shop.example/#daysalt-opt-out", "X-Forwarded-Proto", proto)
	}
	f(secure, shop+"out", life+lax, "http://shop.example/#daysalt-opt-out", "X-Forwarded-Proto", "https", "X-Forwarded-Proto", "https")
	f(untrusting, shop+"out", life+lax, "http://shop.example/#daysalt-opt-out", "X-Forwarded-Proto", "https")
}

// No other site can make the choice, in neither direction.
func TestOptOut_forged(t *testing.T) {
	known := sites(t)
	plain := (&fixture{sites: known}).serve(t)
	proxied := behindTLS(t)
	proxied.sites = known
	secure := proxied.serve(t)
	f := func(at string, honoured bool, headers ...string) {
		t.Helper()
		for _, choice := range []string{"out", "in"} {
			got := follow(t, at, "POST", shopPage, "site=shop.example&choice="+choice, append(headers, "Host", "Stats.example.com:8000", "Content-Type", "application/x-www-form-urlencoded")...)
			want := 403
			if honoured {
				want = 303
			}
			if got.status != want || (len(got.header.Values("Set-Cookie")) == 1) != honoured {
				t.Errorf("%v: %d %v, want %d", headers, got.status, got.header, want)
			}
			if !honoured {
				mustHave(t, got, "nothing was changed", "<button>")
			}
		}
	}
	const fetch, own = "Sec-Fetch-Site", "http://stats.example.com:8000"
	f(plain, true, fetch, "same-origin")
	f(plain, true, fetch, "same-origin", "Origin", "null")
	for _, from := range []string{"cross-site", "same-site", "none", "Same-Origin", "same-origin, cross-site", "x"} {
		f(plain, false, fetch, from)
		f(plain, false, fetch, from, "Origin", own)
	}
	f(plain, true, "Origin", own)
	f(plain, false)
	for _, origin := range []string{"", "null", "ftp://stats.example.com:8000", "http://stats.example.com", "http://stats.example.com:80001", "http://evil.example", own + "/", own + ".evil.example", "http://evil.stats.example.com:8000", "//stats.example.com:8000", "stats.example.com:8000", "http://u@stats.example.com:8000"} {
		f(plain, false, "Origin", origin)
	}
	f(plain, false, "Referer", own+"/opt-out")
	f(plain, true, "Origin", "https://stats.example.com:8000")
	f(plain, true, "Origin", "https://stats.example.com:8000", "X-Forwarded-Proto", "https")
	f(secure, true, "Origin", "https://stats.example.com:8000", "X-Forwarded-Proto", "https")
	f(secure, false, "Origin", own, "X-Forwarded-Proto", "https")
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		got := follow(t, plain, method, shopPage+"&choice=out", "site=shop.example&choice=out", "Content-Type", "application/x-www-form-urlencoded", fetch, "same-origin")
		if len(got.header.Values("Set-Cookie")) != 0 || got.status == http.StatusSeeOther {
			t.Errorf("%s: %d %v", method, got.status, got.header)
		}
	}
}

// The scripts that sites load may be loaded from anywhere.
func TestScripts(t *testing.T) {
	at := (&fixture{config: web.Config{Tracker: []byte("tracker()"), OptOut: []byte("optOut()")}}).serve(t)
	tags := map[string]bool{}
	for path, want := range map[string]string{"/js/d.js": "tracker()", "/js/opt-out.js": "optOut()"} {
		got := call(t, at, "GET", path, "", "Host", "stats.example.com")
		if got.status != 200 || got.body != want || got.header.Get("Content-Type") != "text/javascript; charset=utf-8" || got.header.Get("Access-Control-Allow-Origin") != "*" ||
			got.header.Get("Cross-Origin-Resource-Policy") != "cross-origin" || got.header.Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("%s: %+v", path, got)
		}
		tag := got.header.Get("ETag")
		if again := call(t, at, "GET", path, "", "If-None-Match", tag); tag == "" || again.status != 304 {
			t.Errorf("%s with %q: %d", path, tag, again.status)
		}
		tags[tag] = true
	}
	if len(tags) != 2 {
		t.Errorf("%v", tags)
	}
}
