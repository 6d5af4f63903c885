package app

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/period"
	"github.com/daysalt/daysalt/internal/ship"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/visit"
)

// retention deletes what is kept no longer. The database's TTL does so too, as one of its merges comes by; this is what makes it a promise. No question is
// answered from a row whose retention is over, whether or not it was deleted.
type retention struct {
	store *database
	sites func() []*site.Site
	ship  *ship.Shipper
	now   func() time.Time
	log   *slog.Logger
	wake  chan struct{} // somebody changed a site

	// Of tend alone.
	applied map[uint32]uint16 // the retention that each site's rows were brought to; nil before the first time
	done    time.Time         // when everything was looked through
	failed  time.Time         // when it was tried in vain; zero where it was not

	mu            sync.Mutex // guards what follows
	known         bool       // it was looked through at least once
	events, abuse time.Time  // when the first row that there is expires; zero for none
}

// How often it is looked for rows whose retention is over, and how long that may take. What takes longer goes on in the database.
const (
	retentionEvery = 6 * time.Hour   // everything is gone within a day, also where one time is in vain
	retentionAgain = 5 * time.Minute // after it was in vain
	retentionFor   = 30 * time.Minute
	changeFor      = time.Minute // for what the journal holds to be stored, after a site was changed
)

func newRetention(a *App) *retention {
	return &retention{store: a.store, sites: a.sites.All, ship: a.ship, now: a.now, log: a.log, wake: make(chan struct{}, 1)}
}

// changed says that the retention of a site may be another one now. It returns at once.
func (r *retention) changed() {
	select {
	case r.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run does what is due until ctx ends: at once, and whenever a look each minute finds something.
func (r *retention) run(ctx context.Context) error {
	tick := time.NewTicker(finishEvery)
	defer tick.Stop()
	for {
		r.tend(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-r.wake:
			r.failed = time.Time{} // Somebody waits for it.
		}
	}
}

// tend does what is due. While nothing is, it asks the database nothing.
func (r *retention) tend(ctx context.Context) {
	now := r.now()
	if since(now, r.failed) < retentionAgain {
		return
	}
	changes := r.changes()
	if since(now, r.done) < retentionEvery && len(changes) == 0 {
		return
	}
	work, cancel := context.WithTimeout(ctx, retentionFor)
	defer cancel()
	if err := r.apply(work, changes); err != nil {
		if r.failed = now; ctx.Err() == nil {
			r.log.Warn("cannot delete what is kept no longer yet", "error", err)
		}
		return
	}
	r.failed, r.done = time.Time{}, now
}

// since returns how long ago a moment was. One that has not come yet is of a clock that was set back: nothing is known of it then.
func since(now, at time.Time) time.Duration {
	if at.IsZero() || at.After(now) {
		return math.MaxInt64
	}
	return now.Sub(at)
}

// changes returns the sites whose rows were brought to another retention than the present one, or to none; all of them at first.
func (r *retention) changes() map[uint32]uint16 {
	changes := map[uint32]uint16{}
	for _, s := range r.sites() {
		if days, ok := r.applied[s.ID]; !ok || days != s.RetentionDays {
			changes[s.ID] = s.RetentionDays
		}
	}
	return changes
}

// apply brings rows to the retention of their sites, and deletes those whose retention is over.
func (r *retention) apply(ctx context.Context, changes map[uint32]uint16) error {
	if err := r.store.migrate(ctx); err != nil {
		return err
	}
	if r.applied != nil && len(changes) > 0 {
		r.flush(ctx) // rows on their way have the retention of before
	}
	now, err := r.earlierNow(ctx)
	if err != nil {
		return err
	}
	if err := r.store.FinishDeletes(ctx); err != nil {
		return err
	}
	held, err := r.store.Holdings(ctx)
	if err != nil {
		return err
	}
	zones := r.zones(now)
	did, err := r.applyEvents(ctx, held, zones)
	if err == nil && did {
		held, err = r.store.Holdings(ctx)
	}
	if err != nil {
		return err
	}
	oldest, err := r.applyAbuse(ctx, now)
	if err != nil {
		return err
	}
	if r.applied == nil {
		r.applied = map[uint32]uint16{}
	}
	for id, days := range changes {
		r.applied[id] = days
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known, r.events, r.abuse = true, zones.firstExpiry(held), abuseExpiry(oldest)
	return nil
}

// flush waits until the events that the journal holds are stored. What is still on its way then is brought to the site's retention later.
func (r *retention) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, changeFor)
	defer cancel()
	if err := r.ship.Flush(ctx); err != nil {
		r.log.Debug("events on their way have the retention of before", "error", err)
	}
}

// earlierNow returns the time by which rows are deleted: the earlier of this machine's and the database's, because what a wrong clock deletes is gone.
func (r *retention) earlierNow(ctx context.Context) (time.Time, error) {
	now := r.now()
	if r.store.embedded {
		return now, nil
	}
	server, err := r.store.Now(ctx)
	if err == nil && server.Before(now) {
		now = server
	}
	return now, err
}

// applyEvents says whether it did anything.
func (r *retention) applyEvents(ctx context.Context, held []store.Holding, z *zones) (did bool, err error) {
	want := map[uint32]uint16{}
	for _, s := range r.sites() {
		want[s.ID] = s.RetentionDays
	}
	asked := map[uint32]bool{}
	for i := range held {
		h := &held[i]
		days, ok := want[h.SiteID]
		if !ok || days == h.RetentionDays || asked[h.SiteID] {
			continue
		}
		asked[h.SiteID], did = true, true
		if err := r.store.SetRetention(ctx, h.SiteID, days, &z.dates); err != nil {
			return did, err
		}
		r.log.Info("events have the retention of their site now", "site_id", h.SiteID, "retention_days", days)
	}
	var month uint32
	for i := range held { // by month
		h := &held[i]
		if h.Month == month || h.Expires() > int(z.today(h.SiteID)) {
			continue
		}
		month, did = h.Month, true
		if err := r.store.DeleteExpired(ctx, month, &z.dates); err != nil {
			return did, err
		}
		r.log.Info("events whose retention is over are deleted", "month", month)
	}
	return did, nil
}

// applyAbuse returns of when the oldest row is that is left; the zero time for none.
func (r *retention) applyAbuse(ctx context.Context, now time.Time) (time.Time, error) {
	oldest, _, err := r.store.OldestAbuse(ctx)
	if err != nil || oldest.IsZero() || abuseExpiry(oldest).After(now) {
		return oldest, err
	}
	if err := r.store.DeleteExpiredAbuse(ctx, now); err != nil {
		return oldest, err
	}
	oldest, _, err = r.store.OldestAbuse(ctx)
	return oldest, err
}

func abuseExpiry(oldest time.Time) time.Time {
	if oldest.IsZero() {
		return oldest
	}
	return oldest.AddDate(0, 0, abuse.RetentionDays)
}

// zones says which date it is where.
type zones struct {
	dates store.Dates
	of    map[uint32]*time.Location
}

func (r *retention) zones(now time.Time) *zones {
	z := &zones{dates: store.Dates{UTC: dayOf(now, time.UTC)}, of: map[uint32]*time.Location{}}
	for _, s := range r.sites() {
		zone := s.Zone(now)
		z.of[s.ID] = zone
		switch day := dayOf(now, zone); {
		case day > z.dates.UTC:
			z.dates.Ahead = append(z.dates.Ahead, s.ID)
		case day < z.dates.UTC:
			z.dates.Behind = append(z.dates.Behind, s.ID)
		}
	}
	return z
}

func dayOf(now time.Time, zone *time.Location) event.Day {
	return event.Day(period.DateOf(now.In(zone)))
}

// today returns the date on a site; of one that was removed, the date in UTC.
func (z *zones) today(siteID uint32) event.Day { return z.dates.Of(siteID) }

// firstExpiry returns when the first of the rows expires that there are: at a midnight of its site. The zero time stands for none.
func (z *zones) firstExpiry(held []store.Holding) (first time.Time) {
	for i := range held {
		if at := z.expiry(&held[i]); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// expiry returns when the oldest of the rows expires.
func (z *zones) expiry(h *store.Holding) time.Time {
	zone := z.of[h.SiteID]
	if zone == nil {
		zone = time.UTC
	}
	return period.Date(h.Expires()).Start(zone)
}

// spoolFor is how long an event is kept that could not be stored; ship's default, and shorter where its site's retention is.
const spoolFor = 7 * 24 * time.Hour

// overdue calls each with every class of data that is known and how many seconds ago the first of it should have been gone; 0 where nothing is overdue.
func (r *retention) overdue(each func(class string, seconds float64)) {
	now := r.now()
	r.mu.Lock()
	known, events, masked := r.known, r.events, r.abuse
	r.mu.Unlock()
	if known {
		each("events", overdueSeconds(now, events))
		each("abuse", overdueSeconds(now, masked))
	}
	each("spool", max(0, float64(r.ship.Stats().LagSeconds)-spoolFor.Seconds()))
}

func overdueSeconds(now, expiry time.Time) float64 {
	if expiry.IsZero() {
		return 0
	}
	return max(0, now.Sub(expiry).Seconds())
}

// holdings is what there is in the database now, for whom asks.
func (r *retention) holdings(ctx context.Context) (held []store.Holding, oldest time.Time, rows uint64, err error) {
	if err = r.store.migrate(ctx); err == nil {
		if held, err = r.store.Holdings(ctx); err == nil {
			oldest, rows, err = r.store.OldestAbuse(ctx)
		}
	}
	return held, oldest, rows, err
}

// retainedSites is the sites, whose rows follow when a retention is changed.
type retainedSites struct {
	siteService
	retention *retention
}

// Set changes a site. Its rows follow within moments, or as soon as the database answers. Where other things are stored from now on, the visits that are open end: each
// event repeats what is known of its visit's first one, which may be more than is to be stored now.
func (s retainedSites) Set(ctx context.Context, domain string, c site.Change) (*site.Site, error) {
	before, err := s.Get(domain)
	if err != nil {
		return nil, err
	}
	one, err := s.siteService.Set(ctx, domain, c)
	s.retention.changed()
	if err != nil || site.StoreAlike(before, one) {
		return one, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if _, err := s.ship.Erase(ctx, ship.Erasure{Visit: func(v *visit.Visit) bool { return v.SiteID != one.ID }}); err != nil {
		s.retention.log.Warn("visits that are open go on with what they began with", "site", one.Domain, "error", err)
	}
	return one, nil
}
