package stats_test

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/period"
	"github.com/daysalt/daysalt/internal/query"
	"github.com/daysalt/daysalt/internal/stats"
	"github.com/daysalt/daysalt/internal/testkit/metrics"
)

// TestMeaning runs the executable meaning on query, stats, store and the engine, with events that are made into rows as plainly as can be.
func TestMeaning(t *testing.T) {
	metrics.Run(t, "../../testdata/metrics", func(t *testing.T, sites []metrics.Site) metrics.System {
		t.Helper()
		s := &direct{sites: map[string]stats.Site{}, visits: joiner{}}
		for _, one := range sites {
			s.sites[one.Domain] = newSite(t, one.Domain, one.Zone)
		}
		return s
	})
}

// direct is a metrics.System without a line.
type direct struct {
	sites  map[string]stats.Site
	visits joiner
}

func (d *direct) Load(t *testing.T, lines []byte) {
	t.Helper()
	var rows []event.Row
	for line := range bytes.Lines(lines) {
		var e struct {
			Time                  time.Time
			IP, UA, D, N, U       string
			I                     *bool
			E                     uint32
			SD                    *uint8
			Referrer, R, P, Props any
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		site, ok := d.sites[e.D]
		if !ok {
			t.Fatalf("no site %q", e.D)
		}
		page, err := url.Parse(e.U)
		if err != nil {
			t.Fatal(err)
		}
		r := event.Row{Event: event.Event{
			SiteID: site.ID, Day: event.Day(period.DateOf(e.Time.In(site.Zone))), Time: e.Time.Unix(),
			Kind: event.Custom, Name: e.N, Interactive: e.I == nil || *e.I,
			Hostname: strings.TrimPrefix(page.Hostname(), "www."), Path: page.Path,
			Source: page.Query().Get("utm_source"), UTMSource: page.Query().Get("utm_source"), UTMCampaign: page.Query().Get("utm_campaign"),
			Scroll: event.NoScroll, EngagedMS: e.E, RetentionDays: 3650,
		}}
		switch e.N {
		case "pageview":
			r.Kind = event.Pageview
		case "engagement":
			r.Kind = event.Engagement
		}
		number := fnv.New64a()
		_, _ = number.Write([]byte(e.D + " " + period.Date(r.Day).String() + " " + e.IP + " " + e.UA))
		r.Visitor = number.Sum64()
		d.visits.join(&r)
		rows = append(rows, r)
	}
	insert(t, rows)
}

func (d *direct) Ask(t *testing.T, question []byte, now time.Time) []byte {
	t.Helper()
	r, err := query.Parse(question)
	if err != nil {
		t.Fatalf("%s: %v", question, err)
	}
	q := r.Questions[0].Question
	a, err := newService(t, db, now).Answer(t.Context(), d.sites[q.Site], &q)
	if err != nil {
		t.Fatalf("%s: %v", question, err)
	}
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
