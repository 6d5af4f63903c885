package salt

import (
	"crypto/rand"
	"net/netip"
	"testing"
	"time"
)

// A quiet site's key must go at its midnight too, when no event comes to replace it.
func TestForget(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	home := netip.MustParseAddr("192.0.2.1")
	kathmandu, err := time.LoadLocation("Asia/Kathmandu") // its day ends at 18:15 UTC
	if err != nil {
		t.Fatal(err)
	}
	k := New(rand.Reader)
	day, number, err := k.Number(1, time.UTC, noon, home, "agent")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.Number(1, kathmandu, noon, home, "agent"); err != nil {
		t.Fatal(err)
	}
	key := (*k.byZone.Load())["UTC"].key
	other := (*k.byZone.Load())["Asia/Kathmandu"].key

	k.Forget(noon.Add(11 * time.Hour))
	if _, same, _ := k.Number(1, time.UTC, noon.Add(11*time.Hour), home, "agent"); same != number {
		t.Error("the key was forgotten before its day was over")
	}
	if (*k.byZone.Load())["Asia/Kathmandu"].key != nil {
		t.Error("the other zone's day is over, and its key is in use")
	}

	midnight := noon.Add(12 * time.Hour)
	k.Forget(midnight)
	if (*k.byZone.Load())["UTC"].key != nil {
		t.Error("the day is over, and its key is in use")
	}
	k.Forget(midnight.Add(requestsEnd))
	if key[0].Load() == 0 && key[1].Load() == 0 {
		t.Error("the key was overwritten while a request may still use it")
	}
	k.Forget(midnight.Add(requestsEnd + time.Second))
	for name, gone := range map[string]interface{ Load() uint64 }{"UTC, first half": &key[0], "UTC, second half": &key[1], "Kathmandu": &other[0]} {
		if gone.Load() != 0 {
			t.Errorf("%s: the key is still in memory", name)
		}
	}
	if len(k.over) != 0 {
		t.Errorf("%d keys wait for ever", len(k.over))
	}

	// The clock is set back: the day that was over stays over.
	back, again, err := k.Number(1, time.UTC, noon, home, "agent")
	if err != nil || back != day+1 || again == number {
		t.Errorf("day %d came back as %d: same number %v, %v", day, back, again == number, err)
	}
}

// A key that an event replaced is overwritten like one that Forget found.
func TestForget_replaced(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	k := New(rand.Reader)
	if _, _, err := k.Number(1, time.UTC, noon, netip.Addr{}, ""); err != nil {
		t.Fatal(err)
	}
	key := (*k.byZone.Load())["UTC"].key
	tomorrow := noon.Add(24 * time.Hour)
	if _, _, err := k.Number(1, time.UTC, tomorrow, netip.Addr{}, ""); err != nil {
		t.Fatal(err)
	}
	k.Forget(tomorrow)
	k.Forget(tomorrow.Add(requestsEnd + time.Second))
	if key[0].Load() != 0 || key[1].Load() != 0 {
		t.Error("the replaced key is still in memory")
	}
	if (*k.byZone.Load())["UTC"].key == nil {
		t.Error("today's key was forgotten")
	}
}
