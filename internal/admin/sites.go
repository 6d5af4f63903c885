package admin

import (
	"time"

	"github.com/daysalt/daysalt/internal/site"
)

// SiteInfo is a site as the socket shows it: every setting as it holds, and beside it what was set where the preset is stricter.
type SiteInfo struct {
	Domain        string      `json:"domain"`
	Timezone      string      `json:"timezone"`
	NextTimezone  string      `json:"next_timezone,omitempty"`
	NextFrom      time.Time   `json:"next_from,omitzero"`
	Preset        string      `json:"preset"` // default, masked, cnil, strict
	RetentionDays int         `json:"retention_days"`
	AddressMask   int         `json:"address_mask"`
	HashAddress   string      `json:"hash_address"` // without visitors it means nothing
	GeoFrom       string      `json:"geo_from"`
	City          bool        `json:"city"`
	DNT           bool        `json:"dnt"`
	AllowProps    []string    `json:"allow_props"`
	MinVisitors   int         `json:"min_visitors"`
	BrandName     string      `json:"brand_name"`
	BrandColor    string      `json:"brand_color"`
	Redact        []site.Rule `json:"redact"`
	Created       time.Time   `json:"created"`

	// What only a preset decides.
	Visitors     bool   `json:"visitors"`
	TimeStep     string `json:"time_step"` // second, minute, hour
	ReferrerHost bool   `json:"referrer_host"`
	Versions     bool   `json:"versions"`
	Screen       bool   `json:"screen"`
	Props        string `json:"props"`     // redacted, listed, none
	Campaigns    string `json:"campaigns"` // redacted, masked or none

	// What was set where something else holds; 0, "" and nil where it holds.
	OwnRetentionDays int    `json:"own_retention_days,omitempty"`
	OwnAddressMask   int    `json:"own_address_mask,omitempty"`
	OwnHashAddress   string `json:"own_hash_address,omitempty"`
	OwnGeoFrom       string `json:"own_geo_from,omitempty"`
	OwnCity          bool   `json:"own_city,omitempty"`
	OwnMinVisitors   *int   `json:"own_min_visitors,omitempty"`

	// NewNumbers is true in the answer to a change from which on visitors have other numbers than earlier on that day, or none.
	NewNumbers bool `json:"new_numbers,omitempty"`
}

// AddSite is what it takes to make a site; RetentionDays 0 means the server's default, nil the default of a new site.
type AddSite struct {
	Domain        string       `json:"domain"`
	Timezone      string       `json:"timezone"`
	Preset        *string      `json:"preset,omitempty"`
	RetentionDays int          `json:"retention_days"`
	AddressMask   *int         `json:"address_mask,omitempty"`
	HashAddress   *string      `json:"hash_address,omitempty"`
	GeoFrom       *string      `json:"geo_from,omitempty"`
	City          *bool        `json:"city,omitempty"`
	DNT           *bool        `json:"dnt,omitempty"`
	AllowProps    *[]string    `json:"allow_props,omitempty"`
	MinVisitors   *int         `json:"min_visitors,omitempty"`
	BrandName     *string      `json:"brand_name,omitempty"`
	BrandColor    *string      `json:"brand_color,omitempty"`
	Redact        *[]site.Rule `json:"redact,omitempty"`
}

func (s *Socket) info(one *site.Site) SiteInfo {
	info := SiteInfo{
		Domain: one.Domain, Timezone: one.Zone(s.now()).String(), Created: one.Created, Preset: one.Preset.String(), RetentionDays: int(one.RetentionDays),
		AddressMask: one.AddressMask, HashAddress: one.HashAddress.String(), GeoFrom: one.GeoFrom.String(), City: one.City, DNT: one.DNT,
		AllowProps: append([]string{}, one.AllowProps...), MinVisitors: one.MinVisitors, BrandName: one.BrandName, BrandColor: one.BrandColor,
		Redact:   append([]site.Rule{}, one.RedactRules...), // a list without rules is [], not null
		Visitors: one.Visitors, TimeStep: stepName(one.TimeStep), ReferrerHost: one.ReferrerHost, Versions: one.Versions, Screen: one.Screen,
		Props: one.Props.String(), Campaigns: one.Campaigns.String(),
		OwnCity: one.Own.City && !one.City,
	}
	if zone, from := one.NextZone(s.now()); zone != nil {
		info.NextTimezone, info.NextFrom = zone.String(), from
	}
	own := one.Own
	if own.RetentionDays != one.RetentionDays {
		info.OwnRetentionDays = int(own.RetentionDays)
	}
	if own.AddressMask != one.AddressMask {
		info.OwnAddressMask = own.AddressMask
	}
	if own.HashAddress != one.HashAddress {
		info.OwnHashAddress = own.HashAddress.String()
	}
	if own.GeoFrom != one.GeoFrom {
		info.OwnGeoFrom = own.GeoFrom.String()
	}
	if own.MinVisitors != one.MinVisitors {
		info.OwnMinVisitors = &own.MinVisitors
	}
	return info
}

func stepName(step time.Duration) string {
	switch step {
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	default:
		return "second"
	}
}
