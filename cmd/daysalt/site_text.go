package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/site"
)

// settingTexts are what was set for a site, each in brackets behind a blank, and "" where it holds.
type settingTexts struct{ days, mask, hash, geo, city, visitors string }

func ownText(i admin.SiteInfo) settingTexts {
	own := settingTexts{hash: bracketed(i.OwnHashAddress), geo: bracketed(i.OwnGeoFrom)}
	if i.OwnRetentionDays != 0 {
		own.days = bracketed(strconv.Itoa(i.OwnRetentionDays))
	}
	if i.OwnAddressMask != 0 {
		own.mask = bracketed(strconv.Itoa(i.OwnAddressMask))
	}
	if i.OwnCity {
		own.city = bracketed("yes")
	}
	if i.OwnMinVisitors != nil {
		own.visitors = bracketed(strconv.Itoa(*i.OwnMinVisitors))
	}
	return own
}

func bracketed(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// bracketsMean is the line below settingTexts.
const bracketsMean = "In brackets: what is set for the site, where its preset is stricter."

// describe says what holds for a site, and in brackets what is set for it where its preset is stricter.
func describe(w io.Writer, i admin.SiteInfo) {
	own := ownText(i)
	fmt.Fprintf(w, "%s: preset %s, time zone %s, events are kept for %d days%s\n", i.Domain, i.Preset, zoneText(i), i.RetentionDays, own.days)
	fmt.Fprintf(w, "  address mask %d%s, %s%s, %s%s, %s%s\n", i.AddressMask, own.mask, numbersText(i), own.hash, geoText(i), own.geo, cityText(i), own.city)
	fmt.Fprintf(w, "  times to the %s, %s, %s, %s\n", i.TimeStep, either(i.ReferrerHost, "hosts of referrers", "hosts and paths of referrers"),
		either(i.Versions, "major versions", "no versions"), either(i.Screen, "screen classes", "no screens"))
	fmt.Fprintf(w, "  %s, campaigns %s\n", propsText(i), i.Campaigns)
	fmt.Fprintf(w, "  answers show %s%s, DNT is %s\n", rowsText(i), own.visitors, either(i.DNT, "an objection", "ignored"))
	if i.BrandName != "" || i.BrandColor != "" {
		fmt.Fprintf(w, "  opt-out page: name %q, colour %s\n", either(i.BrandName != "", i.BrandName, i.Domain), either(i.BrandColor != "", i.BrandColor, "default"))
	}
	if own != (settingTexts{}) {
		fmt.Fprintln(w, bracketsMean)
	}
}

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

func numbersText(i admin.SiteInfo) string {
	if !i.Visitors {
		return "no visitor numbers"
	}
	return "visitor numbers from the " + i.HashAddress + " address"
}

func geoText(i admin.SiteInfo) string {
	if i.GeoFrom == site.GeoOff.String() {
		return "no locations"
	}
	return "locations from the " + i.GeoFrom + " address"
}

func cityText(i admin.SiteInfo) string {
	return either(i.City, "region and city", "no region and city")
}

func propsText(i admin.SiteInfo) string {
	switch {
	case i.Props == site.PropsNone.String():
		return "no properties"
	case i.Props == site.PropsListed.String() && len(i.AllowProps) == 0:
		return "no properties but those of allow_props, which names none"
	case i.Props == site.PropsListed.String():
		return "only the properties " + strings.Join(i.AllowProps, ", ")
	}
	return "all properties, redacted"
}

func rowsText(i admin.SiteInfo) string {
	if i.MinVisitors == 0 {
		return "every row"
	}
	return fmt.Sprintf("no row with fewer than %d visitors", i.MinVisitors)
}
