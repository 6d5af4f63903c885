package ingest

import (
	"slices"
	"strings"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/site"
)

// masked stands where a campaign's text was, on sites that store at most that there was one.
const masked = "{masked}"

// limit takes out of an event what its site does not store. It comes after everything else was filled in, so that nobody who fills in more has to ask
// what a site wants. Campaigns and properties have limits of their own, below.
func limit(e *event.Event, s *site.Site) {
	if s.Versions {
		e.BrowserVersion, e.OSVersion = major(e.BrowserVersion), major(e.OSVersion)
	} else {
		e.BrowserVersion, e.OSVersion = "", ""
	}
	if !s.Screen {
		e.Screen = ""
	}
	if !s.City || s.GeoFrom == site.GeoOff {
		e.Region, e.City = "", 0
	}
	if s.ReferrerHost {
		e.Referrer, _, _ = strings.Cut(e.Referrer, "/")
	}
	if !s.Visitors { // how long and how far somebody read is measured by visit
		e.Scroll, e.EngagedMS = event.NoScroll, 0
	}
}

// major returns the first number of a version.
func major(version string) string {
	for i := range len(version) {
		if version[i] == '.' {
			return version[:i]
		}
	}
	return version
}

// limitCampaign masks what a campaign said of itself, or takes it out. given says that the source is nothing but that; where nothing of a campaign is
// stored such a source is masked too, because without one the visit would be a direct one. The channel stays: it is one of few.
func limitCampaign(e *event.Event, s *site.Site, given bool) {
	if s.Campaigns == site.CampaignsRedacted {
		return
	}
	for _, value := range [...]*string{&e.UTMSource, &e.UTMMedium, &e.UTMCampaign, &e.UTMContent, &e.UTMTerm} {
		switch {
		case s.Campaigns == site.CampaignsNone:
			*value = ""
		case *value != "":
			*value = masked
		}
	}
	if given {
		e.Source = masked
	}
}

// storesProp reports whether a site stores properties of this name.
func storesProp(s *site.Site, name string) bool {
	switch s.Props {
	case site.PropsRedacted:
		return true
	case site.PropsListed:
		return slices.Contains(s.AllowProps, name)
	case site.PropsNone:
	}
	return false
}

// dayOf returns the calendar day of t in a zone.
func dayOf(t time.Time, zone *time.Location) event.Day {
	return event.Day(localSeconds(t, zone) / daySeconds)
}

// cutTime returns when the second, minute or hour of a zone's clocks began that t is in, in seconds since 1970. Hours of a zone whose clocks are 45 minutes
// off begin at a quarter past, by UTC.
func cutTime(t time.Time, zone *time.Location, step time.Duration) int64 {
	if step <= time.Second {
		return t.Unix()
	}
	return t.Unix() - localSeconds(t, zone)%int64(step/time.Second)
}

// localSeconds returns what a zone's clocks show at t, in seconds since they showed the beginning of 1970.
func localSeconds(t time.Time, zone *time.Location) int64 {
	_, offset := t.In(zone).Zone()
	return t.Unix() + int64(offset)
}
