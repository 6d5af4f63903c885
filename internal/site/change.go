package site

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/redact"
)

// Change is what Create and Set take; nil leaves a value as it is, or at the default of a new site.
type Change struct {
	Timezone      *string   `json:"timezone,omitempty"` // IANA name
	Preset        *string   `json:"preset,omitempty"`   // default, masked, cnil, strict; it leaves the other settings as they are set
	RetentionDays *int      `json:"retention_days,omitempty"`
	AddressMask   *int      `json:"address_mask,omitempty"` // 1 to 4
	HashAddress   *string   `json:"hash_address,omitempty"` // full, masked
	GeoFrom       *string   `json:"geo_from,omitempty"`     // cut, masked, off
	City          *bool     `json:"city,omitempty"`
	DNT           *bool     `json:"dnt,omitempty"`
	AllowProps    *[]string `json:"allow_props,omitempty"`  // all names, at most 50, each 1 to 300 bytes without a comma; an empty list for none
	MinVisitors   *int      `json:"min_visitors,omitempty"` // 0 to 1000
	BrandName     *string   `json:"brand_name,omitempty"`   // at most 60 characters; "" for the domain
	BrandColor    *string   `json:"brand_color,omitempty"`  // #rrggbb; "" for the default
	Redact        *[]Rule   `json:"redact,omitempty"`       // all rules, in their order; an empty list for none

	// RedactWas are the rules that Redact was made from. Where the site has others by now, nothing changes: two people who each add a rule must
	// not lose one.
	RedactWas *[]Rule `json:"redact_was,omitempty"`
}

// check returns the time zone, nil where it stays, and brings texts into the form in which they are stored. It fails with Invalid for the first
// value that is not allowed, naming the field.
func (c *Change) check() (zone *time.Location, err error) {
	if c.Timezone != nil {
		if zone, err = ParseZone(*c.Timezone); err != nil {
			return nil, err
		}
	}
	for _, check := range []func() error{
		func() error { return checked(&c.Preset, parses(ParsePreset)) },
		func() error { return checked(&c.RetentionDays, same(checkRetention)) },
		func() error { return checked(&c.AddressMask, same(checkMask)) },
		func() error { return checked(&c.HashAddress, parses(ParseHashAddress)) },
		func() error { return checked(&c.GeoFrom, parses(ParseGeoFrom)) },
		func() error { return checked(&c.AllowProps, same(checkAllowProps)) },
		func() error { return checked(&c.MinVisitors, same(checkMinVisitors)) },
		func() error { return checked(&c.BrandName, parseBrandName) },
		func() error { return checked(&c.BrandColor, parseBrandColor) },
		func() error {
			return checked(&c.Redact, same(func(rules []Rule) error { _, err := redact.Compile(rules); return err }))
		},
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return zone, nil
}

// checked replaces a value that is given by what check makes of it. What the caller's pointer points at stays as it is.
func checked[T any](value **T, check func(T) (T, error)) error {
	if *value == nil {
		return nil
	}
	next, err := check(**value)
	*value = &next
	return err
}

// same is a check that leaves the value as it is.
func same[T any](check func(T) error) func(T) (T, error) {
	return func(value T) (T, error) { return value, check(value) }
}

// parses is a check that a name is one of those that parse knows.
func parses[T any](parse func(string) (T, error)) func(string) (string, error) {
	return func(name string) (string, error) { _, err := parse(name); return name, err }
}

// Add makes a site with the default privacy settings. It fails as Create does.
func (r *Registry) Add(ctx context.Context, domain, timezone string, retentionDays int) (*Site, error) {
	return r.Create(ctx, domain, Change{Timezone: &timezone, RetentionDays: &retentionDays})
}

// Create makes a site; time zone and retention have no default here. It fails with Invalid for a bad domain or value, naming the field, and
// with Conflict where the domain is taken. No event is ever counted by other settings than these.
func (r *Registry) Create(ctx context.Context, domain string, c Change) (*Site, error) {
	domain, err := ParseDomain(domain)
	if err != nil {
		return nil, err
	}
	if c.Timezone == nil || c.RetentionDays == nil {
		return nil, fault.Invalidf("site", "a new site needs timezone and retention_days")
	}
	zone, err := c.check()
	if err != nil {
		return nil, err
	}
	err = r.change(ctx, func(tx *sql.Tx) error {
		if _, taken := r.Lookup(domain); taken {
			return fault.Conflictf("domain", "%s is there already", domain)
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO sites (domain, retention_days, created_at) VALUES (?, ?, ?)`, domain, *c.RetentionDays, r.now().Unix())
		if err != nil {
			return err
		}
		id, err := res.LastInsertId()
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO site_zones (site_id, starts_at, zone) VALUES (?, 0, ?)`, id, zone.String()); err != nil {
			return err
		}
		return c.write(ctx, tx, id)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot add the site: %w", err)
	}
	return r.Get(domain)
}

// Set changes a site. A new time zone begins at the later of the two zones' next midnights, when the old zone's key is over. Where the new zone
// is west of the old one its first date has begun there already: people who come in both parts of it count twice, once. Everything else holds for
// the next event, a retention for the old ones too; Renumbered says what that does to the day's visitors. It fails with Invalid for a bad value,
// with NotFound for an unknown domain, and with Conflict where the rules are not RedactWas.
func (r *Registry) Set(ctx context.Context, domain string, c Change) (*Site, error) {
	if _, err := r.Get(domain); err != nil {
		return nil, err
	}
	if (c == Change{RedactWas: c.RedactWas}) {
		return nil, fault.Invalidf("site", "nothing to change: name timezone, preset, retention_days, address_mask, hash_address, geo_from, "+
			"city, dnt, allow_props, min_visitors, brand_name, brand_color or redact")
	}
	zone, err := c.check()
	if err != nil {
		return nil, err
	}
	err = r.change(ctx, func(tx *sql.Tx) error {
		s, err := r.Get(domain) // again: others may have changed or removed it meanwhile
		if err != nil {
			return err
		}
		if c.RedactWas != nil && !slices.Equal(*c.RedactWas, s.RedactRules) {
			return fault.Conflictf("redact", "the rules of %s are others by now; look at them and try again", s.Domain)
		}
		if zone != nil {
			if err := setZone(ctx, tx, s, zone, r.now()); err != nil {
				return err
			}
		}
		return c.write(ctx, tx, int64(s.ID))
	})
	if err != nil {
		return nil, fmt.Errorf("cannot change the site: %w", err)
	}
	return r.Get(domain)
}

// write stores everything but the time zone. The change is checked.
func (c *Change) write(ctx context.Context, tx *sql.Tx, id int64) error {
	var props *string
	if c.AllowProps != nil {
		list, err := json.Marshal(append([]string{}, *c.AllowProps...)) // no names are [], not null
		if err != nil {
			return err
		}
		props = new(string(list))
	}
	_, err := tx.ExecContext(ctx, `UPDATE sites SET preset = COALESCE(?, preset), retention_days = COALESCE(?, retention_days),
		address_mask = COALESCE(?, address_mask), hash_address = COALESCE(?, hash_address), geo_from = COALESCE(?, geo_from),
		city = COALESCE(?, city), dnt = COALESCE(?, dnt), allow_props = COALESCE(?, allow_props), min_visitors = COALESCE(?, min_visitors),
		brand_name = COALESCE(?, brand_name), brand_color = COALESCE(?, brand_color) WHERE id = ?`,
		c.Preset, c.RetentionDays, c.AddressMask, c.HashAddress, c.GeoFrom, c.City, c.DNT, props, c.MinVisitors, c.BrandName, c.BrandColor, id)
	if err != nil || c.Redact == nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM site_redactions WHERE site_id = ?`, id); err != nil {
		return err
	}
	for i, rule := range *c.Redact {
		_, err := tx.ExecContext(ctx, `INSERT INTO site_redactions (site_id, position, field, match, replacement) VALUES (?, ?, ?, ?, ?)`,
			id, i, rule.Field, rule.Match, rule.As)
		if err != nil {
			return err
		}
	}
	return nil
}

// setZone replaces whatever change is still to come by this one, or by none where the zone is the present one.
func setZone(ctx context.Context, tx *sql.Tx, s *Site, zone *time.Location, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM site_zones WHERE site_id = ? AND starts_at > ?`, s.ID, now.Unix()); err != nil {
		return err
	}
	current := s.Zone(now)
	if zone.String() == current.String() {
		return nil
	}
	start := nextMidnight(now, current)
	if other := nextMidnight(now, zone); other.After(start) {
		start = other
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO site_zones (site_id, starts_at, zone) VALUES (?, ?, ?)`, s.ID, start.Unix(), zone.String())
	return err
}
