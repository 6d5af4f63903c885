package app

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/store"
)

// retentionReport answers "daysalt retention show".
type retentionReport struct {
	*retention
	quota int64 // of the journal, in bytes
}

func newRetentionReport(a *App, r *retention) retentionReport {
	return retentionReport{r, int64(a.cfg.Journal.Quota)}
}

// reportFor bounds how long somebody waits for the database.
const reportFor = 30 * time.Second

// quarantineBytes is how large the quarantine may become; ship says the same.
const quarantineBytes = 16 << 20

// Retention says of every class of data how long it is kept, and what there is of it. Where the database is away, the rest is told.
func (r retentionReport) Retention(ctx context.Context) (admin.RetentionReport, error) {
	now := r.now()
	ask, cancel := context.WithTimeout(ctx, reportFor)
	defer cancel()
	held, oldest, rows, err := r.holdings(ask)
	problem := ""
	if err != nil {
		problem = fmt.Sprintf("cannot ask the database: %v", err)
	}
	classes := r.events(held, now, problem)
	classes = append(classes, admin.RetentionClass{
		Class: admin.ClassAbuse, Days: abuse.RetentionDays, Items: rows, Oldest: oldest, Expires: abuseExpiry(oldest),
		Overdue: int64(overdueSeconds(now, abuseExpiry(oldest))), Problem: problem,
	})
	classes = append(classes, r.shipping(now)...)
	return admin.RetentionReport{Classes: append(classes, admin.RetentionClass{Class: admin.ClassSealed})}, nil
}

// events returns a class for each site, by domain, and one for those that were removed where there is something of them.
func (r retentionReport) events(held []store.Holding, now time.Time, problem string) []admin.RetentionClass {
	zones := r.zones(now)
	sites := r.sites()
	sort.Slice(sites, func(i, j int) bool { return sites[i].Domain < sites[j].Domain })
	classes := make([]admin.RetentionClass, len(sites), len(sites)+1)
	of := map[uint32]*admin.RetentionClass{}
	for i, s := range sites {
		classes[i] = admin.RetentionClass{Class: admin.ClassEvents, Site: s.Domain, Days: int(s.RetentionDays), Problem: problem}
		of[s.ID] = &classes[i]
	}
	removed := admin.RetentionClass{Class: admin.ClassEvents}
	for i := range held {
		h := &held[i]
		c := of[h.SiteID]
		if c == nil {
			c = &removed
		}
		c.Items += h.Rows
		if day := time.Unix(int64(h.Oldest)*86_400, 0).UTC(); c.Oldest.IsZero() || day.Before(c.Oldest) {
			c.Oldest = day
		}
		if at := zones.expiry(h).UTC(); c.Expires.IsZero() || at.Before(c.Expires) {
			c.Expires = at
			c.Overdue = int64(overdueSeconds(now, at))
		}
	}
	if removed.Items > 0 {
		classes = append(classes, removed)
	}
	return classes
}

// shipping returns the classes of what is on its way to the database, or was: the journal's two, and the quarantine.
func (r retentionReport) shipping(now time.Time) []admin.RetentionClass {
	oldest, err := r.ship.Oldest()
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	lag := r.ship.Stats()
	if lag.LagBytes > 0 && lag.LagSeconds > 0 { // of the first event; its segment was made ahead
		oldest.Spool = now.Add(-time.Duration(lag.LagSeconds) * time.Second)
	}
	class := func(name string, bytes int64, oldest time.Time) admin.RetentionClass {
		c := admin.RetentionClass{Class: name, Days: int(spoolFor / (24 * time.Hour)), MaxBytes: bytes}
		if !oldest.IsZero() {
			c.Oldest = oldest.UTC().Truncate(time.Second)
			c.Expires = c.Oldest.Add(spoolFor)
			c.Overdue = int64(overdueSeconds(now, c.Expires))
		}
		return c
	}
	spool := class(admin.ClassSpool, r.quota, oldest.Spool)
	spool.Items = uint64(max(0, lag.LagBytes))
	kept := class(admin.ClassKept, r.quota, oldest.Kept)
	kept.Overdue = 0 // what is in a segment is erased in its place when it is over; the file may be there for longer
	quarantine := class(admin.ClassQuarantine, quarantineBytes, oldest.Quarantine)
	quarantine.Problem = problem
	return []admin.RetentionClass{spool, kept, quarantine}
}
