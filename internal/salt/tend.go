package salt

import (
	"context"
	"runtime"
	"time"

	"github.com/daysalt/daysalt/internal/event"
)

// Tend destroys the keys of days that are over and of such that are too old, and looks after the shared store: it fetches the next date's key ten minutes
// before it begins, and has the keys of days that are over destroyed there. It is to be called every second, and may take a second or two when the shared
// store does not answer.
func (k *Keys) Tend(ctx context.Context) {
	now := k.clock.Now()
	k.sweep(now)
	k.watch(now)
	if k.cfg.Shared != nil {
		k.prefetch(ctx, now)
		k.drop(ctx, now)
	}
}

// sweep destroys what is over. Readers that have looked such a key up see its state and look again.
func (k *Keys) sweep(now time.Time) {
	if k.destroyOver(now) {
		wipeTraces()
	}
}

// wipeTraces has the stacks of signals wiped, on which a signal that came while a key was in use left registers. The collector does so when it starts.
func wipeTraces() {
	if Erasing {
		runtime.GC()
	}
}

// destroyOver says whether a key was destroyed since it was last asked.
func (k *Keys) destroyOver(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return false
	}
	err := k.page.lock()
	if err != nil && k.locked {
		k.log.Error("keys of days that are over cannot be destroyed: the key file's lock cannot be had", "error", err)
	}
	if k.locked = err == nil; !k.locked {
		return false
	}
	defer k.page.unlock()
	k.page.sweep(now, k.clock.Boot(), k.forget)
	before := k.cleaned
	k.cleaned = k.destroyed.Load()
	return k.cleaned != before
}

// watch warns, once for each zone and date, where the wall's date is before the highest date seen.
func (k *Keys) watch(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	behind := 0
	for name, key := range *k.byZone.Load() {
		if DayOf(now.Add(wrongClock), key.zone) >= key.day {
			delete(k.warned, name)
			continue
		}
		behind++
		if k.warned[name] == key.day {
			continue
		}
		k.warned[name] = key.day
		attrs := []any{"zone", name, "wall_date", dateOf(DayOf(now, key.zone)), "highest_date", dateOf(key.day)}
		if k.cfg.Storage == Runtime {
			attrs = append(attrs, "remedy", "if the wall is right: stop the server, remove the key file, start it again", "file", k.cfg.File.Path())
		}
		k.log.Warn("the clock is behind the highest date seen: until it gets there, events are counted on that date, because no date gets a key twice", attrs...)
	}
	k.behind.Store(int64(behind))
}

func dateOf(day event.Day) string {
	return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly)
}
