// Package site knows the sites: which domains are measured, in which time zone a site's day begins, how long its rows are kept, how much of a
// visitor's address may be used, and what is taken out of texts.
//
// ingest looks a site up for every event; the command line and the API change sites through the same Registry.
//
// Invariants: a look-up reads one immutable snapshot and takes no lock. A change is in the snapshot before the call that made it returns. A
// site's id is never given to another site. A new time zone begins at a midnight of the old or the new zone, whichever is later.
//
// A privacy setting holds from the next look-up on, for the stricter and the laxer value alike. A stored value that is not allowed is an error, never a default.
//
// It deletes no events: Removed says whose the caller has to delete. It masks, hashes and redacts nothing: ingest does, by what a Site says.
package site

import (
	"sort"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/redact"
)

// Site is one measured site. It is immutable.
type Site struct {
	ID            uint32
	Domain        string // lower case, without "www.", non-ASCII names in punycode
	RetentionDays uint16 // days after which its events are deleted
	Created       time.Time
	AddressMask   int           // 1 leaves the /24 or /64 network of an address, 2 /16 or /48, 3 /8 or /24, 4 nothing
	HashAddress   HashAddress   // what the visitor number is made from
	GeoFrom       GeoFrom       // what the location is looked up with
	Redact        *redact.Rules // the site's own rules, ready to use; nil for none
	RedactRules   []Rule        // the same as people wrote them, in the order in which they apply; not to be changed

	zones []zoneStart // oldest first, never empty
	plain bool        // Domain has no digit, and nothing in it looks like personal data
}

// Rule is a redaction rule of a site.
type Rule = redact.Rule

// zoneStart is a time zone and the moment it begins to hold.
type zoneStart struct {
	at   time.Time
	zone *time.Location
}

// Zone returns the time zone that decides the site's day at t.
func (s *Site) Zone(t time.Time) *time.Location {
	i := sort.Search(len(s.zones), func(i int) bool { return s.zones[i].at.After(t) })
	return s.zones[max(i-1, 0)].zone
}

// IsPlainHost reports whether a host is the site's domain and holds nobody's address or other personal data, as nearly all pages' hosts do.
func (s *Site) IsPlainHost(host string) bool { return s.plain && host == s.Domain }

// NextZone returns the time zone that will replace the one at t, and when; nil where none is coming.
func (s *Site) NextZone(t time.Time) (*time.Location, time.Time) {
	last := s.zones[len(s.zones)-1]
	if !last.at.After(t) {
		return nil, time.Time{}
	}
	return last.zone, last.at
}

// ParseDomain returns the domain as sites are stored, and a fault naming the field "domain" where it is none. "https://", a path and
// "www." are what people paste; the first two are refused with a hint, "www." is dropped.
func ParseDomain(text string) (string, error) {
	domain := strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "www."), ".")
	if strings.ContainsAny(domain, "/:@?# ") {
		return "", fault.Invalidf("domain", "%q must be a host name alone, such as example.com", text)
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || ascii == "" || len(ascii) > 253 {
		return "", fault.Invalidf("domain", "%q is not a host name", text)
	}
	return ascii, nil
}

// ParseZone returns the time zone of an IANA name, and a fault naming the field "timezone" where there is none.
func ParseZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fault.Invalidf("timezone", "%q is not a time zone; use a name such as Europe/Berlin or UTC", name)
	}
	return zone, nil
}

func checkRetention(days int) error {
	if days < 1 || days > 3650 {
		return fault.Invalidf("retention_days", "is %d, and must be between 1 and 3650", days)
	}
	return nil
}

// nextMidnight returns the first moment of the day after t's in a zone.
func nextMidnight(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	midnight := time.Date(y, m, d+1, 0, 0, 0, 0, zone)
	// Where clocks jump over midnight, Date may answer an instant of the evening before.
	for midnight.Day() == d {
		midnight = midnight.Add(30 * time.Minute)
	}
	return midnight
}
