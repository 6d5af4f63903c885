package period

import "time"

// quarter is the step at which every zone's clock has the same hour: all offsets in use are multiples of it.
const quarter = 15 * time.Minute

// Interval is the length of the buckets of a series.
type Interval uint8

// The intervals. Auto becomes one of the others by Range.Interval.
const (
	Auto Interval = iota
	Hour
	Day
	Week
	Month
)

// The longest ranges, in days, that Auto cuts into hours, days and weeks; longer ones are cut into months.
const (
	autoHours = 2
	autoDays  = 40
	autoWeeks = 52 * 7
)

// Interval returns the interval that suits the range when i is Auto, and i otherwise.
func (r Range) Interval(i Interval) Interval {
	switch n := r.Days(); {
	case i != Auto:
		return i
	case n <= autoHours:
		return Hour
	case n <= autoDays:
		return Day
	case n <= autoWeeks:
		return Week
	}
	return Month
}

// Labels returns the name of every bucket of the range in order, those without events and those to come included. An hour is named
// 2026-11-22 14:00:00 in the zone's wall-clock time; a day, a week and a month are named by a date: the day, the week's first day
// inside the range, the month's first day.
func (r Range) Labels(i Interval, zone *time.Location) []string {
	if r.Interval(i) == Hour {
		return r.hours(zone)
	}
	var labels []string
	for d := r.From; d <= r.To; d++ {
		label := r.label(d, r.Interval(i)).String()
		if len(labels) == 0 || labels[len(labels)-1] != label {
			labels = append(labels, label)
		}
	}
	return labels
}

// label returns the date that names the bucket of a day. A week's label stays inside the range, so that it can be asked for again.
func (r Range) label(d Date, i Interval) Date {
	switch i {
	case Week:
		return max(d.Monday(), r.From)
	case Month:
		return d.MonthStart()
	default:
		return d
	}
}

func (r Range) hours(zone *time.Location) []string {
	labels := make([]string, 0, 24*r.Days())
	for d := r.From; d <= r.To; d++ {
		// seen has a bit for each hour of the day: the hour that comes twice is named once.
		var seen uint32
		for t := d.Start(zone); DateOf(t) == d; t = t.Add(quarter) {
			if bit := uint32(1) << t.Hour(); seen&bit == 0 {
				seen |= bit
				labels = append(labels, t.Format("2006-01-02 15:00:00"))
			}
		}
	}
	return labels
}
