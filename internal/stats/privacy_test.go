package stats_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/period"
	"github.com/daysalt/daysalt/internal/query"
	"github.com/daysalt/daysalt/internal/stats"
	"github.com/daysalt/daysalt/internal/testkit/metrics"
)

var noon = time.Date(2040, time.November, 22, 12, 0, 0, 0, time.UTC)

// came returns a pageview of each of some visitors, who came from a source. Without visitor numbers it is as many of nobody.
func came(site stats.Site, source string, first, visitors int) []event.Row {
	var rows []event.Row
	for i := range visitors {
		r := event.Row{Event: event.Event{
			SiteID: site.ID, Day: event.Day(period.DateOf(noon)), Time: noon.Unix(), Visitor: uint64(first + i), Kind: event.Pageview,
			Source: source, Path: "/" + source, RetentionDays: 30,
		}, VisitStart: noon.Unix()}
		if site.Anonymous {
			r.Visitor = 0
		}
		rows = append(rows, r)
	}
	return rows
}

// answered asks and compares the answer's JSON up to the echo of the question.
func answered(t *testing.T, site stats.Site, members, want string) {
	t.Helper()
	a, err := newService(t, db, noon).Answer(t.Context(), site, parse(t, `{"site_id":"example.com","date_range":"day",`+members+`}`))
	if err != nil {
		t.Fatalf("%s: %v", members, err)
	}
	got, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	answer, _, _ := strings.Cut(string(got), `,"query":{"site_id":"example.com",`)
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", members, diff)
	}
}

const (
	withheld3 = `"withheld":{"min_visitors":3,"warning":"What is about fewer than 3 visitors is left out or null, and so is what it could be found out with."}`
	bySource  = `"metrics":["visitors"],"dimensions":["visit:source"],"include":{"total_rows":true}`
)

func TestWithheldRows(t *testing.T) {
	site := newSite(t, "example.com", "UTC")
	site.MinVisitors = 3
	answered(t, site, bySource, `{"results":[],"meta":{"total_rows":0}`)
	insert(t, append(came(site, "Google", 10, 5), came(site, "Bing", 20, 4)...))
	answered(t, site, bySource, `{"results":[{"dimensions":["Google"],"metrics":[5]},{"dimensions":["Bing"],"metrics":[4]}],"meta":{"total_rows":2}`)
	// One small row would be the difference to the total, 10, and so would two of two visitors together. Three are enough.
	insert(t, came(site, "x", 30, 1))
	answered(t, site, bySource, `{"results":[{"dimensions":["Google"],"metrics":[5]}],"meta":{"total_rows":1,`+withheld3+`}`)
	answered(t, site, bySource+`,"pagination":{"offset":7}`, `{"results":[],"meta":{"total_rows":1,`+withheld3+`}`)
	answered(t, site, `"metrics":["visitors","pageviews"]`, `{"results":[{"dimensions":[],"metrics":[10,10]}],"meta":{}`)
	insert(t, came(site, "y", 30, 2)) // one of whom came from x, too
	answered(t, site, bySource, `{"results":[{"dimensions":["Google"],"metrics":[5]}],"meta":{"total_rows":1,`+withheld3+`}`)
	insert(t, came(site, "z", 40, 1))
	answered(t, site, bySource, `{"results":[{"dimensions":["Google"],"metrics":[5]},{"dimensions":["Bing"],"metrics":[4]}],"meta":{"total_rows":2,`+withheld3+`}`)
	// Where visits and events are counted apart, nobody asks how many visitors are in both: a large row goes, too.
	answered(t, site, `"metrics":["visitors","pageviews","bounce_rate"],"dimensions":["visit:source"]`, `{"results":[{"dimensions":["Google"],"metrics":[5,5,100]}],"meta":{`+withheld3+`}`)
	// What a filter finds, and what it does not.
	source := func(operator, values string) string {
		return `"filters":[["` + operator + `","visit:source",[` + values + `]]]`
	}
	all := `"metrics":["visitors","events","bounce_rate"],`
	answered(t, site, all+source("is", `"x"`), `{"results":[{"dimensions":[],"metrics":[null,null,null]}],"meta":{`+withheld3+`}`)
	answered(t, site, all+source("is_not", `"x"`), `{"results":[{"dimensions":[],"metrics":[null,null,null]}],"meta":{`+withheld3+`}`)
	answered(t, site, all+source("is", `"Google"`), `{"results":[{"dimensions":[],"metrics":[5,5,100]}],"meta":{}`)
	answered(t, site, all+source("is", `"nobody"`), `{"results":[{"dimensions":[],"metrics":[0,0,null]}],"meta":{}`)
	answered(t, site, all+`"dimensions":["time:day"],`+source("is", `"x","y"`), `{"results":[{"dimensions":["2040-11-22"],"metrics":[null,null,null]}],"meta":{`+withheld3+`}`)
	answered(t, site, `"metrics":["visitors"],"dimensions":["time:day"]`, `{"results":[{"dimensions":["2040-11-22"],"metrics":[12]}],"meta":{}`)
	// With two dimensions, one of the hidden rows must be a large one.
	answered(t, site, `"metrics":["visitors"],"dimensions":["visit:source","time:day"]`, `{"results":[{"dimensions":["Google","2040-11-22"],"metrics":[5]}],"meta":{`+withheld3+`}`)
	// A page that many saw and few entered on has no bounce rate.
	var rows []event.Row
	for _, r := range came(site, "Google", 10, 5) {
		r.Seq, r.Path = 1, "/next"
		rows = append(rows, r)
	}
	insert(t, append(rows, came(site, "next", 50, 1)...))
	answered(t, site, `"metrics":["visitors","bounce_rate"],"dimensions":["event:page"],"pagination":{"limit":1}`, `{"results":[{"dimensions":["/next"],"metrics":[6,null]}],"meta":{`+withheld3+`}`)
	answered(t, site, `"metrics":["visitors","bounce_rate"],"filters":[["is","event:page",["/next"]]]`, `{"results":[{"dimensions":[],"metrics":[6,null]}],"meta":{`+withheld3+`}`)
}

// TestWithheldByFilter hides what the filter takes from few visitors: the answer without the filter tells of them all.
func TestWithheldByFilter(t *testing.T) {
	site := newSite(t, "example.com", "UTC")
	site.MinVisitors = 3
	add := func(source, path string, first, visitors int) {
		rows := came(site, source, first, visitors)
		for i := range rows {
			rows[i].Path = path
		}
		insert(t, rows)
	}
	question := `"metrics":["visitors"],"dimensions":["visit:source"],"filters":[["is","event:page",["/p"]]]`
	add("a", "/p", 10, 5)
	add("a", "/q", 20, 1) // who came from a and did not see /p
	add("b", "/p", 30, 5)
	add("d", "/p", 40, 7)
	answered(t, site, question, `{"results":[],"meta":{`+withheld3+`}`)
	// c is hidden with a: then it is five who did not see /p.
	add("c", "/p", 50, 6)
	add("c", "/q", 60, 4)
	answered(t, site, question, `{"results":[{"dimensions":["d"],"metrics":[7]},{"dimensions":["b"],"metrics":[5]}],"meta":{`+withheld3+`}`)
}

func TestCurrent_few(t *testing.T) {
	site := newSite(t, "example.com", "UTC")
	site.MinVisitors = 3
	f := func(want string) {
		t.Helper()
		s := newService(t, db, noon)
		got, err := s.Current(t.Context(), site)
		if err != nil || got.String() != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	f("0")
	insert(t, came(site, "", 1, 2))
	f("null")
	insert(t, came(site, "", 3, 1))
	f("3")
	site.Anonymous = true
	f("null")
}

// TestAnonymous asks a site without visitor numbers: events and pageviews are exact, everything that is made of visitors is not known.
func TestAnonymous(t *testing.T) {
	site := newSite(t, "example.com", "UTC")
	site.Anonymous = true
	insert(t, append(came(site, "Bing", 0, 2), came(site, "Google", 0, 3)...))
	note := func(metrics ...string) string {
		var all []string
		for _, m := range metrics {
			all = append(all, `"`+m+`":{"code":"no_visitor_numbers","warning":"This site makes no visitor numbers: visitors and visits are not known."}`)
		}
		return `"metric_warnings":{` + strings.Join(all, ",") + `}`
	}
	answered(t, site, `"metrics":["visitors","visits","pageviews","events","views_per_visit","bounce_rate","visit_duration"]`,
		`{"results":[{"dimensions":[],"metrics":[null,null,5,5,null,null,null]}],"meta":{`+note("bounce_rate", "views_per_visit", "visit_duration", "visitors", "visits")+`}`)
	answered(t, site, bySource, `{"results":[{"dimensions":["Google"],"metrics":[null]},{"dimensions":["Bing"],"metrics":[null]}],"meta":{"total_rows":2,`+note("visitors")+`}`)
	answered(t, site, `"metrics":["visits","pageviews"],"dimensions":["time:hour"]`, `{"results":[{"dimensions":["2040-11-22 12:00:00"],"metrics":[null,5]}],"meta":{`+note("visits")+`}`)
	answered(t, site, `"metrics":["pageviews"],"filters":[["is","visit:source",["Google"]]]`, `{"results":[{"dimensions":[],"metrics":[3]}],"meta":{}`)
	site.MinVisitors = 3
	withheld := strings.Replace(withheld3, "3 visitors", "3 events", 1)
	answered(t, site, `"metrics":["pageviews"],"dimensions":["visit:source"]`, `{"results":[],"meta":{`+withheld+`}`)
	answered(t, site, `"metrics":["visitors","pageviews"],"dimensions":["event:page"],"filters":[["is","visit:source",["Bing"]]]`, `{"results":[],"meta":{`+withheld+`,`+note("visitors")+`}`)
	answered(t, site, `"metrics":["visitors"],"dimensions":["visit:source","event:page"]`, `{"results":[],"meta":{`+withheld+`,`+note("visitors")+`}`)
	insert(t, came(site, "x", 0, 1))
	answered(t, site, `"metrics":["visitors","pageviews"],"dimensions":["visit:source"]`, `{"results":[{"dimensions":["Google"],"metrics":[null,3]}],"meta":{`+withheld+`,`+note("visitors")+`}`)

	refused := func(members, want string) {
		t.Helper()
		_, err := newService(t, db, noon).Answer(t.Context(), site, parse(t, `{"site_id":"example.com","date_range":"day","metrics":["pageviews"],`+members+`}`))
		if fault.KindOf(err) != fault.Invalid || err.Error() != want {
			t.Errorf("%s: %v", members, err)
		}
	}
	refused(`"dimensions":["visit:source","visit:exit_page"]`, "dimensions[1]: visit:exit_page is not known of a site without visitor numbers")
	refused(`"filters":[["is","visit:entry_page",["/"]]]`, "filters[0]: visit:entry_page is not known of a site without visitor numbers")
}

// TestAnonymousAgreesWithReference asks random questions about random traffic of nobody. A failure names its seed.
func TestAnonymousAgreesWithReference(t *testing.T) {
	r := random{rand.New(rand.NewPCG(200, 0))}
	site := newSite(t, "example.com", "Europe/Berlin")
	site.Anonymous = true
	from, to := changes(site.Zone)
	now := (to + 1).Start(site.Zone).Add(time.Hour)
	rows := r.traffic(site, from, to)
	for i := range rows {
		rows[i].Visitor, rows[i].VisitStart, rows[i].Seq = 0, rows[i].Time, 0
	}
	insert(t, rows)
	s := newService(t, db, now)
	asked := 0
	for asked < *questions {
		body := r.question(from, to)
		body["metrics"] = []query.Metric{query.Pageviews, query.Visitors, query.Events}
		delete(body, "order_by")
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "entry_page") || strings.Contains(string(text), "exit_page") {
			continue
		}
		asked++
		a, err := s.Answer(t.Context(), site, parse(t, string(text)))
		if err != nil {
			t.Fatalf("seed 200: %s: %v", text, err)
		}
		for i := range a.Results { // The reference counts nobody.
			if v := &a.Results[i].Metrics[1]; v.Null {
				*v = stats.Value{}
			} else {
				t.Errorf("seed 200: %s: %s visitors", text, v)
			}
		}
		written, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		got, err := metrics.Rows(written)
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := answer(rows, site, now, parse(t, string(text))); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("seed 200: %s\nis answered with\n%s\nand the reference says\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
