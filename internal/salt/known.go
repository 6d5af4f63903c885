package salt

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/daysalt/daysalt/internal/event"
)

// Known is Number for who asks after a number that may have been made: it makes no key and fetches none. ok is false where this process has no key in use for the day: it
// has made no number on it since it was started.
func (k *Keys) Known(siteID uint32, zone *time.Location, t time.Time, address netip.Addr, agent string) (day event.Day, number uint64, ok bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return 0, 0, false, errClosed
	}
	if err := k.page.lock(); err != nil {
		return 0, 0, false, fmt.Errorf("cannot look for the day's key: %w", err)
	}
	defer k.page.unlock()
	inUse := k.survey(idOf(zone.String()), k.clock.Boot()).live
	if inUse == nil || inUse.day() < DayOf(t, zone) {
		return 0, 0, false, nil
	}
	v := visitor{siteID, address, agent}
	number, ok = inUse.number(inUse.state.Load(), &v)
	return inUse.day(), number, ok, nil
}
