package site

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
)

// Registry holds the sites: in the settings database, and in a snapshot for the hot path.
type Registry struct {
	db  *sql.DB
	now func() time.Time

	mu       sync.Mutex // one change and reload at a time
	snapshot atomic.Pointer[map[string]*Site]
}

// Change is what Set may change; nil leaves a value as it is.
type Change struct {
	Timezone      *string `json:"timezone,omitempty"`
	RetentionDays *int    `json:"retention_days,omitempty"`
}

// NewRegistry reads the sites from a migrated settings database.
func NewRegistry(ctx context.Context, db *sql.DB, now func() time.Time) (*Registry, error) {
	r := &Registry{db: db, now: now}
	if err := r.Reload(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Lookup returns the site of a domain as a tracker sent it: surrounding blanks, upper case and a leading "www." do not matter. It takes no
// lock, and allocates only for a domain in upper case.
func (r *Registry) Lookup(domain string) (*Site, bool) {
	domain = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(domain)), "www.")
	s, ok := (*r.snapshot.Load())[domain]
	return s, ok
}

// All returns the sites by domain.
func (r *Registry) All() []*Site {
	snapshot := *r.snapshot.Load()
	all := make([]*Site, 0, len(snapshot))
	for _, s := range snapshot {
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Domain < all[j].Domain })
	return all
}

// Add makes a site. It fails with Invalid for a bad domain, zone or retention, and with Conflict where the domain is taken.
func (r *Registry) Add(ctx context.Context, domain, timezone string, retentionDays int) (*Site, error) {
	domain, err := ParseDomain(domain)
	if err != nil {
		return nil, err
	}
	zone, err := ParseZone(timezone)
	if err != nil {
		return nil, err
	}
	if err := checkRetention(retentionDays); err != nil {
		return nil, err
	}
	if _, taken := r.Lookup(domain); taken {
		return nil, fault.Conflictf("domain", "%s is there already", domain)
	}
	err = r.change(ctx, func(tx *sql.Tx) error {
		if _, taken := r.Lookup(domain); taken { // somebody else was faster
			return fault.Conflictf("domain", "%s is there already", domain)
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO sites (domain, retention_days, created_at) VALUES (?, ?, ?)`, domain, retentionDays, r.now().Unix())
		if err != nil {
			return err
		}
		id, err := res.LastInsertId()
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO site_zones (site_id, starts_at, zone) VALUES (?, 0, ?)`, id, zone.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot add the site: %w", err)
	}
	return r.get(domain)
}

// Set changes a site. A new time zone begins at the later of the two zones' next midnights, when the old zone's key is over. Where the new zone
// is west of the old one its first date has begun there already: people who come in both parts of it count twice, once. It fails with Invalid for a bad value and with NotFound for an unknown domain.
func (r *Registry) Set(ctx context.Context, domain string, c Change) (*Site, error) {
	s, err := r.get(domain)
	if err != nil {
		return nil, err
	}
	if c.Timezone == nil && c.RetentionDays == nil {
		return nil, fault.Invalidf("site", "nothing to change: name timezone or retention_days")
	}
	var zone *time.Location
	if c.Timezone != nil {
		if zone, err = ParseZone(*c.Timezone); err != nil {
			return nil, err
		}
	}
	if c.RetentionDays != nil {
		if err := checkRetention(*c.RetentionDays); err != nil {
			return nil, err
		}
	}
	err = r.change(ctx, func(tx *sql.Tx) error {
		if c.RetentionDays != nil {
			if _, err := tx.ExecContext(ctx, `UPDATE sites SET retention_days = ? WHERE id = ?`, *c.RetentionDays, s.ID); err != nil {
				return err
			}
		}
		if zone != nil {
			return setZone(ctx, tx, s, zone, r.now())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot change the site: %w", err)
	}
	return r.get(domain)
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

// Remove takes a site away from everybody and returns what it was. It fails with NotFound for an unknown domain. Its id stays in Removed until
// Forget, so that whoever deletes its events can try again.
func (r *Registry) Remove(ctx context.Context, domain string) (*Site, error) {
	s, err := r.get(domain)
	if err != nil {
		return nil, err
	}
	err = r.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sites SET removed_at = ? WHERE id = ?`, r.now().Unix(), s.ID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot remove the site: %w", err)
	}
	return s, nil
}

// Removed returns the ids of removed sites that are not forgotten yet.
func (r *Registry) Removed(ctx context.Context) ([]uint32, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT id FROM sites WHERE removed_at IS NOT NULL ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("cannot read the removed sites: %w", err)
	}
	defer rows.Close()
	var ids []uint32
	for rows.Next() {
		var id uint32
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("cannot read the removed sites: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Forget deletes what is left of a removed site, once its events are gone.
func (r *Registry) Forget(ctx context.Context, id uint32) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM sites WHERE id = ? AND removed_at IS NOT NULL`, id); err != nil {
		return fmt.Errorf("cannot forget the site: %w", err)
	}
	return nil
}

// Reload reads the sites again, for changes that another process made.
func (r *Registry) Reload(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reload(ctx)
}

// get finds a site by what a person typed; Lookup takes what a browser sends, which is punycode already.
func (r *Registry) get(domain string) (*Site, error) {
	if ascii, err := ParseDomain(domain); err == nil {
		if s, ok := r.Lookup(ascii); ok {
			return s, nil
		}
	}
	return nil, fault.NotFoundf("domain", "%s is not one of the sites", domain)
}

// change runs one transaction and reloads the snapshot.
func (r *Registry) change(ctx context.Context, do func(*sql.Tx) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return r.reload(ctx)
}

func (r *Registry) reload(ctx context.Context) error {
	rows, err := r.db.QueryContext(ctx, `SELECT s.id, s.domain, s.retention_days, s.created_at, z.starts_at, z.zone
		FROM sites s JOIN site_zones z ON z.site_id = s.id WHERE s.removed_at IS NULL ORDER BY s.id, z.starts_at`)
	if err != nil {
		return fmt.Errorf("cannot read the sites: %w", err)
	}
	defer rows.Close()
	next := map[string]*Site{}
	for rows.Next() {
		var s Site
		var created, starts int64
		var name string
		if err := rows.Scan(&s.ID, &s.Domain, &s.RetentionDays, &created, &starts, &name); err != nil {
			return fmt.Errorf("cannot read the sites: %w", err)
		}
		zone, err := ParseZone(name)
		if err != nil {
			return fmt.Errorf("cannot read site %s: %w", s.Domain, err)
		}
		known, ok := next[s.Domain]
		if !ok {
			s.Created = time.Unix(created, 0).UTC()
			known = &s
			next[s.Domain] = known
		}
		known.zones = append(known.zones, zoneStart{at: time.Unix(starts, 0).UTC(), zone: zone})
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("cannot read the sites: %w", err)
	}
	r.snapshot.Store(&next)
	return nil
}
