package stats

import (
	"fmt"
	"strconv"

	"github.com/daysalt/daysalt/internal/query"
)

// Answer is what a question is answered with. Its JSON is the API's.
type Answer struct {
	Results []Row        `json:"results"`
	Meta    Meta         `json:"meta"`
	Query   query.Normal `json:"query"` // what was answered, in absolute dates
}

// Row is one row of an answer: values of the dimensions and of the metrics, each in the question's order.
type Row struct {
	Dimensions []string `json:"dimensions"`
	Metrics    []Value  `json:"metrics"`
}

// Meta is what was asked for by the question's include, and what must be known of the answer.
type Meta struct {
	TimeLabels []string                 `json:"time_labels,omitempty"`
	TotalRows  *int64                   `json:"total_rows,omitempty"` // of those that are shown
	Withheld   *Withheld                `json:"withheld,omitempty"`   // nil where nothing is
	Warnings   map[query.Metric]Warning `json:"metric_warnings,omitempty"`
}

// Withheld says that an answer does not hold everything, and from how many visitors on it would.
type Withheld struct {
	MinVisitors int    `json:"min_visitors"`
	Warning     string `json:"warning"`
}

// Warning says what is wrong with a metric of the answer.
type Warning struct {
	Code    string `json:"code"`
	Warning string `json:"warning"`
}

// warn notes why an answer has no rows or no numbers where there may be some.
func (m *Meta) warn(site Site, asked []query.Metric, withheld bool) {
	if withheld {
		of := "visitors"
		if site.Anonymous {
			of = "events"
		}
		m.Withheld = &Withheld{site.MinVisitors, fmt.Sprintf(
			"What is about fewer than %d %s is left out or null, and so is what it could be found out with.", site.MinVisitors, of)}
	}
	if !site.Anonymous {
		return
	}
	for _, metric := range asked {
		if metric != query.Pageviews && metric != query.Events {
			if m.Warnings == nil {
				m.Warnings = make(map[query.Metric]Warning)
			}
			m.Warnings[metric] = Warning{"no_visitor_numbers", "This site makes no visitor numbers: visitors and visits are not known."}
		}
	}
}

// Value is one number of an answer, or null: there was no visit to make it of, it is withheld, or the site does not know it.
type Value struct {
	Hundredths int64 // whole numbers end in 00
	Null       bool
}

// value returns a metric as a statement's row has it.
func value(m query.Metric, n *int64) Value {
	switch {
	case n == nil:
		return Value{Null: true}
	case m == query.ViewsPerVisit:
		return Value{Hundredths: *n}
	}
	return Value{Hundredths: *n * 100}
}

// String returns the number as JSON has it: without needless zeros, or null.
func (v Value) String() string {
	if v.Null {
		return "null"
	}
	s := strconv.FormatInt(v.Hundredths/100, 10)
	switch rest := v.Hundredths % 100; {
	case rest == 0:
		return s
	case rest%10 == 0:
		return s + "." + strconv.FormatInt(rest/10, 10)
	case rest < 10:
		return s + ".0" + strconv.FormatInt(rest, 10)
	default:
		return s + "." + strconv.FormatInt(rest, 10)
	}
}

// MarshalJSON writes the number.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(v.String()), nil }
