package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/testkit/plain"
)

// numbers are the metrics of visits, as the API tells them.
type numbers struct{ Visits, Bounce, Duration int }

// pageLimit is how many rows an answer has at most.
const pageLimit = 10_000

// answers asks for a site's numbers: in total, by entry page and by exit page. The keys are "", "entry PAGE" and "exit PAGE".
func (r *rig) answers(domain string) map[string]numbers {
	r.t.Helper()
	all := map[string]numbers{}
	for prefix, dimension := range map[string]string{"": "", "entry ": "visit:entry_page", "exit ": "visit:exit_page"} {
		dimensions := ""
		if dimension != "" {
			dimensions = fmt.Sprintf(`"dimensions":[%q],`, dimension)
		}
		day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
		got := r.server.do("POST", "/api/v2/query", fmt.Sprintf(
			`{"site_id":%q,"metrics":["visits","bounce_rate","visit_duration"],%s"date_range":[%q,%q],"pagination":{"limit":%d}}`,
			domain, dimensions, day(-6), day(1), pageLimit), "Content-Type", "application/json")
		var rows struct {
			Results []struct {
				Dimensions []string
				Metrics    []*int
			}
		}
		if err := json.Unmarshal([]byte(got.body), &rows); err != nil || got.status != 200 || len(rows.Results) == pageLimit {
			r.t.Fatalf("%+v: %v", got, err)
		}
		for _, row := range rows.Results {
			key := prefix
			if dimension != "" {
				key += row.Dimensions[0]
			}
			var n [3]int
			for i, m := range row.Metrics {
				if m != nil {
					n[i] = *m
				}
			}
			all[key] = numbers{n[0], n[1], n[2]}
		}
	}
	return all
}

// told returns a total as the API tells it: ratios in whole numbers, rounded half up.
func told(t plain.Total) numbers {
	if t.Visits == 0 {
		return numbers{}
	}
	half := func(a, b int) int { return (2*a + b) / (2 * b) }
	return numbers{t.Visits, half(100*t.Bounces, t.Visits), half(int(t.Seconds), t.Visits)}
}

// compareNumbers compares the totals of the plain reference with what the API answered.
func compareNumbers(t *testing.T, want plain.Total, answered map[string]numbers) {
	t.Helper()
	expected := map[string]numbers{"": told(want)}
	named := func(page string) string {
		if page == "" {
			return "(none)"
		}
		return page
	}
	for page, one := range want.Entries {
		expected["entry "+named(page)] = told(one)
	}
	for page, one := range want.Exits {
		expected["exit "+named(page)] = told(one)
	}
	wrong := 0
	for key, n := range expected {
		if answered[key] != n {
			if wrong++; wrong <= 5 {
				t.Errorf("%q has %+v in the answers, and %+v by the plain reference", key, answered[key], n)
			}
		}
	}
	if len(answered) != len(expected) || wrong > 5 {
		t.Errorf("%d of %d numbers are wrong, and %d are in the answers", wrong, len(expected), len(answered))
	}
}
