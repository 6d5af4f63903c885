package salt

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/daysalt/daysalt/internal/event"
)

// sharing is what Keys remembers for a shared store. Without one it stays empty.
type sharing struct {
	zones map[zoneID]*time.Location // nil: there is no shared store
	drops map[zoneDay]pendingDrop   // destroyed here, to be destroyed there
	asked map[string]event.Day      // per zone: the highest date that needs no fetching ahead
	fetch outage
	drop  outage
}

// pendingDrop says when a date is over.
type pendingDrop struct {
	zone *time.Location
	worn bool // its key was used up
}

func newSharing() sharing {
	return sharing{zones: map[zoneID]*time.Location{}, drops: map[zoneDay]pendingDrop{}, asked: map[string]event.Day{}}
}

// meet remembers whose id it is.
func (s *sharing) meet(id zoneID, zone *time.Location) {
	if s.zones != nil {
		s.zones[id] = zone
	}
}

// over has a date's key destroyed in the shared store, as soon as the wall says that it is over.
func (s *sharing) over(id zoneID, day event.Day, worn bool) {
	if zone := s.zones[id]; zone != nil {
		s.drops[zoneDay{zone.String(), day}] = pendingDrop{zone, worn}
	}
}

// outage says whether the shared store does one of its two jobs.
type outage struct {
	retryAt time.Duration // since boot: leave it alone until then
	failed  bool          // and it was logged
}

// note remembers an answer, and logs when it is the first of its kind.
func (o *outage) note(err error, boot time.Duration, log *slog.Logger, job string) {
	switch {
	case err != nil:
		if !o.failed {
			log.Warn("the shared key store fails; it is tried again every few seconds", "job", job, "error", err)
		}
		o.failed, o.retryAt = true, boot+pause
	case o.failed:
		log.Info("the shared key store answers again", "job", job)
		o.failed, o.retryAt = false, 0
	}
}

// fill makes the key of a date in an empty slot, and returns the date it is for. With a shared store it is the store's key, for a later date if this one is
// over for another node, and a key of our own if the store does not answer or own says so.
func (k *Keys) fill(s *slot, zone *time.Location, day event.Day, own bool) (event.Day, error) {
	if k.cfg.Shared == nil {
		return day, s.fill(k.cfg.Random)
	}
	const tries = 4 // a node whose clock is days ahead, or was, is none to follow
	for next := day; !own && next < day+tries; next++ {
		err := k.ask(context.Background(), s, zone.String(), next)
		if err == nil {
			return next, nil
		}
		if !errors.Is(err, ErrOver) {
			day = next
			break
		}
	}
	k.own.Add(1)
	return day, s.fill(k.cfg.Random)
}

// errPaused says that the shared store failed a moment ago.
var errPaused = errors.New("the shared key store failed a moment ago")

// ask fetches a key from the shared store into an empty slot. On an error the slot has no key.
func (k *Keys) ask(ctx context.Context, s *slot, zone string, day event.Day) error {
	boot := k.clock.Boot()
	if boot < k.share.fetch.retryAt {
		return errPaused
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := k.cfg.Shared.Fetch(ctx, zone, day, s.bytes())
	if err == nil && s.blank() {
		err = errBlank
	}
	if err != nil {
		s.wipe()
	}
	answer := err
	if errors.Is(err, ErrOver) {
		answer = nil
	}
	k.share.fetch.note(answer, boot, k.log, "fetch")
	return err
}

// prefetch fetches the keys of dates that begin soon, in the zones that are in use.
func (k *Keys) prefetch(ctx context.Context, now time.Time) {
	for _, key := range *k.byZone.Load() {
		if DayOf(now.Add(earlier), key.zone) != key.day+1 {
			continue
		}
		if err := k.prefetchNext(ctx, key); err != nil {
			return // note has logged it
		}
	}
}

func (k *Keys) prefetchNext(ctx context.Context, key *dayKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	name, next, boot := key.zone.String(), key.day+1, k.clock.Boot()
	if k.closed || k.share.asked[name] >= next {
		return nil
	}
	id := idOf(name)
	if h := k.survey(id, boot); h.live != nil && h.live.day() >= next {
		return nil // an event was faster
	}
	s, err := k.page.free()
	if err != nil {
		return err
	}
	err = k.ask(ctx, s, name, next)
	if err != nil && !errors.Is(err, ErrOver) {
		return err
	}
	k.share.asked[name] = next
	if err == nil {
		s.publish(ready, next, id, key.zone, boot)
	}
	return nil
}

// drop has the shared store destroy what is over. What fails is tried again.
func (k *Keys) drop(ctx context.Context, now time.Time) {
	k.mu.Lock()
	drops := maps.Clone(k.share.drops)
	paused := k.clock.Boot() < k.share.drop.retryAt
	k.mu.Unlock()
	if paused {
		return
	}
	for date, pending := range drops {
		today := DayOf(now, pending.zone)
		if date.day > today || date.day == today && !pending.worn {
			continue // the clock was wrong, and other nodes may need it
		}
		err := k.dropOne(ctx, date)
		k.mu.Lock()
		k.share.drop.note(err, k.clock.Boot(), k.log, "drop")
		if err == nil {
			delete(k.share.drops, date)
		}
		k.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (k *Keys) dropOne(ctx context.Context, date zoneDay) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return k.cfg.Shared.Drop(ctx, date.zone, date.day)
}
