package stats_test

import (
	"context"
	"encoding/json"
	"errors"
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
)

// runner is a stats.Runner that is a function.
type runner func(ctx context.Context) error

func (r runner) Select(ctx context.Context, _ string, _ map[string]string, _ func(func(dest ...any) error) error) error {
	return r(ctx)
}

func parse(t *testing.T, body string) *query.Question {
	t.Helper()
	r, err := query.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return &r.Questions[0].Question
}

// TestValuesReachTheEngineUnchanged sends filter values of every byte and asks the engine what it got.
func TestValuesReachTheEngineUnchanged(t *testing.T) {
	f := func(values ...string) {
		t.Helper()
		q := parse(t, `{"site_id":"example.com","metrics":["visitors"],"date_range":"day","filters":[["is","event:page",["x"]]]}`)
		n := q.At(q.Dates.Resolve(time.Unix(0, 0), time.UTC))
		n.Filters = []query.Filter{{Operator: query.Contains, Dimension: query.EventPage, Values: values}}
		stmt, err := query.Compile(&n, query.Facts{SiteID: 1, Zone: time.UTC})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = db.Select(t.Context(), "SELECT {f0:Array(String)}", map[string]string{"f0": stmt.Params["f0"]}, func(scan func(dest ...any) error) error {
			return scan(&got)
		})
		if err != nil {
			t.Errorf("%q: %v", values, err)
		}
		if diff := cmp.Diff(values, got); diff != "" {
			t.Errorf("%q as %s: (-want +got)\n%s", values, stmt.Params["f0"], diff)
		}
	}
	f("")
	f("", "")
	f("it's", `\`, `\'`, `'',''`, `'] OR 1=1 --`, "a\nb\r\tc\x00d\be\ff", "ü 猫 🧂\u2028", "\xff\xfe", "{f0:String}", "%27+&;=", `\N`, `\x41\u0041`, "NULL", ";;")
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	f(string(every), strings.Repeat("'", 2000), strings.Repeat(`\`, 2000), strings.Repeat("\x00", 2000))
	r := random{rand.New(rand.NewPCG(7, 7))}
	for range 100 {
		values := make([]string, 1+r.IntN(5))
		for i := range values {
			b := make([]byte, r.IntN(20))
			for j := range b {
				b[j] = r.pick("'", `\`, "\x00", "\n", "\t", "a", "0", "x", "n", "]", ",", "\xc3", "\xbc", "`", `"`)[0]
			}
			values[i] = string(b)
		}
		f(values...)
	}
	// The most that a question may hold must fit a statement even if every byte is escaped.
	many := make([]string, 16)
	for i := range many {
		many[i] = strings.Repeat("'", 2000)
	}
	f(many...)
}

func TestFiltersMatchAwkwardPaths(t *testing.T) {
	site := newSite(t, "example.com", "UTC")
	now := time.Date(2040, time.November, 22, 12, 0, 0, 0, time.UTC)
	paths := []string{"/it's", `/\`, "/nul\x00", "/a\nb", "/ü", `/x\n`, "/%"}
	var rows []event.Row
	for i, p := range paths {
		r := event.Row{Event: event.Event{
			SiteID: site.ID, Day: event.Day(period.DateOf(now)), Time: now.Unix(), Visitor: uint64(i) + 1, Kind: event.Pageview, Path: p, RetentionDays: 30,
		}, VisitStart: now.Unix()}
		rows = append(rows, r)
	}
	insert(t, rows)
	s := newService(t, db, now)
	for _, operator := range []string{"is", "contains"} {
		for _, p := range paths {
			filter, err := json.Marshal([]any{operator, "event:page", []string{p}})
			if err != nil {
				t.Fatal(err)
			}
			a, err := s.Answer(t.Context(), site, parse(t, `{"site_id":"example.com","metrics":["visitors"],"date_range":"day","dimensions":["event:page"],"filters":[`+string(filter)+`]}`))
			if err != nil || len(a.Results) != 1 || a.Results[0].Dimensions[0] != p {
				t.Errorf("%s %q: %+v, %v", operator, p, a, err)
			}
		}
	}
}

func TestAnswer(t *testing.T) {
	site := newSite(t, "example.com", "Europe/Berlin")
	now := time.Date(2040, time.November, 22, 12, 0, 0, 0, time.UTC)
	visits := joiner{}
	var rows []event.Row
	for i := range 3 {
		r := event.Row{Event: event.Event{
			SiteID: site.ID, Day: event.Day(period.DateOf(now)), Time: now.Unix() + int64(i), Visitor: uint64(i/2) + 1, Kind: event.Pageview, Path: "/" + string('a'+rune(i)), RetentionDays: 30,
		}}
		visits.join(&r)
		rows = append(rows, r)
	}
	insert(t, rows)
	f := func(members, want string) {
		t.Helper()
		a, err := newService(t, db, now).Answer(t.Context(), site, parse(t, `{"site_id":"example.com","date_range":"day",`+members+`}`))
		if err != nil {
			t.Fatal(err)
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
	f(`"metrics":["visitors","views_per_visit","bounce_rate","visit_duration"]`, `{"results":[{"dimensions":[],"metrics":[2,1.5,50,1]}],"meta":{}`)
	f(`"metrics":["visitors"],"filters":[["is","event:page",["/x"]]],"include":{"total_rows":true}`, `{"results":[{"dimensions":[],"metrics":[0]}],"meta":{"total_rows":1}`)
	f(`"metrics":["bounce_rate"],"filters":[["is","event:page",["/x"]]]`, `{"results":[{"dimensions":[],"metrics":[null]}],"meta":{}`)
	f(`"metrics":["visitors"],"dimensions":["event:page"],"pagination":{"limit":1,"offset":1},"include":{"total_rows":true}`,
		`{"results":[{"dimensions":["/b"],"metrics":[1]}],"meta":{"total_rows":3}`)
	// Behind the last row the total is still right.
	f(`"metrics":["visitors"],"dimensions":["event:page"],"pagination":{"offset":5},"include":{"total_rows":true}`, `{"results":[],"meta":{"total_rows":3}`)
	f(`"metrics":["visitors"],"dimensions":["event:page"],"filters":[["is","event:page",["/x"]]],"include":{"total_rows":true}`, `{"results":[],"meta":{"total_rows":0}`)
	f(`"metrics":["visitors"],"dimensions":["time:day"],"include":{"time_labels":true}`,
		`{"results":[{"dimensions":["2040-11-22"],"metrics":[2]}],"meta":{"time_labels":["2040-11-22"]}`)
	f(`"metrics":["visits"],"dimensions":["visit:source","time:month"]`, `{"results":[{"dimensions":["Direct / None","2040-11-01"],"metrics":[2]}],"meta":{}`)
}

func TestCurrent(t *testing.T) {
	site := newSite(t, "example.com", "Europe/Berlin")
	now := time.Date(2040, time.November, 21, 23, 2, 0, 0, time.UTC) // 00:02 of the site's next day
	var rows []event.Row
	add := func(ago time.Duration, visitor uint64, kind event.Kind, retention uint16) {
		at := now.Add(-ago)
		rows = append(rows, event.Row{Event: event.Event{
			SiteID: site.ID, Day: event.Day(period.DateOf(at.In(site.Zone))), Time: at.Unix(), Visitor: visitor, Kind: kind, RetentionDays: retention,
		}, VisitStart: at.Unix()})
	}
	add(0, 1, event.Pageview, 30)
	add(time.Minute, 1, event.Custom, 30)
	add(4*time.Minute, 2, event.Custom, 30) // yesterday
	add(299*time.Second, 3, event.Pageview, 30)
	add(300*time.Second, 4, event.Pageview, 30) // too long ago
	add(time.Minute, 5, event.Engagement, 30)   // does nothing
	add(time.Minute, 0, event.Pageview, 30)     // nobody
	add(-time.Minute, 6, event.Pageview, 30)    // yet to come
	add(3*time.Minute, 7, event.Pageview, 1)    // expired at midnight
	rows[len(rows)-1].Day = event.Day(period.DateOf(now.In(site.Zone))) - 1
	insert(t, rows)
	n, err := newService(t, db, now).Current(t.Context(), site)
	if err != nil || n.String() != "3" {
		t.Errorf("%s visitors, %v; want 3", n, err)
	}
}

// TestLimits asks the engine for more memory and time than a statement may take.
func TestLimits(t *testing.T) {
	site := newSite(t, "example.com", "UTC")
	visits := make([]event.Row, 20000)
	for i := range visits {
		visits[i] = event.Row{Event: event.Event{SiteID: site.ID, Day: 25528, Time: 25528 * 86400, Visitor: uint64(i) + 1, Path: "/", RetentionDays: 3650}, VisitStart: 25528 * 86400}
	}
	insert(t, visits)
	s, err := stats.New(stats.Config{MemoryBytes: 100000}, db, func() time.Time { return time.Unix(25528*86400, 0) })
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Answer(t.Context(), site, parse(t, `{"site_id":"example.com","metrics":["bounce_rate"],"date_range":"day"}`))
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v is no fault.Unavailable", err)
	}
}

func TestErrors(t *testing.T) {
	q := parse(t, `{"site_id":"example.com","metrics":["visitors"],"date_range":"day"}`)
	site := stats.Site{ID: 1, Domain: "example.com", Zone: time.UTC}
	f := func(ctx context.Context, cfg stats.Config, r runner, want func(error) bool) {
		t.Helper()
		s, err := stats.New(cfg, r, func() time.Time { return time.Unix(0, 0) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Answer(ctx, site, q); !want(err) {
			t.Errorf("%v", err)
		}
		if _, err := s.Current(ctx, site); !want(err) {
			t.Errorf("%v", err)
		}
	}
	unavailable := func(err error) bool { return fault.KindOf(err) == fault.Unavailable }
	f(t.Context(), stats.Config{}, func(context.Context) error { return fault.Unavailablef(nil, "busy") }, unavailable)
	f(t.Context(), stats.Config{}, func(context.Context) error { return errors.New("broken") }, func(err error) bool {
		return fault.KindOf(err) == fault.Internal && strings.Contains(err.Error(), "cannot answer the question: broken")
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	f(gone, stats.Config{}, func(ctx context.Context) error { return ctx.Err() }, func(err error) bool { return errors.Is(err, context.Canceled) && !unavailable(err) })
	if _, err := stats.New(stats.Config{Parallel: -1}, runner(nil), time.Now); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a negative number of statements: %v", err)
	}
}
