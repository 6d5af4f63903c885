package salt

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/event"
)

// fakeShared is the store of several nodes.
type fakeShared struct {
	mu      sync.Mutex
	keys    map[zoneDay][16]byte
	gone    map[zoneDay]bool
	down    error
	fetched int
}

func newShared() *fakeShared {
	return &fakeShared{keys: map[zoneDay][16]byte{}, gone: map[zoneDay]bool{}}
}

func (s *fakeShared) Fetch(_ context.Context, zone string, day event.Day, key *[16]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetched++
	date := zoneDay{zone, day}
	if s.down != nil {
		key[0] = 1 // half an answer
		return s.down
	}
	if s.gone[date] {
		return ErrOver
	}
	if _, ok := s.keys[date]; !ok {
		var made [16]byte
		_, _ = rand.Read(made[:])
		s.keys[date] = made
	}
	*key = s.keys[date]
	return nil
}

func (s *fakeShared) Drop(_ context.Context, zone string, day event.Day) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return s.down
	}
	delete(s.keys, zoneDay{zone, day})
	s.gone[zoneDay{zone, day}] = true
	return nil
}

func (s *fakeShared) has(t *testing.T, date string) (there, gone bool) {
	t.Helper()
	d := zoneDay{"UTC", dayOf(t, date)}
	_, there = s.keys[d]
	return there, s.gone[d]
}

func TestShared_oneKeyForAllNodes(t *testing.T) {
	clock, shared := newClock(), newShared()
	a := open(t, Config{Storage: Postgres, Shared: shared}, clock, nil)
	b := open(t, Config{Storage: Postgres, Shared: shared}, clock, nil)
	day, n := number(t, a, time.UTC, noon)
	if _, m := number(t, b, time.UTC, noon); m != n {
		t.Error("two nodes, two numbers")
	}

	clock.advance(11*time.Hour + 49*time.Minute)
	a.Tend(t.Context())
	if shared.fetched != 2 {
		t.Errorf("%d fetches before it is time", shared.fetched)
	}
	clock.advance(time.Minute) // 23:50
	a.Tend(t.Context())
	a.Tend(t.Context())
	if there, _ := shared.has(t, "2026-11-23"); !there || shared.fetched != 3 {
		t.Errorf("tomorrow's key: made %v, %d fetches", there, shared.fetched)
	}
	if _, same := number(t, a, time.UTC, clock.Now()); same != n {
		t.Error("tomorrow's key is in use today")
	}
	if key, err := a.find(time.UTC, day); err != nil || key.day != day {
		t.Errorf("who looks again gets %s, %v", dateOf(key.day), err)
	}

	shared.down = errors.New("gone away") // it does not matter: the key is here
	clock.advance(10 * time.Minute)
	a.Tend(t.Context())
	day, tomorrow := number(t, a, time.UTC, clock.Now())
	if tomorrow == n || dateOf(day) != "2026-11-23" || a.Stats().Own != 0 {
		t.Errorf("got %s, %+v", dateOf(day), a.Stats())
	}
	if there, _ := shared.has(t, "2026-11-22"); !there {
		t.Error("a store that is away dropped a key")
	}
	shared.down = nil
	clock.advance(pause)
	a.Tend(t.Context())
	if there, gone := shared.has(t, "2026-11-22"); there || !gone {
		t.Error("the key of a day that is over is still in the store")
	}
	if _, m := number(t, b, time.UTC, clock.Now()); m != tomorrow {
		t.Error("two nodes, two numbers on the next day")
	}
	if s := a.Stats(); s.InUse != 1 || s.Destroyed != 1 || len(a.share.drops) != 0 {
		t.Errorf("%+v, %d drops", s, len(a.share.drops))
	}
}

func TestShared_away(t *testing.T) {
	clock, shared := newClock(), newShared()
	var log bytes.Buffer
	a := open(t, Config{Storage: Postgres, Shared: shared}, clock, &log)
	b := open(t, Config{Storage: Postgres, Shared: shared}, clock, nil)
	shared.down = errors.New("gone away")
	_, n := number(t, a, time.UTC, noon)
	number(t, a, zone(t, "Europe/Berlin"), noon)
	if shared.fetched != 1 || a.Stats().Own != 2 || strings.Count(log.String(), "gone away") != 1 {
		t.Errorf("%d fetches, %+v, log %q", shared.fetched, a.Stats(), log.String())
	}
	if _, m := number(t, b, time.UTC, noon); m == n {
		t.Error("two nodes made one key")
	}
	shared.down = nil
	clock.advance(time.Hour)
	a.Tend(t.Context())
	if _, same := number(t, a, time.UTC, clock.Now()); same != n {
		t.Error("the key was changed in the middle of a day")
	}
	clock.advance(11 * time.Hour)
	a.Tend(t.Context())
	if _, next := number(t, a, time.UTC, clock.Now()); next == n || a.Stats().Own != 2 {
		t.Errorf("%+v", a.Stats())
	}
	shared.down = errors.New("gone away")
	clock.advance(23*time.Hour + 55*time.Minute)
	a.Tend(t.Context())
	for i := range a.page.slots {
		if s := &a.page.slots[i]; !s.kind().hasKey() && !s.blank() {
			t.Errorf("slot %d has what the store answered before it failed", i)
		}
	}
	if !strings.Contains(log.String(), "answers again") {
		t.Errorf("log %q", log.String())
	}
}

// Another node's clock is ahead, and it destroyed today's key.
func TestShared_over(t *testing.T) {
	clock, shared := newClock(), newShared()
	shared.gone[zoneDay{"UTC", DayOf(noon, time.UTC)}] = true
	a := open(t, Config{Storage: Postgres, Shared: shared}, clock, nil)
	b := open(t, Config{Storage: Postgres, Shared: shared}, clock, nil)
	day, n := number(t, a, time.UTC, noon)
	if _, m := number(t, b, time.UTC, noon); m != n || dateOf(day) != "2026-11-23" || a.Stats().Own != 0 {
		t.Errorf("%s, one number: %v, %+v", dateOf(day), m == n, a.Stats())
	}
	a.Tend(t.Context())
	if there, _ := shared.has(t, "2026-11-23"); !there {
		t.Error("the next date's key was dropped")
	}

	// A node that was in 2030 makes nobody follow.
	for i := range event.Day(1500) {
		shared.gone[zoneDay{"Europe/Berlin", DayOf(noon, time.UTC) + i}] = true
	}
	if day, _ := number(t, a, zone(t, "Europe/Berlin"), noon); dateOf(day) != "2026-11-22" || a.Stats().Own != 1 {
		t.Errorf("%s, %+v", dateOf(day), a.Stats())
	}
}

// After 26 hours the store's key for the date may not be used again, though the store would give it.
func TestShared_worn(t *testing.T) {
	clock, shared := newClock(), newShared()
	a := open(t, Config{Storage: Postgres, Shared: shared}, clock, nil)
	_, n := number(t, a, time.UTC, noon)
	clock.sleep(longest)
	if _, m := number(t, a, time.UTC, noon); m != n {
		t.Error("got another number before Tend")
	}
	a.Tend(t.Context())
	if day, m := number(t, a, time.UTC, noon); m == n || dateOf(day) != "2026-11-22" || a.Stats().Own != 1 {
		t.Errorf("%s, the same number: %v, %+v", dateOf(day), m == n, a.Stats())
	}
	if there, gone := shared.has(t, "2026-11-22"); there || !gone {
		t.Error("the store still has it")
	}
}

// A wall that jumps to 2030 and back must not take the other nodes' keys with it.
func TestShared_jump(t *testing.T) {
	clock, shared := newClock(), newShared()
	a := open(t, Config{Storage: Postgres, Shared: shared}, clock, nil)
	clock.set(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
	number(t, a, time.UTC, clock.Now())
	clock.set(noon)
	clock.sleep(longest)
	a.Tend(t.Context())
	if there, gone := shared.has(t, "2030-01-02"); !there || gone {
		t.Error("the key of 2030 was dropped: no date before would get one")
	}
}
