package site

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/daysalt/daysalt/internal/redact"
)

// reload reads all sites as they are at one moment, and makes them the snapshot. r.mu is held.
func (r *Registry) reload(ctx context.Context) error {
	tx, err := r.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("cannot read the sites: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	sites, err := readSites(ctx, tx)
	if err != nil {
		return err
	}
	if err := readRules(ctx, tx, sites); err != nil {
		return err
	}
	next := make(map[string]*Site, len(sites))
	for _, s := range sites {
		if s.Redact, err = redact.Compile(s.RedactRules); err != nil {
			return fmt.Errorf("cannot read site %s: %w", s.Domain, err)
		}
		redacted, _ := redact.Path(s.Domain, nil)
		s.plain = redacted == s.Domain && !strings.ContainsAny(s.Domain, "0123456789:")
		next[s.Domain] = s
	}
	r.snapshot.Store(&next)
	return nil
}

// readSites reads the sites by id, without their rules.
func readSites(ctx context.Context, tx *sql.Tx) ([]*Site, error) {
	rows, err := tx.QueryContext(ctx, `SELECT s.id, s.domain, s.created_at, s.preset, s.retention_days, s.address_mask, s.hash_address, s.geo_from,
		s.city, s.dnt, s.allow_props, s.min_visitors, s.brand_name, s.brand_color, z.starts_at, z.zone FROM sites s JOIN site_zones z
		ON z.site_id = s.id WHERE s.removed_at IS NULL ORDER BY s.id, z.starts_at`)
	if err != nil {
		return nil, fmt.Errorf("cannot read the sites: %w", err)
	}
	defer rows.Close()
	var sites []*Site
	for rows.Next() {
		var s Site
		var created, starts int64
		var zone string
		var p stored
		err := rows.Scan(&s.ID, &s.Domain, &created, &p.preset, &p.days, &p.mask, &p.hash, &p.geo,
			&p.city, &p.dnt, &p.props, &p.visitors, &p.name, &p.color, &starts, &zone)
		if err != nil {
			return nil, fmt.Errorf("cannot read the sites: %w", err)
		}
		start := zoneStart{at: time.Unix(starts, 0).UTC()}
		if start.zone, err = ParseZone(zone); err != nil {
			return nil, fmt.Errorf("cannot read site %s: %w", s.Domain, err)
		}
		if len(sites) == 0 || sites[len(sites)-1].ID != s.ID {
			if err := p.into(&s); err != nil {
				return nil, fmt.Errorf("cannot read site %s: %w", s.Domain, err)
			}
			s.Created = time.Unix(created, 0).UTC()
			s = held(s)
			sites = append(sites, &s)
		}
		known := sites[len(sites)-1]
		known.zones = append(known.zones, start)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the sites: %w", err)
	}
	return sites, nil
}

// readRules adds the redaction rules to their sites, which are sorted by id.
func readRules(ctx context.Context, tx *sql.Tx, sites []*Site) error {
	rows, err := tx.QueryContext(ctx, `SELECT r.site_id, r.field, r.match, r.replacement FROM site_redactions r JOIN sites s ON s.id = r.site_id
		WHERE s.removed_at IS NULL ORDER BY r.site_id, r.position`)
	if err != nil {
		return fmt.Errorf("cannot read the redaction rules: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uint32
		var rule Rule
		if err := rows.Scan(&id, &rule.Field, &rule.Match, &rule.As); err != nil {
			return fmt.Errorf("cannot read the redaction rules: %w", err)
		}
		for len(sites) > 0 && sites[0].ID < id {
			sites = sites[1:]
		}
		if len(sites) > 0 && sites[0].ID == id {
			sites[0].RedactRules = append(sites[0].RedactRules, rule)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("cannot read the redaction rules: %w", err)
	}
	return nil
}
