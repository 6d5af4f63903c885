package period

import (
	"strconv"
	"strings"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
)

// MaxDays is the greatest number of days a range may have.
const MaxDays = 5000

// allowed is what a wrong date_range is answered with.
const allowed = `"day", "7d", "28d", "30d", "91d", "Nd" with N from 1 to 5000, or ["2026-11-01", "2026-11-20"]`

// Spec is a range as it was asked: relative to today, or a pair of dates. Its zero value is no range; make one with Parse or ParsePair.
type Spec struct {
	today bool
	days  int // the last whole days, today excluded
	dates Range
}

// Parse reads a relative range: "day" is today, "7d" the last seven whole days, without today. A fault.Invalid says what is allowed.
func Parse(s string) (Spec, error) {
	if s == "day" {
		return Spec{today: true}, nil
	}
	digits, isDays := strings.CutSuffix(s, "d")
	if !isDays || digits == "" || len(digits) > 4 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return Spec{}, fault.Invalidf("date_range", "must be %s", allowed)
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n > MaxDays {
		return Spec{}, fault.Invalidf("date_range", "must be %s", allowed)
	}
	return Spec{days: n}, nil
}

// ParsePair reads a first and a last date, both included. A fault.Invalid says what is allowed.
func ParsePair(from, to string) (Spec, error) {
	var r Range
	var ok [2]bool
	r.From, ok[0] = ParseDate(from)
	r.To, ok[1] = ParseDate(to)
	switch {
	case isTime(from) || isTime(to):
		return Spec{}, fault.Invalidf("date_range", "pairs of times are not supported yet; use dates such as 2026-11-20")
	case !ok[0] || !ok[1]:
		return Spec{}, fault.Invalidf("date_range", "must hold two dates such as 2026-11-20, from 1970-01-01 to %s", MaxDate)
	case r.From > r.To:
		return Spec{}, fault.Invalidf("date_range", "the first date must not be after the last")
	case r.Days() > MaxDays:
		return Spec{}, fault.Invalidf("date_range", "must have at most %d days", MaxDays)
	}
	return Spec{dates: r}, nil
}

// Resolve returns the dates the spec means at a moment in a zone.
func (s Spec) Resolve(now time.Time, zone *time.Location) Range {
	today := DateOf(now.In(zone))
	switch {
	case s.today:
		return Range{From: today, To: today}
	case s.days > 0:
		return Range{From: max(0, today-Date(s.days)), To: today - 1} // #nosec G115 -- days is at most MaxDays
	}
	return s.dates
}

func isTime(s string) bool {
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}
