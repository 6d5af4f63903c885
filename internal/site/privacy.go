package site

import (
	"slices"
	"strings"

	"github.com/daysalt/daysalt/internal/fault"
)

// HashAddress says how much of a visitor's address goes into the hash that makes the visitor number.
type HashAddress uint8

// What the hash may see.
const (
	HashFull   HashAddress = iota // the whole address
	HashMasked                    // what the site's AddressMask leaves of it
)

// String returns the name, as ParseHashAddress takes it.
func (h HashAddress) String() string { return hashAddresses()[h] }

func hashAddresses() []string { return []string{"full", "masked"} }

// ParseHashAddress returns the HashAddress of a name, "full" or "masked", and a fault naming the field "hash_address" where there is none.
func ParseHashAddress(name string) (HashAddress, error) {
	i, err := parseName("hash_address", name, hashAddresses())
	return HashAddress(i), err
}

// GeoFrom says what a visitor's location is looked up with.
type GeoFrom uint8

// What the location may be looked up with.
const (
	GeoCut    GeoFrom = iota // the address cut to its /24 or /48 network
	GeoMasked                // what the site's AddressMask leaves of that
	GeoOff                   // nothing: there is no location
)

// String returns the name, as ParseGeoFrom takes it.
func (g GeoFrom) String() string { return geoFroms()[g] }

func geoFroms() []string { return []string{"cut", "masked", "off"} }

// ParseGeoFrom returns the GeoFrom of a name, "cut", "masked" or "off", and a fault naming the field "geo_from" where there is none.
func ParseGeoFrom(name string) (GeoFrom, error) {
	i, err := parseName("geo_from", name, geoFroms())
	return GeoFrom(i), err
}

func parseName(field, name string, names []string) (int, error) {
	i := slices.Index(names, name)
	if i < 0 {
		last := len(names) - 1
		return 0, fault.Invalidf(field, "is %q, and must be %s or %s", name, strings.Join(names[:last], ", "), names[last])
	}
	return i, nil
}

// StoreAlike says whether the same is stored of an event by the settings of a and of b.
func StoreAlike(a, b *Site) bool {
	return a.AddressMask == b.AddressMask && a.HashAddress == b.HashAddress && a.GeoFrom == b.GeoFrom && a.Visitors == b.Visitors && a.TimeStep == b.TimeStep &&
		a.ReferrerHost == b.ReferrerHost && a.Versions == b.Versions && a.Screen == b.Screen && a.City == b.City && a.Campaigns == b.Campaigns &&
		a.Props == b.Props && slices.Equal(a.AllowProps, b.AllowProps) && slices.Equal(a.RedactRules, b.RedactRules)
}

// Renumbered says whether a visitor may have one number by the settings before and another, or none, by those after. Who comes under both on
// one day may be two visitors of that day.
func Renumbered(before, after *Site) bool {
	if !before.Visitors || !after.Visitors {
		return before.Visitors != after.Visitors
	}
	return before.HashAddress != after.HashAddress || after.HashAddress == HashMasked && before.AddressMask != after.AddressMask
}
