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

// NewRegistry reads the sites from a migrated settings database. It fails as Reload does.
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
	snapshot := *r.snapshot.Load()
	if !strings.HasPrefix(domain, "www.") {
		if s, ok := snapshot[domain]; ok {
			return s, true
		}
	}
	s, ok := snapshot[strings.TrimPrefix(strings.ToLower(strings.TrimSpace(domain)), "www.")]
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

// Remove takes a site away from everybody and returns what it was. It fails with NotFound for an unknown domain. Its id stays in Removed until
// Forget, so that whoever deletes its events can try again.
func (r *Registry) Remove(ctx context.Context, domain string) (*Site, error) {
	s, err := r.Get(domain)
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

// Reload reads the sites again, for changes that another process made. It fails where a stored value is not allowed, naming site and field,
// and then everything stays as it was.
func (r *Registry) Reload(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reload(ctx)
}

// Get finds a site by what a person typed; Lookup takes what a browser sends, which is punycode already. It fails with NotFound.
func (r *Registry) Get(domain string) (*Site, error) {
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
