package stats_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/period"
	"github.com/daysalt/daysalt/internal/query"
	"github.com/daysalt/daysalt/internal/stats"
	"github.com/daysalt/daysalt/internal/testkit/metrics"
)

// questions is how many random questions each seed asks: -args -questions 1000 looks harder.
var questions = flag.Int("questions", 40, "random questions for each seed")

// random makes traffic and questions from a seed. The years are far ahead, so that no row expires by the engine's own clock.
type random struct{ *rand.Rand }

func (r random) pick(values ...string) string { return values[r.IntN(len(values))] }

// traffic returns the events of some days of a site, with everything that is easy to get wrong: visits just under and over half an hour, up to
// midnight and over a change of the clocks, events out of order, visits without a pageview, engagement without a visit, events without a visitor,
// expired rows.
func (r random) traffic(site stats.Site, from, to period.Date) []event.Row {
	var rows []event.Row
	for range 120 {
		at := from.Start(site.Zone).Unix() + r.Int64N(int64(to-from+1)*86400)
		if r.IntN(3) == 0 {
			at = from.Start(site.Zone).AddDate(0, 0, r.IntN(int(to-from)+1)).Unix() - r.Int64N(1200) // about midnight
		}
		person := r.Uint64N(100) + 1
		var came event.Event
		r.campaign(&came)
		for range 1 + r.IntN(8) {
			day := period.DateOf(time.Unix(at, 0).In(site.Zone))
			e := came
			e.SiteID, e.Time, e.Day = site.ID, at, event.Day(day)
			r.happen(&e)
			if e.Kind == event.Engagement {
				r.campaign(&e) // Outside visits it has attributes of its own.
			}
			if e.Visitor = person*1000 + uint64(day)%1000; r.IntN(40) == 0 {
				e.Visitor = 0
			}
			random{rand.New(rand.NewPCG(e.Visitor, uint64(site.ID)))}.device(&e)
			if day >= from && day <= to {
				rows = append(rows, event.Row{Event: e})
			}
			at += []int64{0, 1799, 1800, 1801, r.Int64N(4000), r.Int64N(300), r.Int64N(300), r.Int64N(300)}[r.IntN(8)]
		}
	}
	slices.SortStableFunc(rows, func(a, b event.Row) int { return cmp.Compare(a.Time, b.Time) })
	visits := joiner{}
	for i := range rows {
		if i > 0 && r.IntN(10) == 0 && rows[i].Day == rows[i-1].Day {
			rows[i].Time -= r.Int64N(1200) // out of order
		}
		visits.join(&rows[i])
	}
	return rows
}

// campaign fills in what is the same for all events of a visit because the first of them decides.
func (r random) campaign(e *event.Event) {
	e.Source, e.Channel, e.Referrer = r.pick("", "Google", "Direct / None", "it's \\ \"odd\""), r.pick("Direct", "Organic Search"), r.pick("", "example.org/x")
	e.UTMSource, e.UTMMedium, e.UTMCampaign = r.pick("", "news"), r.pick("", "mail", "(not set)"), r.pick("", "a", "A")
	e.UTMContent, e.UTMTerm = r.pick("", "c"), r.pick("", "t")
}

// device fills in what is the same for all events of a visitor because the visitor number is made of it, and what the site decides.
func (r random) device(e *event.Event) {
	e.Country, e.Device = r.pick("", "DE", "FR"), r.pick("Desktop", "Mobile")
	e.Browser, e.BrowserVersion, e.OS, e.OSVersion = r.pick("Firefox", "Chrome"), r.pick("", "145.0"), r.pick("Linux", "Other"), r.pick("", "10")
	e.RetentionDays = uint16(1 + r.IntN(30))
}

// happen fills in what differs from event to event.
func (r random) happen(e *event.Event) {
	e.Kind = []event.Kind{event.Pageview, event.Pageview, event.Pageview, event.Engagement, event.Custom, event.Custom}[r.IntN(6)]
	e.Name = []string{"pageview", "engagement", "Signup"}[e.Kind]
	e.Interactive = r.IntN(2) == 0
	e.Hostname = r.pick("example.com", "shop.example.com")
	e.Path = r.pick("/", "/a", "/b", "/blog/1", "/blog/ü")
	e.Scroll, e.EngagedMS = event.NoScroll, uint32(r.IntN(9000))
}

func dimensions() []query.Dimension {
	return []query.Dimension{
		query.EventPage, query.EventHostname, query.EntryPage, query.ExitPage, query.Source, query.Channel, query.Referrer, query.UTMSource, query.UTMMedium,
		query.UTMCampaign, query.UTMContent, query.UTMTerm, query.Country, query.Browser, query.BrowserVersion, query.OS, query.OSVersion, query.Device,
		query.Time, query.TimeHour, query.TimeDay, query.TimeWeek, query.TimeMonth,
	}
}

func allMetrics() []query.Metric {
	return []query.Metric{
		query.Visitors, query.Visits, query.Pageviews, query.Events, query.ViewsPerVisit, query.BounceRate, query.VisitDuration,
	}
}

// filter returns a filter on a dimension that some of the traffic meets.
func (r random) filter(d query.Dimension) []any {
	operator := r.pick("is", "is", "is_not", "contains", "contains_not")
	var values []string
	for range 1 + r.IntN(2) {
		v := r.pick("", "/", "/a", "/blog/ü", "example.com", "Google", "Direct / None", "(not set)", "(none)", "Chrome", "145.0", "DE", "Mobile", "a", "c", "mail")
		switch {
		case strings.HasPrefix(operator, "contains") && v == "":
			v = "o"
		case d == query.Country && strings.HasPrefix(operator, "is"):
			v = r.pick("DE", "FR", "", "(not set)")
		case d == query.EventPage || d == query.EntryPage || d == query.ExitPage:
			v = r.pick("/", "/a", "/b", "/blog/ü", "/blog")
		case d == query.EventHostname:
			v = r.pick("example.com", "shop.example.com", "shop")
		}
		values = append(values, v)
	}
	return []any{operator, d, values}
}

// question returns the body of a question about a few of the days around from.
func (r random) question(from, to period.Date) map[string]any {
	asked := allMetrics()
	r.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
	asked = asked[:1+r.IntN(len(asked))]
	first := from + period.Date(r.IntN(int(to-from)+1))
	q := map[string]any{
		"site_id": "example.com", "metrics": asked, "include": map[string]bool{"total_rows": true},
		"date_range": []string{first.String(), (first + period.Date(r.IntN(int(to-first)+1))).String()},
	}
	var by []query.Dimension
	for _, i := range r.Perm(len(dimensions()))[:r.IntN(4)] {
		d := dimensions()[i]
		if !strings.HasPrefix(string(d), "time") || !slices.ContainsFunc(by, func(b query.Dimension) bool { return strings.HasPrefix(string(b), "time") }) {
			by = append(by, d)
		}
	}
	if len(by) > 0 {
		q["dimensions"] = by
	}
	filters := [][]any{}
	for range r.IntN(4) {
		filters = append(filters, r.filter(dimensions()[r.IntN(len(dimensions())-5)]))
	}
	q["filters"] = filters
	if r.IntN(2) == 0 {
		orders := [][2]string{{string(asked[0]), r.pick("asc", "desc")}}
		if len(by) > 0 {
			orders = append(orders, [2]string{string(by[0]), r.pick("asc", "desc")})
		}
		q["order_by"] = orders
	}
	if r.IntN(3) == 0 && len(by) > 0 {
		q["pagination"] = map[string]int{"limit": 1 + r.IntN(5), "offset": r.IntN(8)}
	}
	return q
}

// agree asks the service and the reference, and fails where they differ.
func agree(t *testing.T, s *stats.Service, site stats.Site, now time.Time, rows []event.Row, body map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := query.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	q := asked.Questions[0].Question
	a, err := s.Answer(t.Context(), site, &q)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	written, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	got, err := metrics.Rows(written)
	if err != nil {
		t.Fatal(err)
	}
	want, total := answer(rows, site, now, &q)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nis answered with\n%s\nand the reference says\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if a.Meta.TotalRows != nil && *a.Meta.TotalRows != int64(total) {
		t.Errorf("%s\nhas %d rows in total, and the reference says %d", text, *a.Meta.TotalRows, total)
	}
}

// TestAgreesWithReference asks random questions about random traffic. A failure names its seed.
func TestAgreesWithReference(t *testing.T) {
	for i, zoneName := range []string{"Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "America/Havana"} {
		seed := uint64(i + 1)
		t.Run(fmt.Sprintf("seed %d in %s", seed, zoneName), func(t *testing.T) {
			r := random{rand.New(rand.NewPCG(seed, 0))}
			site, other := newSite(t, "example.com", zoneName), newSite(t, "example.org", zoneName)
			from, to := changes(site.Zone)
			now := (to + 1).Start(site.Zone).Add(time.Hour)
			rows := append(r.traffic(site, from, to), r.traffic(other, from, to)...)
			insert(t, rows)
			s := newService(t, db, now)
			for range *questions {
				agree(t, s, site, now, rows, r.question(from, to))
			}
		})
	}
}

// changes returns some days of 2040 around the clocks' going back, where they do.
func changes(zone *time.Location) (from, to period.Date) {
	from = period.DateFrom(2040, time.October, 27)
	for d := period.DateFrom(2040, time.January, 2); d < period.DateFrom(2040, time.December, 31); d++ {
		if (d + 1).Start(zone).Sub(d.Start(zone)) > 24*time.Hour {
			return d - 2, d + 1
		}
	}
	return from, from + 3
}

// TestEveryMetricDimensionAndFilter asks for all metrics by each dimension, under a filter of each kind and one that changes, so that every dimension is
// filtered on, too.
func TestEveryMetricDimensionAndFilter(t *testing.T) {
	r := random{rand.New(rand.NewPCG(42, 0))}
	site := newSite(t, "example.com", "Europe/Berlin")
	from, to := changes(site.Zone)
	now := (to + 1).Start(site.Zone).Add(time.Hour)
	rows := r.traffic(site, from, to)
	insert(t, rows)
	s := newService(t, db, now)
	filtered := dimensions()[:len(dimensions())-5]
	for i, by := range dimensions() {
		for _, on := range []query.Dimension{query.EventPage, query.EventHostname, query.EntryPage, query.ExitPage, filtered[i%len(filtered)]} {
			agree(t, s, site, now, rows, map[string]any{
				"site_id": "example.com", "metrics": allMetrics(), "date_range": []string{from.String(), to.String()},
				"dimensions": []query.Dimension{by}, "filters": [][]any{r.filter(on)},
			})
		}
	}
}
