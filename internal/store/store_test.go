package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/testkit"
)

// open returns a migrated store on an engine of its own.
func open(tb testing.TB) *store.Store {
	tb.Helper()
	return openOn(tb, testkit.Engine(tb).RoundTripper())
}

func openOn(tb testing.TB, transport http.RoundTripper) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), store.Config{Transport: transport})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := s.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// ask returns an answer's only column, as text.
func ask(tb testing.TB, s *store.Store, query string, params map[string]string) []string {
	tb.Helper()
	values := []string{}
	err := s.Select(tb.Context(), query, params, func(scan func(dest ...any) error) error {
		var v string
		err := scan(&v)
		values = append(values, v)
		return err
	})
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return values
}

func TestMigrate_twice(t *testing.T) {
	s := open(t)
	const tables = "SELECT name || create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name"
	before := ask(t, s, tables, nil)
	if err := s.Insert(t.Context(), "token", []event.Row{fullRow()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := ask(t, s, tables, nil); !cmp.Equal(before, after) {
		t.Errorf("a second migration changed something:\n%s", cmp.Diff(before, after))
	}
	if got := ask(t, s, "SELECT toString(count()) FROM events", nil); got[0] != "1" {
		t.Errorf("%s rows after a second migration", got)
	}
}

// fullRow has another value in every field.
func fullRow() event.Row {
	return event.Row{
		Event: event.Event{
			SiteID: 7, Day: 20779, Time: 1795348800, Visitor: 0x8123456789abcdef, Kind: event.Custom, Interactive: true, Name: "Order \"now\"", Hostname: "shop.example", Path: "/it's\\here",
			Source: "Söurce", Channel: "Referral", Referrer: "ref.example/x", ClickID: "gclid", UTMSource: "utm source", UTMMedium: "utm medium", UTMCampaign: "utm\tcampaign",
			UTMContent: "utm\ncontent", UTMTerm: "utm term 😀", Country: "DE", Region: "DE-BE", City: 2950159, Browser: "Firefox", BrowserVersion: "133.0", OS: "Linux", OSVersion: "6.1", Device: "Desktop",
			Screen: "large", Language: "de", PropKeys: []string{"plan", "it's"}, PropValues: []string{"pro", "a\\b"}, Scroll: 65, EngagedMS: 4200, Amount: -1999, Currency: "EUR", RetentionDays: 3650,
		},
		Origin: 513, VisitStart: 1795348700, Seq: 3, EntryHost: "www.entry.example", EntryPage: "/entry",
	}
}

// fullText is what fullRow's columns read.
func fullText() map[string]string {
	return map[string]string{
		"site_id": "7", "day": "2026-11-22", "visitor": "9305357566071262703", "visit_start": "2026-11-22 11:58:20", "seq": "3", "ts": "2026-11-22 12:00:00", "kind": "custom", "interactive": "1",
		"name": "Order \"now\"", "hostname": "shop.example", "path": "/it's\\here", "entry_host": "www.entry.example", "entry_page": "/entry",
		"source": "Söurce", "channel": "Referral", "referrer": "ref.example/x", "click_id": "gclid",
		"utm_source": "utm source", "utm_medium": "utm medium", "utm_campaign": "utm\tcampaign", "utm_content": "utm\ncontent", "utm_term": "utm term 😀",
		"country": "DE", "region": "DE-BE", "city": "2950159", "browser": "Firefox", "browser_version": "133.0", "os": "Linux", "os_version": "6.1", "device": "Desktop", "screen": "large", "language": "de",
		"prop_keys": `['plan','it\'s']`, "prop_values": `['pro','a\\b']`, "scroll": "65", "engaged_ms": "4200", "amount": "-1999", "currency": "EUR", "retention_days": "3650",
		"origin": "513",
	}
}

// emptyText is what the columns of a row without anything read.
func emptyText() map[string]string {
	all := fullText()
	for name := range all {
		all[name] = ""
	}
	for _, name := range []string{"site_id", "visitor", "seq", "interactive", "city", "scroll", "engaged_ms", "amount", "origin"} {
		all[name] = "0"
	}
	all["day"], all["visit_start"], all["ts"] = "1970-01-01", "1970-01-01 00:00:00", "1970-01-01 00:00:00"
	all["kind"], all["prop_keys"], all["prop_values"], all["retention_days"] = "pageview", "[]", "[]", "65535"
	return all
}

// The largest values there can be.
func largestRow() (event.Row, map[string]string) {
	r, text := fullRow(), fullText()
	r.SiteID, r.Day, r.Time, r.Visitor, r.VisitStart, r.Seq = math.MaxUint32, math.MaxUint16, math.MaxUint32, math.MaxUint64, math.MaxUint32, math.MaxUint16
	r.Origin, text["origin"] = math.MaxUint16, "65535"
	r.City, r.Scroll, r.EngagedMS, r.Amount, r.RetentionDays = math.MaxUint32, event.NoScroll, math.MaxUint32, math.MinInt64, math.MaxUint16
	r.Kind, r.Interactive = event.Engagement, false
	text["site_id"], text["day"], text["ts"], text["visitor"] = "4294967295", "2149-06-06", "2106-02-07 06:28:15", "18446744073709551615"
	text["visit_start"], text["seq"], text["city"], text["scroll"] = "2106-02-07 06:28:15", "65535", "4294967295", "255"
	text["engaged_ms"], text["amount"], text["retention_days"], text["kind"], text["interactive"] = "4294967295", "-9223372036854775808", "65535", "engagement", "0"
	return r, text
}

// fields counts the fields of a row, those of the event among them.
func fields(r reflect.Value) (count, zero int) {
	for i := range r.NumField() {
		f := r.Field(i)
		switch {
		case f.Kind() == reflect.Struct:
			c, z := fields(f)
			count, zero = count+c, zero+z
		case f.IsZero():
			count, zero = count+1, zero+1
		default:
			count++
		}
	}
	return count, zero
}

// Every field of a row has its own column, and comes out of it as it went in.
func TestInsert_everyColumn(t *testing.T) {
	s := open(t)
	names := ask(t, s, "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'events' ORDER BY position", nil)
	full, want := fullRow(), fullText()
	if count, zero := fields(reflect.ValueOf(full)); zero > 0 || count != len(names) {
		t.Fatalf("%d fields, %d of them zero in the test's row, for %d columns", count, zero, len(names))
	}
	if distinct := len(slices.Compact(slices.Sorted(func(yield func(string) bool) {
		for _, v := range want {
			if !yield(v) {
				return
			}
		}
	}))); distinct != len(want) {
		t.Fatalf("%d distinct values in %d columns: two columns could be swapped unseen", distinct, len(want))
	}
	largest, largestText := largestRow()
	rows := []event.Row{full, {Event: event.Event{RetentionDays: math.MaxUint16}}, largest}
	if err := s.Insert(t.Context(), "token", rows); err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]string{want, emptyText(), largestText} {
		got := map[string]string{}
		for _, name := range names {
			got[name] = ask(t, s, "SELECT toString("+name+") FROM events WHERE site_id = {site:UInt32}", map[string]string{"site": strconv.FormatUint(uint64(rows[i].SiteID), 10)})[0]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("row %d: %s", i, diff)
		}
	}
}

// A token is stored once, whatever comes with it, and even if it is as large as batches get.
func TestInsert_token(t *testing.T) {
	s := open(t)
	rows := make([]event.Row, 50_000)
	for i := range rows {
		rows[i] = fullRow()
		rows[i].Visitor = uint64(i)
		rows[i].Path = fmt.Sprintf("/%d", i%1000)
	}
	f := func(token string, rows []event.Row, want string) {
		t.Helper()
		if err := s.Insert(t.Context(), token, rows); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, s, "SELECT toString(count()) FROM events", nil); got[0] != want {
			t.Errorf("%s rows after token %q, want %s", got, token, want)
		}
	}
	f("empty", nil, "0")
	f("first", rows, "50000")
	f("first", rows, "50000")
	f("second", rows[:10], "50010")
	f("second", rows[:10], "50010")
	f("third", rows[:10], "50020") // the same rows under another token are other events
	f("first", rows, "50020")
}

// An insert that fails stores nothing, and its error holds nothing of the rows.
func TestInsert_fails(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Insert(ctx, "token", []event.Row{fullRow()})
	if err == nil || strings.Contains(err.Error(), "Order") {
		t.Errorf("error %v", err)
	}
	if got := ask(t, s, "SELECT toString(count()) FROM events", nil); got[0] != "0" {
		t.Errorf("%s rows after a failure", got)
	}
	if err := s.Insert(t.Context(), "token", []event.Row{fullRow()}); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "SELECT toString(count()) FROM events", nil); got[0] != "1" {
		t.Errorf("%s rows after a second attempt", got)
	}
}

// Values of parameters arrive as they are; none of them is SQL. The caller has put them into the engine's text form.
func TestSelect_parameters(t *testing.T) {
	s := open(t)
	text := strings.NewReplacer("\\", `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`)
	for _, v := range []string{
		"", "plain", "it's", `"quoted"`, `back\slash`, `\n`, `\'`, "line\nbreak", "tab\tstop", "\r", "50%", "a+b&c=d", "ünï😀", "{x:String}", "'; DROP TABLE events --", "NULL", `\N`, strings.Repeat("x", 2000),
	} {
		if got := ask(t, s, "SELECT {x:String}", map[string]string{"x": text.Replace(v)}); len(got) != 1 || got[0] != v {
			t.Errorf("%q came back as %q", v, got)
		}
	}
	got := ask(t, s, "SELECT arrayJoin({x:Array(String)})", map[string]string{"x": `['a','it\'s','back\\slash','',',']`})
	if want := []string{"a", "it's", `back\slash`, "", ","}; !cmp.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := ask(t, s, "SELECT toString({n:UInt32} + {d:Date})", map[string]string{"n": "1", "d": "2026-11-22"}); got[0] != "2026-11-23" {
		t.Errorf("%q", got)
	}
}

// What a question may not take is Unavailable; anything else is internal, and its text holds no value.
func TestSelect_fails(t *testing.T) {
	s := open(t)
	f := func(kind fault.Kind, query string, params map[string]string) {
		t.Helper()
		err := s.Select(t.Context(), query, params, func(scan func(dest ...any) error) error {
			var n uint64
			return scan(&n)
		})
		if err == nil || fault.KindOf(err) != kind || strings.Contains(err.Error(), "Zq7Marker") {
			t.Errorf("%s: kind %d, %v", query, fault.KindOf(err), err)
		}
	}
	f(fault.Unavailable, "SELECT count() FROM numbers(100000000) WHERE NOT ignore(number) SETTINGS max_rows_to_read = 1000", nil)
	f(fault.Unavailable, "SELECT sum(sipHash64(number)) FROM numbers(100000000000) SETTINGS max_execution_time = 0.2", nil)
	f(fault.Unavailable, "SELECT length(groupArray(number)) FROM numbers(100000000) SETTINGS max_memory_usage = 10000000", nil)
	f(fault.Internal, "SELECT Zq7Marker", nil)
	f(fault.Internal, "SELECT toUInt64({x:String})", map[string]string{"x": "Zq7Marker"})
	f(fault.Internal, "SELECT throwIf(1, {x:String}) FROM numbers(10)", map[string]string{"x": "Zq7Marker"})

	own := errors.New("stop here")
	calls := 0
	err := s.Select(t.Context(), "SELECT number FROM numbers(1000000)", nil, func(func(dest ...any) error) error {
		calls++
		return own
	})
	if !errors.Is(err, own) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	err = s.Select(ctx, "SELECT sum(sipHash64(number)) FROM numbers(100000000000)", nil, func(func(dest ...any) error) error { return nil })
	if took := time.Since(began); err == nil || took > 3*time.Second {
		t.Errorf("a question that nobody waits for ended after %v with %v", took, err)
	}
	if got := ask(t, s, "SELECT 'well'", nil); !cmp.Equal(got, []string{"well"}) {
		t.Errorf("afterwards: %q", got)
	}
}

func TestRemoveSite(t *testing.T) {
	s := open(t)
	rows := []event.Row{fullRow(), fullRow(), fullRow()}
	rows[0].SiteID, rows[1].SiteID, rows[2].SiteID = 1, 2, 1
	rows[2].Day += 40 // of another partition
	if err := s.Insert(t.Context(), "token", rows); err != nil {
		t.Fatal(err)
	}
	for _, site := range []uint32{1, 1, 99} { // gone already, never there
		if err := s.RemoveSite(t.Context(), site); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, s, "SELECT toString(site_id) FROM events", nil); !cmp.Equal(got, []string{"2"}) {
			t.Errorf("rows of %v are left", got)
		}
	}
}

// Whatever is wrong with a DSN, its password is not repeated.
func TestOpen_fails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f := func(kind fault.Kind, dsn string) {
		t.Helper()
		_, err := store.Open(t.Context(), store.Config{DSN: dsn})
		if err == nil || fault.KindOf(err) != kind {
			t.Errorf("%s: kind %d, %v", dsn, fault.KindOf(err), err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(fmt.Sprintf("%+v", err), "hunter2")) {
			t.Errorf("%s: the error shows the password: %v", dsn, err)
		}
	}
	f(fault.Unavailable, "clickhouse://user:hunter2@"+dead+"/daysalt")
	f(fault.Unavailable, "http://user:hunter2@"+dead+"/daysalt")
	f(fault.Unavailable, "https://user:hunter2@"+dead+"/daysalt")
	f(fault.Unavailable, "http://"+dead+"?username=user&password=hunter2")
	f(fault.Invalid, "clickhouse://user:hunter2@[::1/daysalt")
	f(fault.Invalid, "clickhouse://user:hunter2@"+dead+"/daysalt?dial_timeout=hunter2")
	f(fault.Invalid, "")
}

// A database that is gone is Unavailable, and so is one whose store was closed.
func TestPing(t *testing.T) {
	s, err := store.Open(t.Context(), store.Config{Transport: testkit.Engine(t).RoundTripper()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Ping(ctx); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("kind %d, %v", fault.KindOf(err), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("closed: kind %d, %v", fault.KindOf(err), err)
	}
}

// A database that goes away is no reason to show what was asked.
func TestSelect_awayHidesValues(t *testing.T) {
	e := testkit.Engine(t)
	server := httptest.NewServer(e)
	s, err := store.Open(t.Context(), store.Config{DSN: "http://" + server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	server.CloseClientConnections()
	server.Close()
	const secret = "/patients/erika-mustermann"
	err = s.Select(t.Context(), "SELECT {v:String}", map[string]string{"v": secret}, func(func(...any) error) error { return nil })
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("kind %v: %v", fault.KindOf(err), err)
	}
	if strings.Contains(err.Error(), "erika") || strings.Contains(err.Error(), "param_") {
		t.Errorf("the error quotes the question: %v", err)
	}
}

// What stands before ClickHouse may answer for it; its status is all that is told.
func TestOpen_gateway(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "upstream of /patients/erika-mustermann", http.StatusBadGateway)
	}))
	t.Cleanup(server.Close)
	_, err := store.Open(t.Context(), store.Config{DSN: "http://" + server.Listener.Addr().String()})
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "502") || strings.Contains(err.Error(), "erika") {
		t.Errorf("got %v", err)
	}
}
