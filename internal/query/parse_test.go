package query_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/period"
	"github.com/daysalt/daysalt/internal/query"
)

// november is what "7d" means in these tests.
var november = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)

func normal(q *query.Question) query.Normal { return q.At(q.Dates.Resolve(november, time.UTC)) }

// with returns the body of a question that is right but for the members given.
func with(members string) string {
	body := map[string]json.RawMessage{"site_id": json.RawMessage(`"example.com"`), "metrics": json.RawMessage(`["visitors"]`), "date_range": json.RawMessage(`"7d"`)}
	var changed map[string]json.RawMessage
	if err := json.Unmarshal([]byte("{"+members+"}"), &changed); err != nil {
		panic(err)
	}
	for name, value := range changed {
		body[name] = value
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestParse(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		r, err := query.Parse([]byte(body))
		if err != nil || r.Batch || len(r.Questions) != 1 {
			t.Errorf("%s: %+v, %v", body, r, err)
			return
		}
		got, err := json.Marshal(normal(&r.Questions[0].Question))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", body, diff)
		}
	}
	f(with(``), `{"site_id":"example.com","metrics":["visitors"],"dimensions":[],"filters":[],"order_by":[["visitors","desc"]],`+
		`"include":{"time_labels":false,"total_rows":false},"pagination":{"limit":10000,"offset":0},"date_range":["2026-11-15","2026-11-21"]}`)
	f(` `+with(`"metrics":["bounce_rate","visits"],"date_range":["2026-11-01","2026-11-20"],"dimensions":["visit:source","event:page"],
		"filters":[["is","event:page",["/a","/b"]],["contains_not","visit:country",["E"]]],
		"order_by":[["visits","asc"],["visit:source","desc"]],"include":{"total_rows":true},"pagination":{"limit":9,"offset":18}`)+"\n",
		`{"site_id":"example.com","metrics":["bounce_rate","visits"],"dimensions":["visit:source","event:page"],`+
			`"filters":[["is","event:page",["/a","/b"]],["contains_not","visit:country",["E"]]],"order_by":[["visits","asc"],["visit:source","desc"]],`+
			`"include":{"time_labels":false,"total_rows":true},"pagination":{"limit":9,"offset":18},"date_range":["2026-11-01","2026-11-20"]}`)
	// "time" becomes what suits the range, also where it is ordered by.
	f(with(`"dimensions":["time"],"include":{"time_labels":true}`), `{"site_id":"example.com","metrics":["visitors"],"dimensions":["time:day"],"filters":[],`+
		`"order_by":[["time:day","asc"]],"include":{"time_labels":true,"total_rows":false},"pagination":{"limit":10000,"offset":0},"date_range":["2026-11-15","2026-11-21"]}`)
	f(with(`"dimensions":["time"],"date_range":"day","order_by":[["time","desc"]]`), `{"site_id":"example.com","metrics":["visitors"],"dimensions":["time:hour"],"filters":[],`+
		`"order_by":[["time:hour","desc"]],"include":{"time_labels":false,"total_rows":false},"pagination":{"limit":10000,"offset":0},"date_range":["2026-11-22","2026-11-22"]}`)
}

func TestParseInvalid(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		_, err := query.Parse([]byte(body))
		checkInvalid(t, body, err, want)
	}
	for _, body := range []string{``, `null`, `[]`, `"7d"`, `{`, `{} {}`, `{"a":}`} {
		f(body, "must be")
	}
	f(`{}`, "site_id: must be the domain")
	f(`{"site_id":"example.com"}`, "metrics: must be there; use visitors, visits, pageviews")
	f(`{"site_id":"example.com","metrics":["visits"]}`, "date_range: must be there")
	f(with(`"site_id":7`), "site_id: must be text")
	f(with(`"site_id":""`), "site_id: must be the domain")
	f(with(`"site_id":"`+strings.Repeat("a", 256)+`"`), "site_id: must have at most 255 bytes")

	f(with(`"metric":[]`), "metric: is not known; use site_id, metrics")
	f(with(`"Metrics":["visits"]`), "Metrics: is not known")
	f(`{"metrics":["visits"],"metrics":["visitors"]}`, "metrics: is there twice")
	f(with(`"`+strings.Repeat("ü", 50)+`":1`), strings.Repeat("ü", 32)+"...: is not known")
	f(with(`"a\u0000\"b":1`), `a\x00\"b: is not known`)

	f(with(`"metrics":[]`), "metrics: must not be empty")
	f(with(`"metrics":null`), "metrics: must be a list")
	f(with(`"metrics":"visitors"`), "metrics: must be a list")
	f(with(`"metrics":{"visitors":1}`), "metrics: must be a list")
	f(with(`"metrics":[1]`), "metrics[0]: must be text")
	f(with(`"metrics":["visitors","visitors"]`), "metrics: visitors is there twice")
	f(with(`"metrics":["visits","Visitors"]`), "metrics[1]: Visitors is not known; use visitors")
	f(with(`"metrics":["conversion_rate"]`), "metrics[0]: conversion_rate is not known")
	f(with(`"metrics":["a","a","a","a","a","a","a","a"]`), "metrics: must have at most 7")

	f(with(`"date_range":null`), "date_range: must be text")
	f(with(`"date_range":7`), "date_range: must be text")
	f(with(`"date_range":"7 days"`), `date_range: must be "day"`)
	f(with(`"date_range":[]`), "date_range: must be text")
	f(with(`"date_range":["2026-11-20"]`), "a pair of dates")
	f(with(`"date_range":["2026-11-20","2026-11-21","2026-11-22"]`), "a pair of dates")
	f(with(`"date_range":["2026-11-20",7]`), "date_range[1]: must be text")
	f(with(`"date_range":["2026-11-21","2026-11-20"]`), "date_range: the first date must not be after")
	f(with(`"date_range":["2026-11-20T00:00:00Z","2026-11-20T12:00:00Z"]`), "date_range: pairs of times are not supported yet")

	f(with(`"dimensions":["visit:city"]`), "dimensions[0]: visit:city is not known; use event:page")
	f(with(`"dimensions":["time","time:day"]`), "dimensions: must have at most one time")
	f(with(`"dimensions":["event:page","event:page"]`), "dimensions: event:page is there twice")
	f(with(`"dimensions":["visit:source","visit:os","visit:device","visit:browser","visit:country"]`), "dimensions: must have at most 4")
	f(with(`"dimensions":null`), "dimensions: must be a list")

	f(with(`"order_by":[["pageviews","desc"]]`), "order_by[0]: must be one of the question's")
	f(with(`"order_by":[["visit:source","desc"]]`), "order_by[0]: must be one of the question's")
	f(with(`"order_by":[["visitors"]]`), "order_by[0]: must be a pair")
	f(with(`"order_by":["visitors"]`), "order_by[0]: must be a pair")
	f(with(`"order_by":[["visitors","down"]]`), "order_by[0]: the direction must be")
	f(with(`"order_by":[["visitors","asc"],["visitors","desc"]]`), "order_by: visitors is there twice")

	f(with(`"include":{"imports":true}`), "include.imports: is not known; use time_labels, total_rows")
	f(with(`"include":{"total_rows":1}`), "include.total_rows: must be true or false")
	f(with(`"include":[]`), "include: must be a JSON object")
	f(with(`"include":{"time_labels":true}`), "include.time_labels: needs a time dimension")
	f(with(`"pagination":{"limit":0}`), "pagination.limit: must be a whole number from 1 to 10000")
	f(with(`"pagination":{"limit":10001}`), "pagination.limit: must be")
	f(with(`"pagination":{"limit":1.5}`), "pagination.limit: must be")
	f(with(`"pagination":{"limit":"9"}`), "pagination.limit: must be")
	f(with(`"pagination":{"offset":-1}`), "pagination.offset: must be a whole number from 0")
	f(with(`"pagination":{"page":1}`), "pagination.page: is not known; use limit, offset")
}

func TestParseFilterInvalid(t *testing.T) {
	f := func(filter, want string) {
		t.Helper()
		body := with(`"filters":[` + filter + `]`)
		_, err := query.Parse([]byte(body))
		checkInvalid(t, body, err, "filters[0]: "+want)
	}
	f(`"is"`, "must be [operator, dimension, values]")
	f(`[]`, "must be [operator, dimension, values]")
	f(`[["is"],"event:page",["/"]]`, "must be [operator, dimension, values]")
	f(`["is","event:page"]`, "must be [operator, dimension, values]")
	f(`["is","event:page",["/"],{"case_sensitive":false}]`, "modifiers such as case_sensitive are not supported yet")
	f(`["matches","event:page",["/"]]`, "the operator matches is not supported; use is, is_not, contains, contains_not")
	f(`["or",[["is","event:page",["/"]]]]`, "the operator or is not supported")
	f(`["is","time:day",["2026-11-20"]]`, "time cannot be filtered; use date_range")
	f(`["is","event:page","/"]`, "values: must be a list")
	f(`["is","event:page",[]]`, "values: must not be empty")
	f(`["is","event:page",[1]]`, "values: must be text")
	f(`["is","event:page",["`+strings.Repeat("a", 2001)+`"]]`, "values: must have at most 2000 bytes")
	f(`["is","event:page",["/"`+strings.Repeat(`,"/"`, 200)+`]]`, "values: must have at most 200 values")
	f(`["contains","event:page",[""]]`, "values: must not be empty text")
	for _, operator := range []string{"is", "is_not"} {
		for _, code := range []string{"DEU", "D1", "de", "De", "dE"} {
			f(`["`+operator+`","visit:country",["FR","`+code+`"]]`, "values: must be codes of two capital letters such as DE, or (not set)")
		}
	}

	body := with(`"filters":[["is","event:goal",["x"]]]`)
	_, err := query.Parse([]byte(body))
	checkInvalid(t, body, err, "filters[0]: event:goal is not known")

	long := `["is","event:page",["` + strings.Repeat("a", 2000) + `"]]`
	body = with(`"filters":[` + long + strings.Repeat(","+long, 16) + `]`)
	_, err = query.Parse([]byte(body))
	checkInvalid(t, "long filters", err, "filters: all values together must have at most 32768 bytes")
	body = with(`"filters":[` + long + strings.Repeat(","+long, 20) + `]`)
	_, err = query.Parse([]byte(body))
	checkInvalid(t, "many filters", err, "filters: must have at most 20")
}

func checkInvalid(t *testing.T, what string, err error, want string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Invalid || !strings.Contains(f.Error(), want) {
		t.Errorf("%s: %v, want an invalid that says %q", what, err, want)
	}
}

func TestParseBatch(t *testing.T) {
	r, err := query.Parse([]byte(`{"queries":[` + with(``) + `,` + with(`"metrics":["x"]`) + `,7,` + with(`"metrics":["visits"]`) + `]}`))
	if err != nil || !r.Batch || len(r.Questions) != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	got := make([]string, 0, 4)
	for _, q := range r.Questions {
		got = append(got, fmt.Sprint(q.Question.Metrics, q.Err != nil))
	}
	if diff := cmp.Diff([]string{"[visitors] false", "[] true", "[] true", "[visits] false"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	f := func(body, want string) {
		t.Helper()
		_, err := query.Parse([]byte(body))
		checkInvalid(t, body, err, want)
	}
	f(`{"queries":[]}`, "queries: must not be empty")
	f(`{"queries":{}}`, "queries: must be a list")
	f(`{"queries":[1],"site_id":"example.com"}`, "queries: must stand alone")
	f(`{"queries":[1`+strings.Repeat(",1", 32)+`]}`, "queries: must have at most 32")
}

// TestNormalAsksTheSame posts the echo of a question and must have the same echo.
func TestNormalAsksTheSame(t *testing.T) {
	r, err := query.Parse([]byte(with(`"dimensions":["time","visit:os"],"filters":[["is_not","visit:source",["it's","\\"]]],"pagination":{"limit":3}`)))
	if err != nil {
		t.Fatal(err)
	}
	n := normal(&r.Questions[0].Question)
	body, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	again, err := query.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(n.Question, again.Questions[0].Question, cmp.Comparer(func(a, b period.Spec) bool { return true })); diff != "" {
		t.Errorf("(-first +again)\n%s", diff)
	}
}
