package site

import (
	"math"
	"time"
)

// Preset names a bundle of privacy settings that a site is at least as strict as.
type Preset uint8

// The presets.
const (
	Default Preset = iota // asks for nothing
	Masked                // addresses are masked
	CNIL                  // what the French authority asks of a measurement without consent, as docs/privacy.md has it
	Strict                // nobody is recognised, not even for a day
)

// String returns the name, as ParsePreset takes it.
func (p Preset) String() string { return presets()[p] }

func presets() []string { return []string{"default", "masked", "cnil", "strict"} }

// ParsePreset returns the Preset of a name, "default", "masked", "cnil" or "strict", and a fault naming the field "preset" where there is none.
func ParsePreset(name string) (Preset, error) {
	i, err := parseName("preset", name, presets())
	return Preset(i), err
}

// Props says which properties of an event are stored.
type Props uint8

// Which properties may be stored, the strictest last.
const (
	PropsRedacted Props = iota // all, without what looks like personal data
	PropsListed                // of these, only those that the site names
	PropsNone
)

// String returns the name: redacted, listed or none.
func (p Props) String() string { return []string{"redacted", "listed", "none"}[p] }

// Campaigns says what is stored of campaign values, the utm_ parameters.
type Campaigns uint8

// What may be stored of a campaign, the strictest last.
const (
	CampaignsRedacted Campaigns = iota // its values, without what looks like personal data
	CampaignsMasked                    // that there was one
	CampaignsNone
)

// String returns the name: redacted, masked or none.
func (c Campaigns) String() string { return []string{"redacted", "masked", "none"}[c] }

// held returns the site with every setting that holds: of each, the stricter of what was set for it and what its preset asks for. It reads
// Preset and Own, and leaves alone what no preset knows.
func held(s Site) Site {
	lax := laxest(s.Preset)
	s.RetentionDays = min(s.Own.RetentionDays, lax.RetentionDays)
	s.AddressMask = max(s.Own.AddressMask, lax.AddressMask)
	s.HashAddress = max(s.Own.HashAddress, lax.HashAddress)
	s.GeoFrom = max(s.Own.GeoFrom, lax.GeoFrom)
	s.City = s.Own.City && lax.City
	s.MinVisitors = max(s.Own.MinVisitors, lax.MinVisitors)
	s.Visitors, s.TimeStep, s.ReferrerHost, s.Versions = lax.Visitors, lax.TimeStep, lax.ReferrerHost, lax.Versions
	s.Screen, s.Props, s.Campaigns = lax.Screen, lax.Props, lax.Campaigns
	return s
}

// laxest returns the least strict settings that a preset allows.
func laxest(p Preset) Site {
	s := Site{
		RetentionDays: math.MaxUint16, AddressMask: 1, HashAddress: HashFull, GeoFrom: GeoCut, Visitors: true, TimeStep: time.Second,
		Versions: true, Screen: true, City: true, Props: PropsRedacted,
	}
	switch p {
	case Default:
	case Masked:
		s.AddressMask, s.HashAddress, s.GeoFrom = 2, HashMasked, GeoMasked
	case CNIL:
		s.AddressMask, s.HashAddress, s.GeoFrom = 2, HashMasked, GeoMasked
		s.TimeStep, s.ReferrerHost, s.Screen, s.City = time.Minute, true, false, false
		s.Props, s.Campaigns = PropsListed, CampaignsMasked
		s.RetentionDays, s.MinVisitors = 759, 10
	case Strict:
		s.Visitors, s.AddressMask, s.HashAddress, s.GeoFrom = false, 4, HashMasked, GeoOff // nothing is hashed: masked is what would be least
		s.TimeStep, s.ReferrerHost, s.Versions, s.Screen, s.City = time.Hour, true, false, false, false
		s.Props, s.Campaigns = PropsNone, CampaignsNone
		s.RetentionDays, s.MinVisitors = 31, 10
	}
	return s
}
