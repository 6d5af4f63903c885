package query_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/query"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a statement with testdata/NAME.golden.
func golden(t *testing.T, name string, stmt *query.Statement) {
	t.Helper()
	var b strings.Builder
	b.WriteString(stmt.SQL + "\n\n")
	for _, k := range slices.Sorted(maps.Keys(stmt.Params)) {
		fmt.Fprintf(&b, "%s: %s\n", k, stmt.Params[k])
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", name, diff)
	}
}

func TestCompile(t *testing.T) {
	f := func(name, members string) {
		t.Helper()
		r, err := query.Parse([]byte(with(members)))
		if err != nil {
			t.Fatal(err)
		}
		n := normal(&r.Questions[0].Question)
		stmt, err := query.Compile(&n, facts())
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, stmt)
	}
	f("totals", `"metrics":["visitors","visits","pageviews","events","views_per_visit","bounce_rate","visit_duration"]`)
	f("sources", `"dimensions":["visit:source"],"include":{"total_rows":true},"pagination":{"limit":9}`)
	f("pages", `"metrics":["visitors","pageviews","bounce_rate"],"dimensions":["event:page"],"filters":[["is","visit:country",["DE"]]]`)
	f("exit_pages", `"metrics":["visits","visitors"],"dimensions":["visit:exit_page"]`)
	f("hours", `"metrics":["visitors","pageviews","bounce_rate"],"date_range":"day","dimensions":["time"]`)
	f("weeks_of_a_page", `"date_range":"91d","dimensions":["time"],"filters":[["is","event:page",["/"]],["contains","event:hostname",["shop"]]]`)
	f("page_and_exit_page_filters", `"metrics":["visits","bounce_rate"],"filters":[["is","event:page",["it's","\\"]],["is_not","visit:exit_page",["(none)"]]]`)
	f("pages_by_entry_page", `"metrics":["pageviews"],"dimensions":["event:page","visit:entry_page"]`)
}

func TestCompileWithheld(t *testing.T) {
	f := func(name, members string, anonymous bool) {
		t.Helper()
		r, err := query.Parse([]byte(with(members)))
		if err != nil {
			t.Fatal(err)
		}
		n := normal(&r.Questions[0].Question)
		about := facts()
		about.MinVisitors, about.Anonymous = 10, anonymous
		stmt, err := query.Compile(&n, about)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, stmt)
	}
	// What is about everybody is exact: the same statement.
	f("totals", `"metrics":["visitors","visits","pageviews","events","views_per_visit","bounce_rate","visit_duration"]`, false)
	f("hours", `"metrics":["visitors","pageviews","bounce_rate"],"date_range":"day","dimensions":["time"]`, false)
	f("withheld_sources", `"dimensions":["visit:source"],"include":{"total_rows":true},"pagination":{"limit":9}`, false)
	f("withheld_pages_by_events", `"dimensions":["event:page"]`, true)
	f("withheld_hours_of_a_page", `"metrics":["pageviews","bounce_rate"],"date_range":"day","dimensions":["time"],"filters":[["is","event:page",["/"]],["is_not","visit:exit_page",["/b"]]]`, false)
	f("withheld_cells", `"dimensions":["visit:source","time:day"]`, false)
}

func TestTally(t *testing.T) {
	r, err := query.Parse([]byte(with(`"dimensions":["visit:source"]`)))
	if err != nil {
		t.Fatal(err)
	}
	n := normal(&r.Questions[0].Question)
	about := facts()
	about.MinVisitors = 10
	stmt, err := query.Tally(&n, about)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "withheld_tally", stmt)
}

func TestCurrent(t *testing.T) {
	stmt, err := query.Current(facts(), november.Add(-5*time.Minute), november)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "current", stmt)
}

func TestLimitSeconds(t *testing.T) {
	f := func(limit time.Duration, want int64) {
		t.Helper()
		if got := (query.Limits{Time: limit}).Seconds(); got != want {
			t.Errorf("%s is %d seconds, want %d", limit, got, want)
		}
	}
	f(0, 1) // the engine takes 0 as no limit
	f(time.Millisecond, 1)
	f(time.Second, 1)
	f(1500*time.Millisecond, 2)
}
