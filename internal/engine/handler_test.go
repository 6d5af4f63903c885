package engine_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// do sends one request to the shared engine's handler.
func do(t *testing.T, method string, query url.Values, body io.Reader) (status int, answer string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, local+"/?"+query.Encode(), body)
	w := httptest.NewRecorder()
	shared.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// post runs a query that must succeed.
func post(t *testing.T, sql string, query url.Values, format string) string {
	t.Helper()
	values := url.Values{"default_format": {format}}
	for name, v := range query {
		values[name] = v
	}
	status, answer := do(t, http.MethodPost, values, strings.NewReader(sql))
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", sql, status, answer)
	}
	return answer
}

func TestHandler_answers(t *testing.T) {
	f := func(name, method, target, body, wantBody string, wantStatus int, wantHeader ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), method, local+target, strings.NewReader(body))
			w := httptest.NewRecorder()
			shared.ServeHTTP(w, r)
			if w.Code != wantStatus || !strings.Contains(w.Body.String(), wantBody) || wantBody == "" && w.Body.Len() > 0 {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, wantStatus, wantBody)
			}
			for i := 0; i < len(wantHeader); i += 2 {
				if got := w.Header().Get(wantHeader[i]); got != wantHeader[i+1] {
					t.Errorf("%s = %q, want %q", wantHeader[i], got, wantHeader[i+1])
				}
			}
		})
	}
	q := url.QueryEscape
	f("ping", "GET", "/ping", "", "Ok.\n", 200)
	f("root", "GET", "/", "", "Ok.\n", 200)
	f("head", "HEAD", "/", "", "", 200)
	f("nothing there", "GET", "/play", "", "There is nothing here", 404)
	f("query in the URL", "GET", "/?query="+q("SELECT 1, 'x'"), "", "1\tx\n", 200, "X-ClickHouse-Format", "TabSeparated")
	f("query in the body", "POST", "/", "SELECT 1", "1\n", 200)
	f("query in both", "POST", "/?query="+q("SELECT 1,"), "2", "1\t2\n", 200)
	f("format named", "POST", "/", "SELECT 1 AS x FORMAT JSONEachRow", `{"x":1}`, 200, "X-ClickHouse-Format", "JSONEachRow")
	f("format by default_format", "POST", "/?default_format=CSV", "SELECT 'x'", "\"x\"\n", 200, "Content-Type", "text/csv; charset=UTF-8")
	f("parameter", "POST", "/?param_a="+q(`it's \\ \n`), "SELECT {a:String}", `it\'s \\ \n`, 200)
	f("setting", "POST", "/?max_block_size=5", "SELECT getSetting('max_block_size')", "5\n", 200)
	f("unknown setting", "POST", "/?no_such=5", "SELECT 1", "Code: 115. DB::Exception", 400, "X-ClickHouse-Exception-Code", "115")
	f("setting that is no name", "POST", "/?"+q("a = 1; DROP TABLE x; SET b")+"=5", "SELECT 1", "Code: 115. DB::Exception", 400)
	f("query id", "POST", "/?query_id=abc", "SELECT 1", "1\n", 200, "X-ClickHouse-Query-Id", "abc")
	f("database", "POST", "/?database=system", "SELECT currentDatabase()", "system\n", 200)
	f("unknown database", "POST", "/?database=no", "SELECT 1", "Code: 81.", 404)
	f("syntax", "POST", "/", "SELEC 1", "Code: 62. DB::Exception", 400, "X-ClickHouse-Exception-Code", "62")
	f("unknown table", "POST", "/", "SELECT * FROM no", "(UNKNOWN_TABLE)", 404, "X-ClickHouse-Exception-Code", "60")
	f("GET does not write", "GET", "/?query="+q("CREATE TABLE no (a UInt8) ENGINE = Memory"), "", "(READONLY)", 500, "X-ClickHouse-Exception-Code", "164")
	f("readonly", "POST", "/?readonly=1", "CREATE TABLE no (a UInt8) ENGINE = Memory", "Code: 164.", 500)
	f("time limit", "POST", "/?max_execution_time=1", "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1", "Code: 159.", 500)
	f("compression", "POST", "/?compress=1", "SELECT 1", "set compression to none", 501)
	f("into outfile", "POST", "/", "SELECT 1 INTO OUTFILE '/tmp/daysalt-outfile'", "not for this interface", 501)
	f("from infile", "POST", "/", "INSERT INTO no FROM INFILE '/etc/passwd' FORMAT LineAsString", "not for this interface", 501)
	f("session", "POST", "/?session_id=1", "SELECT 1", "keeps no sessions", 501)
}

func TestHandler_exceptionsReachTheDriver(t *testing.T) {
	for way, conn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			f := func(sql string, want int32) {
				t.Helper()
				if err := conn.Exec(t.Context(), sql); code(err) != want {
					t.Errorf("%s: want code %d, got %v", sql, want, err)
				}
				rows, err := conn.Query(t.Context(), sql)
				if err == nil {
					check(t, rows.Close())
				}
				if code(err) != want {
					t.Errorf("%s as a query: want code %d, got %v", sql, want, err)
				}
			}
			f("SELECT * FROM nowhere", 60)
			f("SELEC", 62)
			f("SELECT 'x' + 1", 43)
			f("SELECT nocolumn", 47)
			f("SELECT {a:UInt8}", 456)
			f("SELECT toUInt8('x')", 6)
			f("SELECT 1 SETTINGS no_such = 1", 115)
			if err := conn.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
