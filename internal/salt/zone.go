package salt

import (
	"maps"
	"time"

	"github.com/daysalt/daysalt/internal/event"
)

// holding is what a page has of one zone.
type holding struct {
	live, ready *slot
	first       event.Day // no key may be made for a date before
	worn        bool      // first had a key that is used up
}

// find returns the key for a date, or for the highest date that the zone has seen, and makes it when nobody did. What is in the page decides: another
// process may have made the key, or destroyed the one we had.
func (k *Keys) find(zone *time.Location, day event.Day) (*dayKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, errClosed
	}
	if err := k.page.lock(); err != nil {
		return nil, err
	}
	defer k.page.unlock()

	id := idOf(zone.String())
	k.share.meet(id, zone)
	h := k.survey(id, k.clock.Boot())
	day = max(day, h.first)
	var s *slot
	switch {
	case h.live != nil && h.live.day() == day:
		s = h.live
	case h.ready != nil && h.ready.day() == day:
		s = h.ready
		s.turn(live, day)
	default:
		var err error
		if s, err = k.make(id, zone, day, h.worn && h.first == day); err != nil {
			return nil, err
		}
	}
	k.settle(id, s)
	key := &dayKey{day: s.day(), zone: zone, slot: s, state: s.state.Load()}
	next := maps.Clone(*k.byZone.Load())
	next[zone.String()] = key
	k.byZone.Store(&next)
	return key, nil
}

// survey looks through the page for a zone, and destroys what was in use for too long. The caller holds both locks, here and below.
func (k *Keys) survey(id zoneID, boot time.Duration) holding {
	var h holding
	for i := range k.page.slots {
		s := &k.page.slots[i]
		if s.kind() == empty || s.zone != id {
			continue
		}
		if s.kind().hasKey() && s.old(boot, longest) {
			to, day := s.worn()
			k.forget(s, to, day)
		}
		day := s.day()
		switch s.kind() {
		case live:
			if h.live == nil || h.live.day() < day {
				h.live = s
			}
		case ready:
			h.ready = s
			continue
		case empty:
			continue
		case seen, worn:
		}
		if day > h.first {
			h.first, h.worn = day, false
		}
		h.worn = h.worn || s.kind() == worn && day == h.first
	}
	return h
}

// make makes a key in a free slot and brings it into use. With own, a shared store is not asked: its key for the date is used up.
func (k *Keys) make(id zoneID, zone *time.Location, day event.Day, own bool) (*slot, error) {
	s, err := k.page.free()
	if err != nil {
		return nil, err
	}
	made := k.clock.Boot()
	if day, err = k.fill(s, zone, day, own); err != nil {
		return nil, err
	}
	s.publish(live, day, id, zone, made)
	return s, nil
}

// publish brings a slot with a key into use. The state comes last: a slot without it is empty, whatever is in it.
func (s *slot) publish(as kind, day event.Day, id zoneID, zone *time.Location, made time.Duration) {
	s.zone = id
	s.made = int64(made)
	s.ends = EndOf(day, zone).Unix()
	s.turn(as, day)
}

// settle empties every slot of a zone that the one in use makes needless.
func (k *Keys) settle(id zoneID, inUse *slot) {
	for i := range k.page.slots {
		s := &k.page.slots[i]
		if s == inUse || s.kind() == empty || s.zone != id || s.day() > inUse.day() {
			continue
		}
		if s.kind().hasKey() {
			k.forget(s, empty, 0)
		} else {
			s.destroy(empty, 0)
		}
	}
}

// forget destroys a key, and has the shared store destroy it when its date is over.
func (k *Keys) forget(s *slot, to kind, day event.Day) {
	k.share.over(s.zone, s.day(), to == worn)
	s.destroy(to, day)
	k.destroyed.Add(1)
}
