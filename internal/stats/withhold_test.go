package stats_test

import (
	"encoding/json"
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
)

// crowd is who a row is about, and who it would be about without the filters.
type crowd struct {
	dims    []string
	in, out members
}

// members are visitors, and events that have none.
type members struct {
	visitors map[uint64]bool
	events   int
}

func (g *members) add(visitor uint64, anonymous bool) {
	switch {
	case visitor == 0 && anonymous:
		g.events++
	case visitor != 0:
		g.visitors[visitor] = true
	}
}

func (g *members) size() int {
	if len(g.visitors) > 0 {
		return len(g.visitors)
	}
	return g.events
}

// crowds says who each row of a question without pagination is about, by one way of counting: "events" is whoever did something, or what nobody
// did, "visitors" whoever did something, "touched" whoever was there, "visits" whoever visited.
func crowds(rows []event.Row, site stats.Site, now time.Time, q *query.Question, kind string) map[string]*crowd {
	r := newReference(rows, site, now, q)
	r.makeVisits()
	all := map[string]*crowd{}
	add := func(row event.Row, v *visit, at int64, page event.Row, met bool) {
		dims := r.group(row, v, at, page).dims
		key := strings.Join(dims, "\x00")
		if all[key] == nil {
			all[key] = &crowd{dims: dims, in: members{visitors: map[uint64]bool{}}, out: members{visitors: map[uint64]bool{}}}
		}
		if met {
			all[key].in.add(row.Visitor, kind == "events")
		} else {
			all[key].out.add(row.Visitor, kind == "events")
		}
	}
	for _, e := range r.rows {
		v := r.visits[visitKey{e.Day, e.Visitor, e.VisitStart}]
		if e.Kind == event.Engagement || v == nil && r.needsVisit() || kind != "events" && kind != "visitors" {
			continue
		}
		add(e, v, e.Time, e, r.holds(event.Row{}, nil, &e) && r.holds(e, v, nil))
	}
	for _, v := range r.visits {
		if kind != "touched" && kind != "visits" || r.byEvent() && len(v.views) == 0 {
			continue
		}
		met := r.holds(v.events[0], v, nil)
		if r.byEvent() {
			met = met && r.holds(event.Row{}, nil, &v.entry)
		} else {
			met = met && slices.ContainsFunc(v.events, func(e event.Row) bool { return r.holds(event.Row{}, nil, &e) })
		}
		for at := v.began; ; at = min(at+60, v.began+v.seconds) {
			add(v.events[0], v, at, v.entry, met)
			if kind == "visits" || at >= v.began+v.seconds {
				break
			}
		}
	}
	return all
}

// kinds returns the ways of counting that a question's metrics are made with.
func kinds(rows []event.Row, site stats.Site, now time.Time, q *query.Question) []string {
	r := newReference(rows, site, now, q)
	var all []string
	if slices.Contains(q.Metrics, query.Pageviews) || slices.Contains(q.Metrics, query.Events) {
		all = append(all, "events")
	}
	if slices.Contains(q.Metrics, query.Visitors) || slices.Contains(q.Metrics, query.Visits) {
		all = append(all, map[bool]string{true: "touched", false: "visitors"}[r.hourly() && !r.matching() && !r.byEvent()])
	}
	if len(all) == 0 {
		all = append(all, "visits")
	}
	return all
}

// trial is a random question to a site that withholds, and what it was answered with.
type trial struct {
	t           *testing.T
	text        string
	k           int
	q           *query.Question
	exact, open map[string]string // metrics by dimensions: all there are, and those shown with numbers
	kinds       []map[string]*crowd
}

// TestWithholds asks random questions of a site that keeps small groups back. A failure names its seed.
func TestWithholds(t *testing.T) {
	shown, hidden := 0, 0
	for i, zoneName := range []string{"Europe/Berlin", "Asia/Kathmandu"} {
		seed := uint64(i + 100)
		t.Run(fmt.Sprintf("seed %d in %s", seed, zoneName), func(t *testing.T) {
			r := random{rand.New(rand.NewPCG(seed, 0))}
			site := newSite(t, "example.com", zoneName)
			from, to := changes(site.Zone)
			now := (to + 1).Start(site.Zone).Add(time.Hour)
			rows := r.plainTraffic(site, from, to)
			insert(t, rows)
			s := newService(t, db, now)
			for range *questions / 2 {
				body := r.question(from, to)
				if by, ok := body["dimensions"].([]query.Dimension); ok && r.IntN(3) > 0 {
					body["dimensions"] = by[:1]
				}
				tr := ask(t, s, site, rows, now, body, []int{2, 2, 3, 5, 10}[r.IntN(5)])
				tr.check()
				shown += len(tr.open)
				hidden += len(tr.exact) - len(tr.open)
			}
		})
	}
	if shown < 20 || hidden < 20 {
		t.Errorf("%d rows shown and %d hidden: the test shows nothing", shown, hidden)
	}
}

// plainTraffic is traffic in which no value is named as an empty one is.
func (r random) plainTraffic(site stats.Site, from, to period.Date) []event.Row {
	rows := r.traffic(site, from, to)
	for i := range rows {
		e := &rows[i]
		e.Source, e.UTMMedium = strings.TrimSuffix(e.Source, "Direct / None"), strings.TrimSuffix(e.UTMMedium, "(not set)")
	}
	return rows
}

func ask(t *testing.T, s *stats.Service, site stats.Site, rows []event.Row, now time.Time, body map[string]any, k int) *trial {
	t.Helper()
	pagination := body["pagination"]
	delete(body, "pagination")
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{t: t, text: fmt.Sprintf("with k = %d %s", k, text), k: k, q: parse(t, string(text))}
	exact := table(t, s, site, tr.q)
	guarded := site
	guarded.MinVisitors = k
	a, err := s.Answer(t.Context(), guarded, tr.q)
	if err != nil {
		t.Fatalf("%s: %v", tr.text, err)
	}
	tr.exact, tr.open = byName(exact.Results), byName(a.Results)
	for _, kind := range kinds(rows, site, now, tr.q) {
		tr.kinds = append(tr.kinds, crowds(rows, site, now, tr.q, kind))
	}
	tr.checkOrder(exact, a)
	if pagination != nil {
		body["pagination"] = pagination
		tr.checkPage(s, guarded, body, a)
	}
	return tr
}

func table(t *testing.T, s *stats.Service, site stats.Site, q *query.Question) *stats.Answer {
	t.Helper()
	a, err := s.Answer(t.Context(), site, q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func line(r stats.Row) string { return strings.Join(r.Dimensions, "\x00") }

// byName returns the rows that have a number.
func byName(rows []stats.Row) map[string]string {
	all := map[string]string{}
	for _, r := range rows {
		if slices.ContainsFunc(r.Metrics, func(v stats.Value) bool { return !v.Null }) {
			all[line(r)] = fmt.Sprint(r.Metrics)
		}
	}
	return all
}

// checkOrder checks that what is shown is what is, in its order, and that the answer says whether it holds everything.
func (tr *trial) checkOrder(exact, a *stats.Answer) {
	tr.t.Helper()
	last, less := -1, len(a.Results) != len(exact.Results)
	byMetric := len(tr.q.OrderBy) > 0 && slices.Contains(tr.q.Metrics, query.Metric(tr.q.OrderBy[0].By))
	for _, r := range a.Results {
		i := slices.IndexFunc(exact.Results, func(e stats.Row) bool { return line(e) == line(r) })
		if i < 0 || i <= last && !byMetric {
			tr.t.Fatalf("%s\n%q is no row, or not in its place", tr.text, r.Dimensions)
		}
		last = i
		for j, v := range r.Metrics {
			if v != exact.Results[i].Metrics[j] && !v.Null {
				tr.t.Errorf("%s\n%q has %s, and it is %s", tr.text, r.Dimensions, v, exact.Results[i].Metrics[j])
			}
			less = less || v != exact.Results[i].Metrics[j]
		}
	}
	if less != (a.Meta.Withheld != nil) || a.Meta.Withheld != nil && a.Meta.Withheld.MinVisitors != tr.k {
		tr.t.Errorf("%s\nwithheld: %v, and the answer says %+v", tr.text, less, a.Meta.Withheld)
	}
	if a.Meta.TotalRows == nil || *a.Meta.TotalRows != int64(len(a.Results)) {
		tr.t.Errorf("%s\n%d rows, and the answer says %v", tr.text, len(a.Results), a.Meta.TotalRows)
	}
}

// checkPage checks that a page is a piece of the whole answer.
func (tr *trial) checkPage(s *stats.Service, site stats.Site, body map[string]any, whole *stats.Answer) {
	tr.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		tr.t.Fatal(err)
	}
	q := parse(tr.t, string(text))
	page := table(tr.t, s, site, q)
	want := whole.Results[min(q.Pagination.Offset, len(whole.Results)):]
	want = want[:min(q.Pagination.Limit, len(want))]
	if fmt.Sprint(page.Results) != fmt.Sprint(want) || *page.Meta.TotalRows != *whole.Meta.TotalRows || (page.Meta.Withheld != nil) != (whole.Meta.Withheld != nil) {
		tr.t.Errorf("%s\nis %v of %d, and should be %v of %d", text, page.Results, *page.Meta.TotalRows, want, *whole.Meta.TotalRows)
	}
}

// check checks what the answer gives away.
func (tr *trial) check() {
	tr.t.Helper()
	dims := tr.q.Dimensions
	if len(tr.q.Filters) == 0 && (len(dims) == 0 || len(dims) == 1 && strings.HasPrefix(string(dims[0]), "time")) {
		if fmt.Sprint(tr.open) != fmt.Sprint(tr.exact) {
			tr.t.Errorf("%s\nis about everybody, and should be exact", tr.text)
		}
		return
	}
	few := func(n int) bool { return 0 < n && n < tr.k }
	for name := range tr.open {
		for _, kind := range tr.kinds {
			if c := kind[name]; c != nil && (few(c.in.size()) || few(c.out.size())) {
				tr.t.Errorf("%s\nshows %q, which is about %d visitors and not about %d", tr.text, c.dims, c.in.size(), c.out.size())
			}
		}
	}
	for kept := range 1<<len(dims) - 1 {
		tr.checkLines(kept)
	}
}

// checkLines checks every sum over some of the dimensions: what is hidden of it is nothing, all, or something about enough visitors.
func (tr *trial) checkLines(kept int) {
	tr.t.Helper()
	for _, kind := range tr.kinds {
		hidden, shown := map[string][]*crowd{}, map[string]int{}
		for name := range tr.exact {
			var of []string
			for d, label := range strings.Split(name, "\x00") {
				if kept>>d&1 != 0 {
					of = append(of, label)
				}
			}
			key := strings.Join(of, "\x00")
			if _, ok := tr.open[name]; ok {
				shown[key]++
			} else if c := kind[name]; c != nil {
				hidden[key] = append(hidden[key], c)
			}
		}
		for key, all := range hidden {
			in, out := union(all, func(c *crowd) *members { return &c.in }), union(all, func(c *crowd) *members { return &c.out })
			if shown[key] > 0 && (len(all) < 2 || in < tr.k || 0 < out && out < tr.k) {
				tr.t.Errorf("%s\n%d rows of %q are hidden, about %d visitors and not about %d", tr.text, len(all), key, in, out)
			}
		}
	}
}

func union(all []*crowd, of func(*crowd) *members) int {
	u := members{visitors: map[uint64]bool{}}
	for _, c := range all {
		for v := range of(c).visitors {
			u.visitors[v] = true
		}
		u.events += of(c).events
	}
	return u.size()
}
