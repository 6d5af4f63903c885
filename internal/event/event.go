// Package event is the vocabulary of the write line: one event as ingest made it, and the frames of the journal, which hold events.
//
// ingest fills an Event and appends its frame to the journal; ship decodes it, joins the event to a visit and writes it as a row. A frame begins
// with its type, and is encoded append-style, so that the hot path allocates nothing for it.
//
// Invariants: an Event holds no address and no user agent, only what was derived from them. Day is the site-local day of the key that made
// Visitor; it is set once, by ingest, and never computed again from Time.
//
// It does not validate: ingest does that before it fills an Event.
package event

// Kind says what happened.
type Kind uint8

// The kinds, with the values of the kind column in ClickHouse.
const (
	Pageview   Kind = 0
	Engagement Kind = 1 // time and scroll depth on a page; counts as no event
	Custom     Kind = 2
)

// NoScroll in Event.Scroll says that the event carried no scroll depth.
const NoScroll = 255

// Day is a calendar day, in days since 1970-01-01. A site-local date is stored as the Day with the same year, month and day.
type Day uint16

// Event is one thing a visitor did, with everything that is ever known of it but the visit it belongs to.
type Event struct {
	SiteID  uint32
	Day     Day    // site-local day of the key that made Visitor
	Time    int64  // seconds since 1970-01-01 UTC
	Visitor uint64 // 0: no visitor number was made

	Kind        Kind
	Interactive bool   // false: does not end a bounce
	Name        string // event name; "pageview" and "engagement" for those kinds
	Hostname    string // of the page, without "www."
	Path        string // of the page

	Source   string // "" is Direct
	Channel  string
	Referrer string // host and path
	ClickID  string // name of the click id parameter ("gclid"), never its value

	UTMSource, UTMMedium, UTMCampaign, UTMContent, UTMTerm string

	Country string // ISO 3166-1 alpha-2, or ""
	Region  string // ISO 3166-2, or ""
	City    uint32 // GeoNames id, or 0

	Browser, BrowserVersion, OS, OSVersion, Device, Screen, Language string

	PropKeys, PropValues []string // same length

	Scroll    uint8  // percent 0 to 100, or NoScroll
	EngagedMS uint32 // milliseconds

	Amount   int64  // revenue in thousandths of Currency
	Currency string // ISO 4217, or ""

	RetentionDays uint16 // after how many days the row is deleted
}

// Row is an event joined to its visit: one row of the events table. Engagement that belongs to no visit stands alone: its VisitStart is its own
// time, and its attributes are its own.
type Row struct {
	Event             // its acquisition, place and client are those of the visit's first event
	Origin     uint16 // number of the import it came with, or 0
	VisitStart int64  // seconds since 1970-01-01 UTC; unique per visitor
	Seq        uint16 // position in the visit, from 0; stays at 65535 beyond it
	EntryHost  string
	EntryPage  string
}
