package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden file anew; only for a new version of the format")

// childEnv names the directory in which this binary, started again by a test, appends until it is killed.
const childEnv = "DAYSALT_JOURNAL_TEST_CHILD"

// failpointEnv lets one append of that process hang.
const failpointEnv = "DAYSALT_JOURNAL_TEST_FAILPOINT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func checksumOf(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(nil, crc32.Checksum(b, castagnoli))
}

func childConfig(dir string) Config {
	return Config{Dir: dir, SegmentBytes: 64 << 10, QuotaBytes: 1 << 30, Interval: 5 * time.Millisecond}
}

const childWriters = 4

// child appends from several goroutines and prints every frame's id once it is acknowledged. With the failpoint, the 100th frame of its first writer never gets
// from claim to publication.
func child(dir string) error {
	j, err := Open(childConfig(dir), nil)
	if err != nil {
		return err
	}
	if os.Getenv(failpointEnv) != "" {
		var calls atomic.Int64
		j.claimed = func(*segment, int64) {
			if calls.Add(1) == 100 {
				select {}
			}
		}
	}
	var group sync.WaitGroup
	for w := range childWriters {
		group.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if err := j.Append([]byte(id + strings.Repeat(" pad", i%100))); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				_, _ = os.Stdout.WriteString(id + "\n") // One write: lines do not mix.
			}
		})
	}
	group.Wait()
	return nil
}

// startChild starts it and waits for its first acknowledgement.
func startChild(t *testing.T, dir string, env ...string) (cmd *exec.Cmd, lines *bufio.Scanner, complaints *bytes.Buffer) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childEnv+"="+dir), env...)
	complaints = &bytes.Buffer{}
	cmd.Stderr = complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines = bufio.NewScanner(out)
	return cmd, lines, complaints
}

func TestKill_everyAcknowledgedFrameIsFoundOnce(t *testing.T) { killed(t, 12) }

// killed kills that many processes that append to one journal, and checks what is in it then.
func killed(t *testing.T, kills int) {
	t.Helper()
	dir := t.TempDir()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	acknowledged := map[string]bool{}
	for range kills {
		cmd, lines, complaints := startChild(t, dir)
		for i := 0; lines.Scan(); i++ {
			if i == 0 {
				time.AfterFunc(time.Duration(rng.IntN(40))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			}
			acknowledged[lines.Text()] = true
		}
		_ = cmd.Wait()
		if complaints.Len() > 0 {
			t.Fatalf("the child complains: %s", complaints)
		}
	}
	found, skipped := checkKilled(t, dir, acknowledged)
	if more := found - len(acknowledged); more > kills*childWriters || len(acknowledged) < 100 {
		t.Errorf("seed %d: %d frames found, %d acknowledged", seed, found, len(acknowledged))
	}
	t.Logf("seed %d: %d kills, %d acknowledged, %d found, %d bytes skipped", seed, kills, len(acknowledged), found, skipped)
}

// checkKilled looks for every acknowledged frame once, and for those of each writer in their order.
func checkKilled(t *testing.T, dir string, acknowledged map[string]bool) (frames int, skipped uint64) {
	t.Helper()
	j := mustOpen(t, childConfig(dir))
	found, last := map[string]int{}, map[string]int{}
	for _, f := range readAll(t, j, Position{}) {
		id, _, _ := strings.Cut(f, " ")
		found[id]++
		at := strings.LastIndexByte(id, '-')
		n, err := strconv.Atoi(id[at+1:])
		if before, ok := last[id[:at]]; err != nil || ok && n <= before {
			t.Errorf("frame %s comes behind %d: %v", id, before, err)
		}
		last[id[:at]] = n
	}
	for id := range acknowledged {
		if found[id] != 1 {
			t.Errorf("acknowledged frame %s is found %d times", id, found[id])
		}
	}
	s := j.Stats()
	if s.BadSegments != 0 {
		t.Errorf("%d bad segments", s.BadSegments)
	}
	mustClose(t, j)
	return len(found), s.Skipped
}

// One append hangs between claim and publication, others are acknowledged behind it, and the process is killed.
func TestKill_withAHole(t *testing.T) {
	dir := t.TempDir()
	cmd, lines, complaints := startChild(t, dir, failpointEnv+"=1")
	acknowledged := map[string]bool{}
	for lines.Scan() {
		acknowledged[lines.Text()] = true
		if len(acknowledged) == 2000 {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if complaints.Len() > 0 {
		t.Fatalf("the child complains: %s", complaints)
	}
	start := time.Now()
	found, skipped := checkKilled(t, dir, acknowledged)
	if len(acknowledged) < 2000 || found < len(acknowledged) || skipped == 0 {
		t.Errorf("%d acknowledged, %d found, %d bytes skipped", len(acknowledged), found, skipped)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("replay took %s: it waits at the hole of a dead process", took)
	}
}

func TestOpen_lockedByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	cmd, lines, _ := startChild(t, dir)
	if !lines.Scan() {
		t.Fatal("the child does not start")
	}
	_, err := Open(childConfig(dir), nil)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(cmd.Process.Pid)) {
		t.Errorf("Open: %v, want ErrLocked with process %d", err, cmd.Process.Pid)
	}
	_ = cmd.Process.Kill()
	for lines.Scan() {
		continue
	}
	_ = cmd.Wait()
	mustOpen(t, childConfig(dir)) // The lock ended with the process.
}
