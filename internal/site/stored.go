package site

import (
	"encoding/json"
	"strconv"

	"github.com/daysalt/daysalt/internal/fault"
)

// stored are settings of a site as the database has them: texts, because somebody may have written anything there by hand.
type stored struct{ preset, days, mask, hash, geo, city, dnt, props, visitors, name, color string }

// into reads what was set. It fails with Invalid for a value that is not allowed, naming the field.
func (p stored) into(s *Site) error {
	days := 0
	for _, read := range []func() error{
		func() (err error) { s.Preset, err = ParsePreset(p.preset); return err },
		func() (err error) { days, err = parseWhole(p.days, checkRetention, badRetention); return err },
		func() (err error) { s.Own.AddressMask, err = parseWhole(p.mask, checkMask, badMask); return err },
		func() (err error) { s.Own.HashAddress, err = ParseHashAddress(p.hash); return err },
		func() (err error) { s.Own.GeoFrom, err = ParseGeoFrom(p.geo); return err },
		func() (err error) { s.Own.City, err = parseSwitch("city", p.city); return err },
		func() (err error) { s.DNT, err = parseSwitch("dnt", p.dnt); return err },
		func() (err error) { s.AllowProps, err = parseAllowProps(p.props); return err },
		func() (err error) {
			s.Own.MinVisitors, err = parseWhole(p.visitors, checkMinVisitors, badMinVisitors)
			return err
		},
		func() (err error) { s.BrandName, err = parseBrandName(p.name); return err },
		func() (err error) { s.BrandColor, err = parseBrandColor(p.color); return err },
	} {
		if err := read(); err != nil {
			return err
		}
	}
	s.Own.RetentionDays = uint16(days)
	return nil
}

// parseWhole reads a whole number and checks it; bad says what is wrong with a text that is none.
func parseWhole(text string, check func(int) error, bad func(string) error) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, bad(text)
	}
	return n, check(n)
}

func parseSwitch(field, text string) (bool, error) {
	if text != "0" && text != "1" {
		return false, fault.Invalidf(field, "is %s, and must be 0 or 1", text)
	}
	return text == "1", nil
}

// parseAllowProps reads a JSON list of names; no names are nil.
func parseAllowProps(text string) ([]string, error) {
	var names []string
	if err := json.Unmarshal([]byte(text), &names); err != nil || names == nil {
		return nil, fault.Invalidf("allow_props", "is no JSON list of names")
	}
	if len(names) == 0 {
		return nil, nil
	}
	return names, checkAllowProps(names)
}
