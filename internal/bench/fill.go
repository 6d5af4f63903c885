package bench

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/bot"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/geo"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/journal"
	"github.com/daysalt/daysalt/internal/load"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
)

// Of the events that are stored: how far back they go, and how many seconds lie between two of a visit on average.
const (
	shipDays = 30
	shipStep = 45
)

// shipSegment is the size of the journal's files, as the server has them.
const shipSegment = 32 << 20

// openJournal opens one that has room for any number of events.
func (b *Bench) openJournal(dir string) (*journal.Journal, error) {
	return journal.Open(journal.Config{Dir: filepath.Join(dir, "journal"), SegmentBytes: shipSegment, QuotaBytes: 1 << 42, Now: b.cfg.Now}, nil)
}

// fill appends events to a journal, through ingest, as if they had come over the last days one after the other. They have no ids: those would be most
// of what is stored.
func (b *Bench) fill(ctx context.Context, dir string, o Ship) (err error) {
	sites := (&Ingest{Sites: o.Sites}).sites()
	db, err := settings.Open(ctx, filepath.Join(dir, "settings.db"))
	if err != nil {
		return err
	}
	defer func() { err = errorsOf(err, db.Close()) }()
	registry, err := site.NewRegistry(ctx, db, b.cfg.Now)
	for i := 0; err == nil && i < len(sites); i++ {
		_, err = registry.Add(ctx, sites[i], "UTC", 396)
	}
	if err != nil {
		return fmt.Errorf("cannot add the sites: %w", err)
	}
	var places *geo.Database
	if o.Geo != "" {
		if places, err = geo.Open(o.Geo, nil); err != nil {
			return err
		}
	}
	j, err := b.openJournal(dir)
	if err != nil {
		return err
	}
	defer func() { err = errorsOf(err, j.Close()) }()
	in := ingest.New(ingest.Deps{Sites: registry, Keys: numbers{}, Agents: agent.New(agent.Config{Bot: bot.Detect}), Geo: places, Journal: j, Now: b.cfg.Now})
	return b.append(ctx, in, o, sites)
}

// append makes the events.
func (b *Bench) append(ctx context.Context, in *ingest.Ingester, o Ship, sites []string) error {
	const span = shipDays * 24 * 3600
	active := max(1, shipStep*o.Events/span) // the busier the sites are, the more visits are under way at once
	g := load.New(load.Config{Seed: o.Seed, Sites: sites, Visitors: max(1000, o.Events/50), Active: active})
	begin := b.cfg.Now().UTC().Unix() - span
	var e load.Event
	for i := range o.Events {
		g.NextEvent(&e)
		v, err := in.Ingest(&ingest.Hit{
			Time: time.Unix(begin+int64(float64(i)/float64(o.Events)*span), 0).UTC(), Address: e.Address, Agent: e.Agent, Language: e.Language, Body: e.Body,
			Hints: agent.Hints{Brands: e.Brands, Platform: e.Platform, Mobile: e.Mobile},
		})
		if err == nil && v.Kept != 1 {
			err = fmt.Errorf("the %dth was dropped", i+1)
		}
		if err == nil && i%4096 == 0 {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("cannot make the events: %w", err)
		}
	}
	return nil
}

// numbers makes visitor numbers that look like real ones. They need no secret: nobody visited.
type numbers struct{}

// Number returns the day and the number of a visitor on it.
func (numbers) Number(siteID uint32, zone *time.Location, t time.Time, from netip.Addr, ua string) (event.Day, uint64, error) {
	_, offset := t.In(zone).Zone()
	day := event.Day((t.Unix() + int64(offset)) / (24 * 3600))
	var room [512]byte
	text := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint32(room[:0], siteID), uint16(day))
	address := from.As16()
	sum := sha256.Sum256(append(append(text, address[:]...), ua...))
	return day, binary.LittleEndian.Uint64(sum[:]), nil
}
