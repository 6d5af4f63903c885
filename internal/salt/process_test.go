//go:build linux

package salt

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// childEnv makes this binary, started again by a test, do one of the jobs instead of the tests.
const childEnv = "DAYSALT_SALT_TEST_CHILD"

func TestMain(m *testing.M) {
	job, ok := jobs()[os.Getenv(childEnv)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := job(os.Getenv(childEnv + "_FILE")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func child(job, file string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+job, childEnv+"_FILE="+file)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// jobs are what a child process does. The clock of each says the same.
func jobs() map[string]func(file string) error {
	return map[string]func(string) error{"linger": linger, "race": race, "midnight": midnight, "import": importThrown, "harden": harden}
}

// linger prints a number, and waits to be killed.
func linger(file string) error {
	at, err := openFileAt(file)
	if err != nil {
		return err
	}
	k, err := Open(Config{Storage: Runtime, File: at}, newClock(), nil)
	if err != nil {
		return err
	}
	_, n, err := k.Number(1, time.UTC, noon, home, agent)
	if err != nil {
		return err
	}
	fmt.Println(n)
	time.Sleep(time.Minute)
	return nil
}

func TestKeys_survivesKill(t *testing.T) {
	file := keyFile(t).File.Path()
	var numbers [2]string
	for i := range numbers {
		cmd, _ := child("linger", file)
		cmd.Stdout, cmd.Stderr = nil, nil
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan()
		numbers[i] = lines.Text()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}
	if _, err := strconv.ParseUint(numbers[0], 10, 64); err != nil || numbers[0] != numbers[1] {
		t.Errorf("got %q, and after kill -9 %q", numbers[0], numbers[1])
	}
}

const raceZones = 200

// race makes the keys of many zones from several goroutines, each zone at a moment of its own, from the one in the file on; and prints the numbers.
func race(file string) error {
	var start time.Time
	for range 10_000 {
		if text, err := os.ReadFile(file + ".start"); err == nil && start.UnmarshalText(text) == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	at := func(zone int) time.Time { return start.Add(time.Duration(zone) * 500 * time.Microsecond) }
	time.Sleep(time.Until(at(-1)))
	place, err := openFileAt(file)
	if err != nil {
		return err
	}
	k, err := Open(Config{Storage: Runtime, File: place, Random: slow{}}, newClock(), nil)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	var numbers [4][raceZones]uint64
	var errs [4]error
	for g := range numbers {
		group.Go(func() {
			for i := range raceZones {
				var err error
				time.Sleep(time.Until(at(i)))
				if _, numbers[g][i], err = k.Number(1, time.FixedZone(fmt.Sprintf("zone %d", i), 0), noon, home, agent); err != nil {
					errs[g] = err
				}
			}
		})
	}
	group.Wait()
	for g, err := range errs {
		if err != nil || numbers[g] != numbers[0] {
			return fmt.Errorf("goroutine %d has other numbers, or %w", g, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(numbers[0])
}

// slow leaves time between looking for a key and making one.
type slow struct{}

func (slow) Read(b []byte) (int, error) {
	time.Sleep(200 * time.Microsecond)
	return rand.Read(b)
}

// Processes that make keys at the same time, in a file that none of them finds, end with the same keys.
func TestKeys_processesRace(t *testing.T) {
	file := keyFile(t).File.Path()
	a, outA := child("race", file)
	b, outB := child("race", file)
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	start, err := time.Now().Add(300 * time.Millisecond).MarshalText() // by then both are up
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(file+".tmp", start, 0o600), os.Rename(file+".tmp", file+".start")); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(); err != nil {
		t.Fatal(err, outA)
	}
	if err := b.Wait(); err != nil {
		t.Fatal(err, outB)
	}
	if outA.String() != outB.String() || strings.Count(outA.String(), ",") != raceZones-1 {
		t.Errorf("two processes have\n%s\n%s", outA, outB)
	}
	if slots, keys := hasKeys(t, file); slots != raceZones || keys != raceZones {
		t.Errorf("%d slots, %d keys", slots, keys)
	}
}

// Readers without the lock never use a key that is being destroyed: every number is that of a key that was in use, for the day it is returned with.
func TestNumber_whileKeysGo(t *testing.T) {
	clock, cfg := newClock(), keyFile(t)
	k, other := open(t, cfg, clock, nil), open(t, cfg, clock, nil) // the other process destroys keys, too
	kathmandu := zone(t, "Asia/Kathmandu")
	zones := []*time.Location{time.UTC, kathmandu}
	var zero slot
	none, _ := zero.number(0, &visitor{1, home, agent})

	type seen struct {
		zone int
		day  uint16
		n    uint64
	}
	var group sync.WaitGroup
	done := make(chan struct{})
	all := make([]map[seen]int, 4)
	var made atomic.Int64
	for g := range all {
		all[g] = map[seen]int{}
		group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				day, n, err := k.Number(1, zones[i%2], clock.Now(), home, agent)
				if err != nil {
					t.Error(err)
					return
				}
				all[g][seen{i % 2, uint16(day), n}]++
				made.Add(1)
			}
		})
	}
	some := func() {
		for from := made.Load(); made.Load() < from+50 && !t.Failed(); {
			time.Sleep(100 * time.Microsecond)
		}
	}
	const days = 40
	for range days {
		clock.advance(12 * time.Hour)
		k.destroyOver(clock.Now())
		some()
		clock.advance(12 * time.Hour)
		other.destroyOver(clock.Now())
		some()
	}
	close(done)
	group.Wait()

	merged, count := map[seen]bool{}, 0
	for _, m := range all {
		for s, n := range m {
			merged[s] = true
			count += n
		}
	}
	perDay := map[[2]uint16]int{}
	for s := range merged {
		if s.n == none {
			t.Error("a number was made under a key of zeros")
		}
		perDay[[2]uint16{uint16(s.zone), s.day}]++
	}
	for day, n := range perDay {
		if n != 1 {
			t.Errorf("zone %d, day %d: %d numbers for one visitor", day[0], day[1], n)
		}
	}
	if count < 2000 || len(perDay) < days/2 {
		t.Errorf("only %d numbers on %d days: too few to say anything", count, len(perDay))
	}
	t.Logf("%d numbers on %d days", count, len(perDay))
}

// The order in which a key is destroyed matters: whoever finds the state unchanged has read the whole key.
func TestSlot_number_whileDestroyed(t *testing.T) {
	var s, same slot
	v := visitor{1, home, agent}
	put := func(s *slot) {
		s.key[0].Store(0x0123456789abcdef)
		s.key[1].Store(0xfedcba9876543210)
	}
	put(&same)
	want, _ := same.number(0, &v)
	var state atomic.Uint64
	var stop atomic.Bool
	var group sync.WaitGroup
	var read, wrong atomic.Int64
	turns := 0
	group.Go(func() {
		for !stop.Load() {
			if n, ok := s.number(state.Load(), &v); ok {
				read.Add(1)
				if n != want {
					wrong.Add(1)
				}
			}
		}
	})
	// On a busy machine the two hardly ever run at once: then it takes longer, and the test's own time limit ends it.
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end) || read.Load() < 100; {
		put(&s)
		state.Store(s.turn(live, 1))
		if turns++; turns%64 == 0 {
			runtime.Gosched()
		}
		for range 20 {
			_ = state.Load()
		}
		state.Store(1) // no state of this slot
		s.destroy(empty, 0)
	}
	stop.Store(true)
	group.Wait()
	if wrong.Load() != 0 {
		t.Errorf("%d of %d numbers are of no key", wrong.Load(), read.Load())
	}
}
