package engine_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// local is where tests send requests; the port does not matter.
const local = "http://127.0.0.1:8123"

func TestGuard_refusesWebPages(t *testing.T) {
	f := func(name string, want int, change func(r *http.Request)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			for target, method := range map[string]string{"/?query=SELECT+41%2B1": http.MethodGet, "/?query=SELECT": http.MethodPost, "/ping": http.MethodGet} {
				r := httptest.NewRequestWithContext(t.Context(), method, local+target, strings.NewReader(map[bool]string{true: " 41+1"}[method == http.MethodPost]))
				change(r)
				w := httptest.NewRecorder()
				shared.ServeHTTP(w, r)
				if body := w.Body.String(); w.Code != want || want == http.StatusForbidden && (strings.Contains(body, "42") || strings.Contains(body, "Ok")) {
					t.Errorf("%s %s: %d %q, want %d", method, target, w.Code, body, want)
				}
			}
		})
	}
	host := func(host string, want int) {
		t.Helper()
		f("host "+host, want, func(r *http.Request) { r.Host = host })
	}
	header := func(name, value string, want int) {
		t.Helper()
		f(name+" "+value, want, func(r *http.Request) { r.Header.Add(name, value) })
	}
	f("plain client", 200, func(*http.Request) {})
	for _, h := range []string{"localhost", "localhost:8123", "LocalHost:1", "a.localhost", "a.b.localhost:8123", "127.0.0.1", "127.255.3.4:8123", "[::1]", "[::1]:8123", "::1"} {
		host(h, 200)
	}
	for _, h := range []string{
		"", ":8123", "example.com", "example.com:8123", "localhost.example.com", "127.0.0.1.example.com:8123", "notlocalhost", ".localhost.example.com", "128.0.0.1", "0.0.0.0:8123",
		"192.168.1.5:8123", "[2001:db8::1]:8123", "[::]", "engine",
	} {
		host(h, 403)
	}
	header("Sec-Fetch-Site", "none", 200) // Somebody typed the address.
	for _, site := range []string{"cross-site", "same-site", "same-origin", "", "None"} {
		header("Sec-Fetch-Site", site, 403)
	}
	f("two of Sec-Fetch-Site", 403, func(r *http.Request) { r.Header["Sec-Fetch-Site"] = []string{"none", "cross-site"} })
	header("Origin", "https://example.com", 403)
	header("Origin", "null", 403)
	header("Origin", local, 403)
}

// What an image on a page can ask for changes nothing, even if the browser says nothing about the page.
func TestGuard_getOnlyReads(t *testing.T) {
	conn := open(t, shared)
	kept := table(t, conn, "(a UInt8) ENGINE = MergeTree ORDER BY a")
	must(t, conn, "INSERT INTO "+kept+" VALUES (7)")
	f := func(parameters, sql string) {
		t.Helper()
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := httptest.NewRequestWithContext(t.Context(), method, local+"/?"+parameters+"&query="+url.QueryEscape(sql), http.NoBody)
			w := httptest.NewRecorder()
			shared.ServeHTTP(w, r)
			if got := w.Header().Get("X-ClickHouse-Exception-Code"); w.Code != 500 || got != "164" { // READONLY
				t.Errorf("%s %s %s: %d, code %q %s", method, parameters, sql, w.Code, got, w.Body)
			}
			if n := number(t, conn, "SELECT count() FROM "+kept); n != 1 {
				t.Fatalf("%s %s %s: the table has %d rows, want 1", method, parameters, sql, n)
			}
			if n := number(t, conn, "SELECT count() FROM system.tables WHERE name = 'guard_new'"); n != 0 {
				t.Errorf("%s %s %s: a table was made", method, parameters, sql)
				must(t, conn, "DROP TABLE guard_new")
			}
		}
	}
	const create = "CREATE TABLE guard_new (a UInt8) ENGINE = Memory"
	for _, parameters := range []string{
		"", "readonly=", "readonly=0", "readonly=00", "readonly=%2B0", "readonly=false", "readonly=0.0", "readonly=1", "readonly=2", "readonly=1&readonly=0", "readonly=0&readonly=2",
		"%72eadonly=0", "profile=default&readonly=0", "readonly=0&database=default",
	} {
		f(parameters, create)
	}
	f("readonly=0", "DROP TABLE "+kept)
	f("readonly=0", "TRUNCATE TABLE "+kept)
	f("readonly=0", "INSERT INTO "+kept+" VALUES (8)")
	f("readonly=0", "INSERT INTO "+kept+" SETTINGS readonly = 0 VALUES (8)")
	f("readonly=0", "INSERT INTO "+kept+" SELECT 8 SETTINGS readonly = 0")
	f("readonly=0", "SELECT 1 SETTINGS readonly = 0")

	// Reading goes on, with settings.
	for asked, want := range map[string]string{"": "2", "readonly=": "2", "readonly=0": "2", "readonly=1": "1", "readonly=2": "2", "readonly=1&readonly=0": "2", "readonly=0&readonly=1": "1"} {
		query, err := url.ParseQuery(asked)
		check(t, err)
		query.Set("query", "SELECT getSetting('readonly')")
		if status, answer := do(t, http.MethodGet, query, http.NoBody); status != http.StatusOK || answer != want+"\n" {
			t.Errorf("%q: %d %q, want readonly %s", asked, status, answer, want)
		}
	}
	if status, answer := do(t, http.MethodGet, url.Values{"query": {"SELECT a, getSetting('max_block_size') FROM " + kept}, "max_block_size": {"5"}, "readonly": {"0"}}, http.NoBody); status != http.StatusOK || answer != "7\t5\n" {
		t.Errorf("%d %q", status, answer)
	}
}

// The rules are for a port: in the process nobody but this program asks.
func TestGuard_isNotForTheProcess(t *testing.T) {
	conn := open(t, shared)
	name := table(t, conn, "(a UInt8) ENGINE = Memory")
	target := "http://engine/?readonly=0&query=" + url.QueryEscape("INSERT INTO "+name+" VALUES (1)")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "https://example.com")
	answer, err := shared.RoundTripper().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	check(t, answer.Body.Close())
	if n := number(t, conn, "SELECT count() FROM "+name); answer.StatusCode != http.StatusOK || n != 1 {
		t.Errorf("status %d, %d rows", answer.StatusCode, n)
	}
}

// An ordinary client writes through a socket, with the driver and without.
func TestGuard_postWrites(t *testing.T) {
	conn := openOverHTTP(t)
	name := table(t, conn, deduplicating)
	if err := send(t.Context(), conn, name, "batch", 0, 10); err != nil {
		t.Fatal(err)
	}
	must(t, conn, "INSERT INTO "+name+" VALUES (10, 'x')")
	server := httptest.NewServer(shared)
	defer server.Close()
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	for host, row := range map[string]string{"127.0.0.1:" + port: "(11, 'y')", "localhost:" + port: "(12, 'z')"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/?readonly=0", strings.NewReader("INSERT INTO "+name+" VALUES "+row))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		check(t, answer.Body.Close())
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", host, answer.StatusCode)
		}
	}
	if n := number(t, conn, "SELECT count() FROM "+name); n != 13 {
		t.Errorf("%d rows, want 13", n)
	}
}
