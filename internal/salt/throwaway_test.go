package salt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/dchest/siphash"
)

func thrown(t *testing.T, at File, clock Clock) *Throwaway {
	t.Helper()
	th, err := OpenThrowaway(at, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = th.Close() })
	return th
}

func TestThrowaway_numbers(t *testing.T) {
	clock := newClock()
	file := runtimeDir(t, shm(t)).ThrowawayFile(install(t), 7)
	path := file.Path()
	a, b := thrown(t, file, clock), thrown(t, File{}, clock)
	seen := map[uint64]bool{}
	f := func(k numberer, loc *time.Location, at time.Time, want string) {
		t.Helper()
		day, n := number(t, k, loc, at)
		if seen[n] || dateOf(day) != want {
			t.Errorf("%s: got %s, seen %v", want, dateOf(day), seen[n])
		}
		seen[n] = true
	}
	past := time.Date(2019, 10, 26, 22, 30, 0, 0, time.UTC)
	f(a, time.UTC, past, "2019-10-26")
	f(a, zone(t, "Europe/Berlin"), past, "2019-10-27")
	f(a, zone(t, "Europe/Vienna"), past, "2019-10-27")
	f(a, time.UTC, past.Add(24*time.Hour), "2019-10-27")
	f(a, time.UTC, past.AddDate(3, 0, 0), "2022-10-26") // later dates do not keep earlier ones away
	f(b, time.UTC, past, "2019-10-26")
	if _, n := number(t, a, time.UTC, past.Add(time.Hour)); !seen[n] {
		t.Error("one visitor has two numbers on one day")
	}

	// More dates than there is room for, three times over.
	first := map[int]uint64{}
	for range 3 {
		for i := range 2 * batchSlots {
			_, n := number(t, a, time.UTC, past.AddDate(0, 0, -i))
			if was, ok := first[i]; ok && was != n {
				t.Fatalf("day %d has two numbers", i)
			}
			first[i] = n
		}
	}
	if !a.Fresh() {
		t.Error("not fresh")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Number(1, time.UTC, past, home, agent); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: got %v", err)
	}
	if slots, keys := hasKeys(t, path); slots != 1 || keys != 1 {
		t.Errorf("%d slots, %d keys: only the secret should be left", slots, keys)
	}
	again := thrown(t, file, clock)
	if _, n := number(t, again, time.UTC, past.AddDate(0, 0, -3)); n != first[3] || again.Fresh() {
		t.Errorf("after a restart: same number %v, fresh %v", n == first[3], again.Fresh())
	}
}

func TestThrowaway_expires(t *testing.T) {
	clock := newClock()
	file := runtimeDir(t, shm(t)).ThrowawayFile(install(t), 7)
	path := file.Path()
	used, idle, inMemory := thrown(t, file, clock), thrown(t, file, clock), thrown(t, File{}, clock)
	for _, th := range []*Throwaway{used, idle, inMemory} {
		number(t, th, time.UTC, noon)
	}
	page := idle.page
	clock.sleep(24*time.Hour - 1)
	number(t, used, time.UTC, noon)
	if idle.Expired() {
		t.Error("expired too early")
	}
	clock.sleep(1)
	for what, th := range map[string]*Throwaway{"used": used, "in memory": inMemory} {
		if _, _, err := th.Number(1, time.UTC, noon, home, agent); !errors.Is(err, ErrExpired) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	if !page.slots[0].blank() {
		t.Error("the secret is still mapped by who rests")
	}
	if !idle.Expired() || !inMemory.Expired() {
		t.Error("not expired")
	}
	if _, _, err := idle.Number(1, time.UTC, noon, home, agent); !errors.Is(err, ErrExpired) {
		t.Errorf("idle: got %v", err)
	}
	if idle.page.slots != nil {
		t.Error("the memory was not given back")
	}
}

func TestOpenThrowaway_expired(t *testing.T) {
	clock := newClock()
	file := runtimeDir(t, shm(t)).ThrowawayFile(install(t), 7)
	path := file.Path()
	_ = thrown(t, file, clock).Close()
	clock.sleep(24 * time.Hour)
	if _, err := OpenThrowaway(file, clock, nil); !errors.Is(err, ErrExpired) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	if !thrown(t, file, clock).Fresh() {
		t.Error("not fresh")
	}
}

func TestThrowaway_Destroy(t *testing.T) {
	clock := newClock()
	file := runtimeDir(t, shm(t)).ThrowawayFile(install(t), 7)
	path := file.Path()
	th := thrown(t, file, clock)
	number(t, th, time.UTC, noon)
	before, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := errors.Join(th.Destroy(), th.Destroy(), th.Close()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64*slotBytes)
	if _, err := before.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	for at := slotBytes; at < len(b); at += slotBytes {
		if b[at] != 0 || [16]byte(b[at+8:]) != [16]byte{} {
			t.Errorf("slot at %d is not empty", at)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	if _, _, err := th.Number(1, time.UTC, noon, home, agent); !errors.Is(err, ErrExpired) {
		t.Errorf("got %v", err)
	}
}

// The derivation by hand is HMAC.
func TestSlot_derive(t *testing.T) {
	var secret, s slot
	secret.key[0].Store(0x0706050403020100)
	secret.key[1].Store(0x0f0e0d0c0b0a0908)
	s.derive(&secret, zoneDay{"Europe/Berlin", 0x5123})
	mac := hmac.New(sha256.New, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	id := sha256.Sum256([]byte("Europe/Berlin"))
	mac.Write(append([]byte{0x23, 0x51}, id[:]...))
	want := mac.Sum(nil)
	if s.key[0].Load() != binary.LittleEndian.Uint64(want) || s.key[1].Load() != binary.LittleEndian.Uint64(want[8:]) {
		t.Error("it is something else")
	}
	if n := testing.AllocsPerRun(10, func() { s.derive(&secret, zoneDay{"Europe/Berlin", 0x5123}) }); n != 0 {
		t.Errorf("%v allocations: they hold the secret", n)
	}
	v := visitor{1, home, agent}
	if n, _ := s.number(0, &v); n != siphash.Hash(binary.LittleEndian.Uint64(want), binary.LittleEndian.Uint64(want[8:]), v.append(nil)) {
		t.Error("the number is something else")
	}
}

func TestThrowaway_allocatesNothing(t *testing.T) {
	th := thrown(t, File{}, newClock())
	if n := testing.AllocsPerRun(100, func() { _, _, _ = th.Number(1, time.UTC, noon, home, agent) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
