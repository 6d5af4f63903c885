package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/site"
)

// Abuse is what the socket may ask about abuse.
type Abuse interface {
	// Recording says whether addresses are noted now (addresses.store).
	Recording() bool
	Abuse(ctx context.Context, f abuse.Filter) ([]abuse.Summary, error)
}

// AbuseQuery asks for the addresses that most events came from.
type AbuseQuery struct {
	Domain string // "": all sites, and events that named none of them
	Hours  int    // 1 to 360, back from now
	Limit  int    // 1 to 1000 rows
}

// AbuseReport is the answer.
type AbuseReport struct {
	Recording bool       `json:"recording"` // false: addresses.store is off, and rows are of the time before
	Rows      []AbuseRow `json:"rows"`      // the most events first
}

// AbuseRow says how often a masked address had one fate on a site.
type AbuseRow struct {
	Site    string    `json:"site"`    // its domain; "" for none of the sites
	Address string    `json:"address"` // masked
	Reason  string    `json:"reason"`
	Events  uint64    `json:"events"`
	First   time.Time `json:"first"` // minutes
	Last    time.Time `json:"last"`
}

// What GET /abuse takes.
const (
	defaultAbuseHours = 24
	largestAbuseHours = 24 * abuse.RetentionDays
	defaultAbuseLimit = 50
	largestAbuseLimit = 1000
)

func (s *Socket) abuseRoutes() {
	if s.abuse != nil {
		s.mux.HandleFunc("GET /abuse", s.listAbuse)
	}
}

func (s *Socket) listAbuse(w http.ResponseWriter, r *http.Request) {
	filter, err := s.abuseFilter(r.URL.Query())
	if err != nil {
		s.fail(w, err)
		return
	}
	sums, err := s.abuse.Abuse(r.Context(), filter)
	if err != nil {
		s.fail(w, err)
		return
	}
	domains := map[uint32]string{}
	for _, one := range s.sites.All() {
		domains[one.ID] = one.Domain
	}
	report := AbuseReport{Recording: s.abuse.Recording(), Rows: make([]AbuseRow, len(sums))}
	for i, sum := range sums {
		report.Rows[i] = AbuseRow{
			Site: domains[sum.SiteID], Address: sum.Address.String(), Reason: sum.Reason, Events: sum.Events, First: sum.First, Last: sum.Last,
		}
	}
	s.answer(w, http.StatusOK, report)
}

func (s *Socket) abuseFilter(in url.Values) (abuse.Filter, error) {
	hours, err := numberParam(in, "hours", defaultAbuseHours, largestAbuseHours)
	if err != nil {
		return abuse.Filter{}, err
	}
	limit, err := numberParam(in, "limit", defaultAbuseLimit, largestAbuseLimit)
	if err != nil {
		return abuse.Filter{}, err
	}
	filter := abuse.Filter{From: s.now().Add(-time.Duration(hours) * time.Hour), Limit: limit}
	if domain := in.Get("domain"); domain != "" {
		id, err := s.siteID(domain)
		if err != nil {
			return abuse.Filter{}, err
		}
		filter.SiteID = &id
	}
	return filter, nil
}

// siteID returns the number of the site with a domain as people write it.
func (s *Socket) siteID(text string) (uint32, error) {
	domain, err := site.ParseDomain(text)
	if err != nil {
		return 0, err
	}
	for _, one := range s.sites.All() {
		if one.Domain == domain {
			return one.ID, nil
		}
	}
	return 0, fault.NotFoundf("domain", "%s is not one of the sites", domain)
}

// numberParam returns a parameter between 1 and most, or what it is where it is left out.
func numberParam(in url.Values, name string, otherwise, most int) (int, error) {
	if !in.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(in.Get(name))
	if err != nil || n < 1 || n > most {
		return 0, fault.Invalidf(name, "is %q, and must be a number between 1 and %d", in.Get(name), most)
	}
	return n, nil
}
