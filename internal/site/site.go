// Package site knows the sites: which domains are measured, in which time zone a site's day begins, how long its rows are kept, how much of a
// visitor's address may be used, what of an event may be stored, and what is taken out of texts.
//
// ingest looks a site up for every event; the command line and the API change sites through the same Registry.
//
// Invariants: a look-up reads one immutable snapshot and takes no lock. A change is in the snapshot before the call that made it returns. A
// site's id is never given to another site. A new time zone begins at a midnight of the old or the new zone, whichever is later.
//
// A privacy setting holds from the next look-up on, for the stricter and the laxer value alike. Of what is set for a site and what its preset asks for
// the stricter holds, setting by setting, and a preset changes nothing of what is set. A stored value that is not allowed is an error, never a default.
//
// It deletes no events: Removed says whose the caller has to delete. It masks, hashes and redacts nothing: ingest does, by what a Site says.
package site

import (
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/redact"
)

// Site is one measured site. It is immutable. Its privacy settings are those that hold: the stricter of what was set for the site and what its preset asks
// for. What was set is in Own.
type Site struct {
	ID            uint32
	Domain        string // lower case, without "www.", non-ASCII names in punycode
	Created       time.Time
	Preset        Preset
	RetentionDays uint16        // days after which its events are deleted
	AddressMask   int           // 1 leaves the /24 or /64 network of an address, 2 /16 or /48, 3 /8 or /24, 4 nothing
	HashAddress   HashAddress   // what the visitor number is made from
	GeoFrom       GeoFrom       // what the location is looked up with
	Visitors      bool          // visitor numbers are made; without them there are no visitors and no visits, only pageviews and events
	TimeStep      time.Duration // a second, a minute or an hour: times are stored to this
	ReferrerHost  bool          // of a referrer only the host is stored
	Versions      bool          // major versions of browser and system are stored
	Screen        bool          // the class of the screen is stored
	City          bool          // region and city are stored, where they are known
	Props         Props         // which properties are stored
	AllowProps    []string      // names of the properties that PropsListed leaves; not to be changed
	Campaigns     Campaigns     // what is stored of campaign values
	MinVisitors   int           // a row of an answer has at least so many visitors; 0 for any number
	DNT           bool          // DNT: 1 is an objection
	BrandName     string        // on the opt-out page, instead of the domain; may be ""
	BrandColor    string        // on the opt-out page: #rrggbb, or "" for the default
	Redact        *redact.Rules // the site's own rules, ready to use; nil for none
	RedactRules   []Rule        // the same as people wrote them, in the order in which they apply; not to be changed
	Own           Own

	zones []zoneStart // oldest first, never empty
	plain bool        // Domain has no digit, and nothing in it looks like personal data
}

// Own is what was set for a site where its preset may ask for more.
type Own struct {
	RetentionDays uint16
	AddressMask   int
	HashAddress   HashAddress
	GeoFrom       GeoFrom
	City          bool
	MinVisitors   int
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

// OwnHost reports whether a host name without a port is the site's own: its domain or any name below it, www. too. Upper case, non-ASCII names and a dot
// at the end do not matter.
func (s *Site) OwnHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if strings.ContainsFunc(host, func(c rune) bool { return c >= utf8.RuneSelf }) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return false
		}
		host = ascii
	}
	if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return false
	}
	return host == s.Domain || strings.HasSuffix(host, "."+s.Domain)
}

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
