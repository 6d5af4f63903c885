package stats

import (
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

// Meta is what was asked for by the question's include.
type Meta struct {
	TimeLabels []string `json:"time_labels,omitempty"`
	TotalRows  *int64   `json:"total_rows,omitempty"`
}

// Value is one number of an answer, or null where there was no visit to make it of.
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
