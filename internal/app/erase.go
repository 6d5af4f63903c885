package app

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/salt"
	"github.com/daysalt/daysalt/internal/ship"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/visit"
)

// eraser erases events for good: from the line first, so that nothing brings them back, and then from the database.
type eraser struct {
	sites *site.Registry
	keys  *salt.Keys
	ship  *ship.Shipper
	store *database
	abuse *abuse.Recorder
	now   func() time.Time
	log   *slog.Logger

	patience time.Duration // how long it is waited until everything before is stored
}

const (
	erasePatience = time.Minute // eraser's, outside tests
	eraseFor      = time.Hour   // how long all of it may take; what takes longer goes on in the database
)

func (a *App) eraseService() eraser {
	return eraser{a.sites, a.keys, a.ship, a.store, a.abuse, a.now, a.log, erasePatience}
}

// Erase erases what the request says.
func (e eraser) Erase(ctx context.Context, r admin.EraseRequest) (admin.EraseReport, error) {
	one, err := e.sites.Get(r.Domain)
	if err != nil {
		return admin.EraseReport{}, err
	}
	what, known, err := e.parse(one, &r)
	if err != nil {
		return admin.EraseReport{}, err
	}
	report := admin.EraseReport{Site: one.Domain, Left: []string{}}
	if !known {
		report.NoKey = true
		return report, nil
	}
	ctx, cancel := context.WithTimeout(ctx, eraseFor)
	defer cancel()
	if err := e.store.Ping(ctx); err != nil {
		return report, err
	}
	if err := e.store.migrate(ctx); err != nil { // deleting needs settings of the tables
		return report, err
	}
	// What comes from now on is not erased. Its time may be cut to the site's step.
	since := e.now().Add(-one.TimeStep).Unix()
	if err := e.eraseLine(ctx, what, &report); err != nil {
		return report, err
	}
	if err := e.eraseRows(ctx, what, since, &report); err != nil {
		return report, err
	}
	// What was stored and deleted meanwhile is not to be looked for and sent again after a restart of the database.
	if err := e.barrier(ctx); err != nil {
		return report, err
	}
	e.log.Info("events were erased", "site", one.Domain, "events", report.Events, "left", len(report.Left))
	return report, nil
}

// parse returns what a request means. known is false where it is for a visitor and no number was made today.
func (e eraser) parse(one *site.Site, r *admin.EraseRequest) (what *store.Erasure, known bool, err error) {
	given := 0
	for _, is := range []bool{r.Before != "", r.Path != "", r.Today != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, false, fault.Invalidf("erase", "must name one of before, path and today, and not %d of them", given)
	}
	what = &store.Erasure{SiteID: one.ID}
	switch {
	case r.Before != "":
		return what, true, e.parseBefore(one, r.Before, what)
	case r.Path != "":
		return what, true, parsePath(r.Path, what)
	}
	known, err = e.parseToday(one, r.Today, what)
	return what, known, err
}

func (e eraser) parseBefore(one *site.Site, text string, what *store.Erasure) error {
	const second = 86_400
	date, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return fault.Invalidf("before", "is %q, and must be a date such as 2026-01-31", text)
	}
	now := e.now()
	today := salt.DayOf(now, one.Zone(now))
	day := date.Unix() / second
	if day <= 0 || day > int64(today)+1 {
		return fault.Invalidf("before", "is %s, and must not be after tomorrow, %s", text, time.Unix((int64(today)+1)*second, 0).UTC().Format(time.DateOnly))
	}
	what.Before = event.Day(day)
	what.BeforeUnix = salt.EndOf(what.Before-1, one.Zone(time.Unix(day*second, 0))).Unix()
	return nil
}

func parsePath(text string, what *store.Erasure) error {
	what.Path, what.Prefix = strings.CutSuffix(text, "*")
	if !strings.HasPrefix(what.Path, "/") {
		return fault.Invalidf("path", "must begin with /, as the paths in the dashboard do")
	}
	return nil
}

// parseToday computes the number that the site's settings of now give the visitor. No error quotes what it was computed of.
func (e eraser) parseToday(one *site.Site, whom *admin.EraseWhom, what *store.Erasure) (known bool, err error) {
	if !one.Visitors {
		return false, fault.Invalidf("today", "%s has no visitor numbers: nobody can tell one visitor's events from another's", one.Domain)
	}
	from, err := netip.ParseAddr(whom.IP)
	if err != nil {
		return false, fault.Invalidf("today", "ip must be an IPv4 or IPv6 address, such as 192.0.2.1")
	}
	from = from.Unmap().WithZone("")
	if one.HashAddress == site.HashMasked {
		from = address.Mask(from, one.AddressMask)
	}
	now := e.now()
	what.Day, what.Visitor, known, err = e.keys.Known(one.ID, one.Zone(now), now, from, whom.UA)
	return known, err
}

// eraseLine takes away what is on its way and could bring rows back.
func (e eraser) eraseLine(ctx context.Context, what *store.Erasure, report *admin.EraseReport) error {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	if what.Before > 0 {
		if err := e.abuse.Flush(ctx); err != nil {
			return fault.Unavailablef(err, "masked addresses could not be stored")
		}
	}
	erased, err := e.ship.Erase(ctx, lineErasure(what))
	if err != nil {
		return err
	}
	report.Visits, report.Quarantine, report.Undecoded = erased.Visits+erased.Changed, erased.Quarantined, erased.Undecoded
	report.Segments, report.Searched = erased.Segments, erased.Searched
	report.Left = append(report.Left, erased.Left...)
	return nil
}

func (e eraser) barrier(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	return e.ship.Barrier(ctx)
}

// lineErasure says of what is on its way what an erasure says of rows.
func lineErasure(what *store.Erasure) ship.Erasure {
	line := ship.Erasure{Event: func(_ *event.Frame, e *event.Event) bool { return what.Matches(e) }}
	switch {
	case what.Path != "":
		line.Visit = func(v *visit.Visit) bool {
			if v.SiteID == what.SiteID && what.MatchesPage(v.EntryPage) {
				v.EntryPage = store.ErasedPage
			}
			return true
		}
	case what.Before > 0:
		line.Visit = func(v *visit.Visit) bool { return v.SiteID != what.SiteID || v.Day >= what.Before }
	default:
		line.Visit = func(v *visit.Visit) bool {
			return v.SiteID != what.SiteID || v.Day != what.Day || v.Visitor != what.Visitor
		}
		line.Bytes = binary.LittleEndian.AppendUint64(nil, what.Visitor) // as frames and checkpoints have it
	}
	return line
}

// eraseRows deletes rows, and says where something is left.
func (e eraser) eraseRows(ctx context.Context, what *store.Erasure, since int64, report *admin.EraseReport) error {
	rows, err := e.store.Erase(ctx, what, since)
	if err != nil {
		return err
	}
	report.Events, report.EntryPages, report.Abuse, report.Since = rows.Events, rows.Entries, rows.Abuse, rows.Since
	if rows.Left > 0 {
		report.Left = append(report.Left, fmt.Sprintf("%d rows of the database", rows.Left))
	}
	return nil
}

// forgetSites takes away what is on its way of sites that are removed: nothing of them comes back after it.
func forgetSites(ctx context.Context, line *ship.Shipper, ids []uint32) error {
	gone := map[uint32]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	_, err := line.Erase(ctx, ship.Erasure{
		Event: func(_ *event.Frame, e *event.Event) bool { return gone[e.SiteID] },
		Visit: func(v *visit.Visit) bool { return !gone[v.SiteID] },
	})
	return err
}

// forgetful is the database, and the line that could bring back what is deleted there.
type forgetful struct {
	*database
	line *ship.Shipper
}

// RemoveImport deletes the rows that came with an import, when nothing of what was stored before can be sent again.
func (f forgetful) RemoveImport(ctx context.Context, origin uint16) error {
	if err := f.line.Barrier(ctx); err != nil {
		return err
	}
	return f.database.RemoveImport(ctx, origin)
}
