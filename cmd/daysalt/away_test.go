package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A server starts while its database is away, takes events, and stores them when the database is there.
func TestAway_start(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	p := start(t, nil, "serve", "--data-dir", t.TempDir(), "--clickhouse-dsn", "http://"+address, "--web-listen", "127.0.0.1:0", "--admin-listen=", "--web-demo")
	p.base = p.await(`dashboard  (http://\S+)/\n`)
	p.awaitLog("the database does not answer yet")
	p.post(demo, "/early")
	if _, err := p.pages(demo); err == nil {
		t.Error("a question was answered without a database")
	}
	database := startEngine(t, t.TempDir(), address)
	if got := p.awaitPage(demo, "/early"); got["/early"] > 1 || len(got) > 1 {
		t.Errorf("pages %v", got)
	}
	for _, one := range []*process{p, database} {
		if code := one.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}

// A database that answers and refuses is a wrong setting: the server says so instead of waiting.
func TestAway_refused(t *testing.T) {
	t.Parallel()
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Clickhouse-Exception-Code", "516")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "Code: 516. DB::Exception: daysalt: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED) (version 26.7)\n")
	}))
	defer refuses.Close()
	dsn := "http://daysalt:wrong-password@" + strings.TrimPrefix(refuses.URL, "http://") + "/daysalt"
	for _, command := range []string{"serve", "migrate"} {
		code, _, stderr := daysalt(t, command, "--data-dir", t.TempDir(), "--clickhouse-dsn", dsn)
		if code != 1 || !strings.Contains(stderr, "ClickHouse refuses") || strings.Contains(stderr, "wrong-password") {
			t.Errorf("%s: exit code %d, %s", command, code, stderr)
		}
	}
	for _, scheme := range []string{"http", "clickhouse"} {
		code, _, stderr := daysalt(t, "migrate", "--data-dir", t.TempDir(), "--clickhouse-dsn", scheme+"://user:wrong-password@"+freeAddress(t))
		if code != 1 || !strings.Contains(stderr, "does not answer") || strings.Contains(stderr, "wrong-password") {
			t.Errorf("%s: exit code %d, %s", scheme, code, stderr)
		}
	}
}
