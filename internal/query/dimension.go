package query

import "github.com/daysalt/daysalt/internal/period"

// Dimension is the name of something that rows are broken down by or filtered on.
type Dimension string

// The dimensions.
const (
	EventPage     Dimension = "event:page"
	EventHostname Dimension = "event:hostname"

	EntryPage      Dimension = "visit:entry_page"
	ExitPage       Dimension = "visit:exit_page"
	Source         Dimension = "visit:source"
	Channel        Dimension = "visit:channel"
	Referrer       Dimension = "visit:referrer"
	UTMSource      Dimension = "visit:utm_source"
	UTMMedium      Dimension = "visit:utm_medium"
	UTMCampaign    Dimension = "visit:utm_campaign"
	UTMContent     Dimension = "visit:utm_content"
	UTMTerm        Dimension = "visit:utm_term"
	Country        Dimension = "visit:country"
	Browser        Dimension = "visit:browser"
	BrowserVersion Dimension = "visit:browser_version"
	OS             Dimension = "visit:os"
	OSVersion      Dimension = "visit:os_version"
	Device         Dimension = "visit:device"

	Time Dimension = "time" // hours, days, weeks or months, as suits the range
	// TimeHour are hours of a site's day. They are told by the zone that the site has now, those of days before a change of its zone too.
	TimeHour  Dimension = "time:hour"
	TimeDay   Dimension = "time:day"
	TimeWeek  Dimension = "time:week"
	TimeMonth Dimension = "time:month"
)

// class says where a dimension's value is found.
type class uint8

const (
	eventClass   class = iota // on the event's own row
	storedClass               // of the visit, and equal on every row of it
	derivedClass              // of the visit, known only from all its rows
	timeClass                 // of the clock
)

// What stands for a value that is not there, as published for the API this one follows.
const (
	direct = "Direct / None"
	notSet = "(not set)"
	none   = "(none)"
)

// column is what a dimension is in SQL.
type column struct {
	name     Dimension
	class    class
	row      string          // column of events; "" for derived and time dimensions
	visit    string          // column of visit_rows; of an event dimension: what the visit entered on
	blank    string          // what an empty value is called
	interval period.Interval // of a time dimension
}

// columns is the closed table of identifiers.
func columns() []column {
	return []column{
		{name: EventPage, class: eventClass, row: "path", visit: "v_entry_page", blank: none},
		{name: EventHostname, class: eventClass, row: "hostname", visit: "v_entry_host", blank: none},
		{name: EntryPage, class: derivedClass, visit: "v_entry_page", blank: none},
		{name: ExitPage, class: derivedClass, visit: "v_exit_page", blank: none},
		{name: Source, class: storedClass, row: "source", visit: "v_source", blank: direct},
		{name: Channel, class: storedClass, row: "channel", visit: "v_channel", blank: notSet},
		{name: Referrer, class: storedClass, row: "referrer", visit: "v_referrer", blank: direct},
		{name: UTMSource, class: storedClass, row: "utm_source", visit: "v_utm_source", blank: notSet},
		{name: UTMMedium, class: storedClass, row: "utm_medium", visit: "v_utm_medium", blank: notSet},
		{name: UTMCampaign, class: storedClass, row: "utm_campaign", visit: "v_utm_campaign", blank: notSet},
		{name: UTMContent, class: storedClass, row: "utm_content", visit: "v_utm_content", blank: notSet},
		{name: UTMTerm, class: storedClass, row: "utm_term", visit: "v_utm_term", blank: notSet},
		{name: Country, class: storedClass, row: "country", visit: "v_country", blank: notSet},
		{name: Browser, class: storedClass, row: "browser", visit: "v_browser", blank: notSet},
		{name: BrowserVersion, class: storedClass, row: "browser_version", visit: "v_browser_version", blank: notSet},
		{name: OS, class: storedClass, row: "os", visit: "v_os", blank: notSet},
		{name: OSVersion, class: storedClass, row: "os_version", visit: "v_os_version", blank: notSet},
		{name: Device, class: storedClass, row: "device", visit: "v_device", blank: notSet},
		{name: Time, class: timeClass, interval: period.Auto},
		{name: TimeHour, class: timeClass, interval: period.Hour},
		{name: TimeDay, class: timeClass, interval: period.Day},
		{name: TimeWeek, class: timeClass, interval: period.Week},
		{name: TimeMonth, class: timeClass, interval: period.Month},
	}
}

func lookup(d Dimension) (column, bool) {
	for _, c := range columns() {
		if c.name == d {
			return c, true
		}
	}
	return column{}, false
}

func timeDimension(i period.Interval) Dimension {
	for _, c := range columns() {
		if c.class == timeClass && c.interval == i {
			return c.name
		}
	}
	return TimeDay
}
