// Package period is the calendar of reports: dates, ranges of dates, and the names of the hours, days, weeks and months in them.
//
// query keeps a Spec as it was asked; stats resolves it with the clock and the site's zone to a Range; query turns the Range into the
// conditions of a statement, and the answer carries the range's labels.
//
// Invariants: everything is pure arithmetic: the moment "now" and the zone are always parameters. A Date has no zone; it is a page of a site's own
// calendar. A Range is never empty. A label names a stretch of wall-clock time, so within one range every label is there once: on the day the
// clocks go back, the hour that comes twice is one label of two hours.
//
// It does not know weekends, holidays or languages, and it compares nothing.
package period

import (
	"strconv"
	"time"
)

// Date is a calendar day: the days since 1970-01-01, which is 0.
type Date int32

// MaxDate is the last date that fits ClickHouse's Date type: 2149-06-06.
const MaxDate Date = 65535

const secondsPerDay = 24 * 60 * 60

// DateOf returns the calendar day of t in the zone t carries.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return DateFrom(y, m, d)
}

// DateFrom returns the date of a year, a month and a day, which are normalised as time.Date does.
func DateFrom(year int, month time.Month, day int) Date {
	seconds := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()
	return Date(floorDiv(seconds, secondsPerDay))
}

// ParseDate reads a date in the form 2006-01-02. It accepts 1970-01-01 to MaxDate.
func ParseDate(s string) (Date, bool) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, false
	}
	d := DateOf(t)
	return d, d >= 0 && d <= MaxDate
}

// String returns the date in the form 2006-01-02.
func (d Date) String() string { return d.utc().Format(time.DateOnly) }

// Start returns the first moment of the date in a zone. That is not midnight on a day whose midnight the zone's clocks skip.
func (d Date) Start(zone *time.Location) time.Time {
	y, m, day := d.utc().Date()
	t := time.Date(y, m, day, 0, 0, 0, 0, zone)
	// time.Date may choose either side of a change of the clocks, and zones change them by multiples of a quarter of an hour.
	for DateOf(t) < d {
		t = t.Add(quarter)
	}
	for before := t.Add(-quarter); DateOf(before) == d; before = t.Add(-quarter) {
		t = before
	}
	return t
}

// Monday returns the first day of the date's week.
func (d Date) Monday() Date {
	return d - Date((int(d.utc().Weekday())+6)%7)
}

// MonthStart returns the first day of the date's month.
func (d Date) MonthStart() Date {
	y, m, _ := d.utc().Date()
	return DateFrom(y, m, 1)
}

func (d Date) utc() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// Range is the days from From to To, both included.
type Range struct {
	From, To Date
}

// Days returns how many days the range has.
func (r Range) Days() int { return int(r.To-r.From) + 1 }

// String returns both dates, for logs and tests.
func (r Range) String() string { return r.From.String() + ".." + r.To.String() }

// MarshalJSON writes the range as the pair of dates that Parse reads.
func (r Range) MarshalJSON() ([]byte, error) {
	b := append([]byte(nil), '[')
	b = strconv.AppendQuote(b, r.From.String())
	b = append(b, ',')
	b = strconv.AppendQuote(b, r.To.String())
	return append(b, ']'), nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
