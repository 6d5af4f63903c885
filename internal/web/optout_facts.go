package web

import (
	"strconv"
	"strings"
	"time"

	"github.com/daysalt/daysalt/internal/site"
)

// noMask is the address_mask that leaves nothing of an address.
const noMask = 4

// fact is a sentence of the opt-out page, by its key in the files of sentences.
type fact = string

// facts are what the opt-out page says of a site's measurement, each a list in the order in which it is read.
type facts struct {
	recognised, stored, kept []fact
	words                    map[string]fact // sentences that stand in braces of others
	values                   map[string]string
}

// factsOf says what holds for a site now. Each setting that decides what is made of a visit has a sentence for each of its values.
func factsOf(s *site.Site, now time.Time, storesAddresses bool) facts {
	f := facts{words: map[string]fact{}, values: map[string]string{
		"domain": s.Domain, "zone": s.Zone(now).String(), "days": strconv.Itoa(int(s.RetentionDays)), "props": strings.Join(s.AllowProps, ", "),
	}}
	f.recognise(s)
	f.address(s, storesAddresses)
	f.stored = []fact{"page", "event"}
	if s.Visitors {
		f.stored = append(f.stored, "visit", "reading")
	}
	f.stored = append(f.stored, timeFact(s.TimeStep))
	f.origin(s)
	f.client(s)
	f.place(s)
	f.properties(s)
	f.kept = []fact{"kept_days"}
	if s.RetentionDays == 1 {
		f.kept = []fact{"kept_day"}
	}
	return f
}

// recognise says what visitor numbers are made from, and how long they hold.
func (f *facts) recognise(s *site.Site) {
	f.recognised = []fact{"no_cookie"}
	switch {
	case !s.Visitors:
		f.recognised = append(f.recognised, "no_number")
		return
	case s.HashAddress == site.HashFull:
		f.words["hashed"] = "address_full"
	case s.AddressMask < noMask:
		f.words["hashed"] = "address_" + strconv.Itoa(s.AddressMask)
	default:
		f.recognised = append(f.recognised, "number_alone", "until")
		return
	}
	f.recognised = append(f.recognised, "number", "until")
}

// address says what becomes of the address itself. Of sites without visitor numbers none is noted, and a mask may leave nothing to note.
func (f *facts) address(s *site.Site, stores bool) {
	if !stores || !s.Visitors || s.AddressMask >= noMask {
		f.recognised = append(f.recognised, "address_used")
		return
	}
	f.recognised = append(f.recognised, "address_noted")
	f.words["noted"] = "noted_" + strconv.Itoa(s.AddressMask)
}

func timeFact(step time.Duration) fact {
	switch {
	case step >= time.Hour:
		return "time_hour"
	case step >= time.Minute:
		return "time_minute"
	}
	return "time_second"
}

// origin says what is stored of where a visit came from.
func (f *facts) origin(s *site.Site) {
	referrer := fact("referrer")
	if s.ReferrerHost {
		referrer = "referrer_host"
	}
	f.stored = append(f.stored, referrer, "source")
	switch s.Campaigns {
	case site.CampaignsRedacted:
		f.stored = append(f.stored, "campaign")
	case site.CampaignsMasked:
		f.stored = append(f.stored, "campaign_masked")
	case site.CampaignsNone:
	}
	f.stored = append(f.stored, "click_id")
}

func (f *facts) client(s *site.Site) {
	client := "client"
	if s.Versions {
		client = "client_versions"
	}
	f.stored = append(f.stored, client)
	if s.Screen {
		f.stored = append(f.stored, "screen")
	}
	f.stored = append(f.stored, "language")
}

// place says what the location is looked up with. Whatever the mask, geo cuts an address to the /24 or /48 network.
func (f *facts) place(s *site.Site) {
	switch {
	case s.GeoFrom == site.GeoOff || s.GeoFrom == site.GeoMasked && s.AddressMask >= noMask:
		f.recognised = append(f.recognised, "no_place")
		return
	case s.GeoFrom == site.GeoMasked && s.AddressMask > 1:
		f.words["located"] = "address_" + strconv.Itoa(s.AddressMask)
	default:
		f.words["located"] = "address_cut"
	}
	if s.City {
		f.stored = append(f.stored, "place")
	} else {
		f.stored = append(f.stored, "country")
	}
}

func (f *facts) properties(s *site.Site) {
	switch {
	case s.Props == site.PropsRedacted:
		f.stored = append(f.stored, "properties")
	case s.Props == site.PropsListed && len(s.AllowProps) > 0:
		f.stored = append(f.stored, "properties_listed")
	default:
		f.recognised = append(f.recognised, "no_properties")
	}
}
