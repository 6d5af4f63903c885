package ingest

import (
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/site"
)

// Every malformed body names the wrong field, in the words that the answer will carry.
func TestDecode_bad(t *testing.T) {
	f := func(body string, want ...string) {
		t.Helper()
		var p payload
		err := p.decode([]byte(body), false)
		if err == nil {
			t.Errorf("%.80q was accepted", body)
			return
		}
		var got []string
		bad, ok := errors.AsType[*BadEvent](err)
		if !ok {
			t.Errorf("%.80q: %v", body, err)
			return
		}
		for _, e := range bad.Fields {
			got = append(got, e.Field)
		}
		if !cmp.Equal(got, want) {
			t.Errorf("%.80q: wrong fields %v, want %v", body, got, want)
		}
	}
	const good = `"n":"pageview","u":"https://a.example/"`
	for _, body := range []string{
		``, ` `, `null`, `1`, `"x"`, `[]`, `{`, `{}}`, `{} {}`, `{"n"}`, `{"n":}`, `{n:1}`, `{"n":"a",}`, `{"n":01}`, `{"n":1.}`, `{"n":+1}`, `{"n":nul}`,
		`{"n":"\x"}`, `{"n":"\u12"}`, "{\"n\":\"\xff\"}", "{\"n\":\"a\nb\"}", "{\"\xff\":1}", "\x00", `{"n":"` + "\x00" + `"}`,
		`{"a":` + strings.Repeat("[", 100_000), `{"a":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `}`,
		"{" + strings.Repeat(`"a":1,`, 64) + `"a":1}`,
	} {
		f(body, "request")
	}
	f(`{}`, "name", "url")
	f(`{"n":"pageview"}`, "url")
	f(`{"u":"https://a.example/"}`, "name")
	f(`{"n":"","u":""}`, "name", "url")
	f(`{"n":true,"u":1}`, "name", "url")
	f(`{"n":1.5,"u":"https://a.example/"}`, "name")
	f(`{"n":["pageview"],"u":{}}`, "name", "url")
	f(`{`+good+`,"d":1}`, "domain")
	f(`{`+good+`,"d":""}`, "domain")
	f(`{`+good+`,"d":" , "}`, "domain")
	f(`{`+good+`,"d":"a\u0000b"}`, "domain")
	f(`{`+good+`,"d":"a`+"\x7f"+`b"}`, "domain")
	f(`{`+good+`,"d":"abcdefgh`+"\x7f"+`ijklmnopq"}`, "domain")
	f(`{"n":"page`+"\x7f"+`view","u":"https://a.example/`+"\x7f"+`"}`, "name", "url")
	f(`{`+good+`,"d":"a,b,c,d,e,f,g,h,i,j,k"}`, "domain")
	f(`{`+good+`,"r":5}`, "referrer")
	f(`{`+good+`,"r":"https://x.example/\u0000"}`, "referrer")
	f(`{`+good+`,"i":"no"}`, "interactive")
	f(`{`+good+`,"h":"yes"}`, "hashMode")
	f(`{`+good+`,"sd":"50"}`, "scrollDepth")
	f(`{`+good+`,"sd":1e999}`, "scrollDepth")
	f(`{`+good+`,"e":"50"}`, "engagementTime")
	f(`{`+good+`,"name":"again"}`, "name")
	f(`{"n":"engagement","u":"https://a.example/"}`, "engagementTime")
	f(`{"n":"a\u0000","u":"https://a.example/\u0000"}`, "name", "url")
	f(`{"n":"`+strings.Repeat("a", 121)+`","u":"https://a.example/"}`, "name")
	f(`{"n":"a","u":"https://a.example/`+strings.Repeat("a", 2000)+`"}`, "url")
	f(`{`+good+`,"p":{"`+strings.Repeat("k", 301)+`":1}}`, "props")
	f(`{`+good+`,"p":{"k":"`+strings.Repeat("v", 2001)+`"}}`, "props")
	f(`{`+good+`,"p":{"k":"a\u0000b"}}`, "props")
}

func TestDecode_spellings(t *testing.T) {
	f := func(body string) {
		t.Helper()
		var p payload
		if err := p.decode([]byte(body), false); err != nil {
			t.Errorf("%s: %v", body, err)
			return
		}
		if p.name != "Sign \"up\" ✓" || p.url != "https://a.example/x" || p.domain != "a.example" || p.referrer != "https://r.example" ||
			!p.interactive || p.props != 3 || p.keys[0] != "plan" || p.values[0] != "pro" || p.values[1] != "12.5" || p.values[2] != "true" {
			t.Errorf("%s: %+v", body, p)
		}
	}
	f(`{"n":"Sign \"up\" \u2713","u":"https://a.example/x","d":"a.example","r":"https:\/\/r.example","p":{"plan":"pro","price":12.5,"new":true,"gone":null,"list":[1],"blank":" "}}`)
	f(`{"name":"Sign \"up\" ✓","url":"https://a.example/x","domain":"a.example","referrer":"https://r.example","props":"{\"plan\":\"pro\",\"price\":12.5,\"new\":true}"}`)
	f(` { "m" : {"plan":"pro","price":12.5,"new":true}, "u":"https://a.example/x", "d":"a.example", "v":36, "w":1200, "$":{"amount":1}, "r":"https://r.example", "n":"Sign \"up\" ✓" } `)
}

func TestDecode_lenient(t *testing.T) {
	var p payload
	if err := p.decode([]byte(`{"n":404,"u":"https://a.example/","p":5,"r":null,"e":1e12,"sd":140}`), false); err != nil {
		t.Fatal(err)
	}
	if p.name != "404" || p.props != 0 || p.engagedMS != 0 || !p.hasEngaged || p.scroll != 100 {
		t.Errorf("%+v", p)
	}
	if err := p.decode([]byte(`{"n":"a","u":"https://a.example/","p":"no json"}`), false); err != nil || p.props != 0 {
		t.Errorf("props that are no JSON must be ignored: %v", err)
	}
	many := `{"n":"a","u":"https://a.example/","p":{` + strings.Repeat(`"k":1,`, 39) + `"k":1}}`
	if err := p.decode([]byte(many), false); err != nil || p.props != maxProps {
		t.Errorf("%d properties kept, error %v", p.props, err)
	}
	if err := p.decode([]byte(`{"n":"\ud83d\ude00 \ud83d x","u":"https://a.example/"}`), false); err != nil || p.name != "😀 \ufffd x" {
		t.Errorf("surrogates: %q, %v", p.name, err)
	}
}

func TestDecode_allocatesNothing(t *testing.T) {
	body := []byte(`{"n":"pageview","u":"https://www.example.com/a%20b?utm_source=news&x=1","d":"example.com","r":"https://www.google.com/","p":{"plan":"pro","n":3}}`)
	w := new(work)
	run := func() {
		if err := w.payload.decode(body, false); err != nil {
			t.Fatal(err)
		}
		_, w.scratch, _ = parsePage(w.payload.url, false, w.scratch[:0])
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations for a warm event", n)
	}
}

func TestParsePage(t *testing.T) {
	f := func(url string, want page) {
		t.Helper()
		got, _, err := parsePage(url, false, nil)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", url, got, err, want)
		}
	}
	f("https://www.Example.com", page{host: "example.com", path: "/"})
	f("https://user:secret@example.com:8443/a/b?secret=1#frag", page{host: "example.com", path: "/a/b"})
	f("https://example.com/a%20b%2Fc  ", page{host: "example.com", path: "/a b/c"})
	f("https://example.com/%zz%", page{host: "example.com", path: "/%zz%"})
	f("https://example.com/%ff%00%0a", page{host: "example.com", path: "/\ufffd\ufffd\ufffd"})
	f("https://[2001:DB8::1]:80/x", page{host: "[2001:db8::1]", path: "/x"})
	f("http://192.0.2.1/x", page{host: "192.0.2.1", path: "/x"})
	f("example.com/x", page{host: "(none)", path: "/example.com/x"})
	f("/x", page{host: "(none)", path: "/x"})
	f("file:///home/me/x.html", page{host: "(none)", path: "/home/me/x.html"})
	f("chrome-extension://abcdef/x", page{host: "abcdef", path: "/x"})
	f("https://example.com?utm_source=a", page{host: "example.com", path: "/", utmSource: "a"})
	f("https://example.com/?utm_source=News+Letter&utm_medium=e%2Dmail&utm_campaign=%20x%20&utm_content=c&utm_term=t&source=s&ref=r&gclid=SECRET&email=a@b.example",
		page{host: "example.com", path: "/", utmSource: "News Letter", utmMedium: "e-mail", utmCampaign: "x", utmContent: "c", utmTerm: "t", source: "s", ref: "r", clickID: "gclid"})
	f("https://example.com/?utm_source=first&utm_source=second&utm_medium=&utm_medium=m", page{host: "example.com", path: "/", utmSource: "first", utmMedium: "m"})
	if _, _, err := parsePage("data:text/html,x", false, nil); err == nil {
		t.Error("a data: URL was accepted")
	}
	if got, _, _ := parsePage("https://example.com/app?x=1#/settings?token=secret", true, nil); got.path != "/app#/settings" {
		t.Errorf("hash mode: %q", got.path)
	}
}

func TestLanguage(t *testing.T) {
	for header, want := range map[string]string{
		"de-DE,de;q=0.9,en;q=0.8": "de", "en": "en", "fil;q=1": "", "zz": "", "": "", "*": "", "x": "", "Zq7Marker/3.1": "", "german": "", "fr , en": "fr",
	} {
		if got := newLanguages().first(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

// Whatever bytes come: no panic, what decodes is JSON for the standard library too, and all text that goes on is valid UTF-8 without NUL.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{"n":"pageview","u":"https://a.example/","d":"a.example","r":"https://b.example/x?y=1"}`,
		`{"name":"x","url":"https://a.example/%00?utm_source=%ff+b","props":{"a":"b","c":1.5e3},"i":false,"h":1}`,
		`{"n":"engagement","u":"https://a.example/","e":1000,"sd":50,"p":"{\"a\":\"\\u0000\"}"}`,
		`{"n":"\ud83d\ude00","u":"//x","m":{"k":{"deep":[[[]]]}}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := new(work)
		if err := w.payload.decode(body, false); err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatalf("accepted what is no JSON: %q", body)
		}
		for _, hash := range []bool{false, true} {
			pg, _, err := parsePage(w.payload.url, hash, nil)
			if err != nil {
				continue
			}
			texts := append([]string{pg.host, pg.path, pg.utmSource, pg.utmMedium, pg.utmCampaign, pg.utmContent, pg.utmTerm, pg.source, pg.ref, pg.clickID, w.payload.name, w.payload.referrer}, w.payload.keys[:w.payload.props]...)
			for _, s := range append(texts, w.payload.values[:w.payload.props]...) {
				if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
					t.Fatalf("%q came out of %q", s, body)
				}
			}
			if !strings.HasPrefix(pg.path, "/") || pg.host == "" {
				t.Fatalf("page %+v of %q", pg, body)
			}
		}
	})
}

// parsePage reads an address into a page of its own.
func parsePage(url string, hash bool, scratch []byte) (page, []byte, error) {
	var p page
	scratch, err := p.parse(url, hash, scratch)
	return p, scratch, err
}

// What is used again holds nothing of the hit before, whatever it was.
func TestWork_release(t *testing.T) {
	for _, body := range []string{
		`{"n":"Order","u":"https://www.example.com/a%20b?utm_source=news&ref=x&gclid=1","d":"example.com","r":"https://t.co/x","p":{"plan":"pro","price":12.5,"own":true}}`,
		`{"n":"404","u":"https://example.com/","d":"example.com","p":{"a":"b"}}`,
		`{"n":"Order","u":"https://example.com/","d":"example.com","p":"{\"a\":\"b\",\"c\":["}`,
		`{"n":"Order","u":"https://example.com/","d":"example.com","p":{"a":"b","c":`,
		`{"n":1.5,"u":"https://example.com/"}`,
	} {
		var w work
		if w.payload.decode([]byte(body), false) == nil {
			if err := w.readPage(); err != nil {
				t.Fatal(err)
			}
			w.own.of(&Hit{Address: netip.MustParseAddr("2001:db8::aB"), Agent: "Mozilla/5.0"})
			w.event.Name = w.payload.name
			w.fillProps(&site.Site{})
		}
		w.release()
		w.scratch, w.frame, w.payload.scan.scratch = nil, nil, nil // bytes that the next one writes over
		if !reflect.ValueOf(w).IsZero() {
			t.Errorf("%s: %+v", body, w)
		}
	}
}
