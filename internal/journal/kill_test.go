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
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden file anew; only for a new version of the format")

// childEnv names the directory in which this binary, started again by a test, appends until it is killed.
const childEnv = "DAYSALT_JOURNAL_TEST_CHILD"

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

// child appends from several goroutines and prints every frame's id once it is acknowledged.
func child(dir string) error {
	j, err := Open(childConfig(dir), nil)
	if err != nil {
		return err
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
func startChild(t *testing.T, dir string) (cmd *exec.Cmd, lines *bufio.Scanner, complaints *bytes.Buffer) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
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

func TestKill_everyAcknowledgedFrameIsFoundOnce(t *testing.T) {
	dir := t.TempDir()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	acknowledged := map[string]bool{}
	const kills = 12
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

	j := mustOpen(t, childConfig(dir))
	found := map[string]int{}
	for _, f := range readAll(t, j, Position{}) {
		id, _, _ := strings.Cut(f, " ")
		found[id]++
	}
	for id := range acknowledged {
		if found[id] != 1 {
			t.Errorf("seed %d: acknowledged frame %s is found %d times", seed, id, found[id])
		}
	}
	for id, n := range found {
		if n != 1 {
			t.Errorf("seed %d: frame %s is found %d times", seed, id, n)
		}
	}
	if more := len(found) - len(acknowledged); more > kills*childWriters || len(acknowledged) < 100 {
		t.Errorf("seed %d: %d frames found, %d acknowledged", seed, len(found), len(acknowledged))
	}
	if s := j.Stats(); s.BadSegments != 0 {
		t.Errorf("seed %d: %d bad segments", seed, s.BadSegments)
	}
	t.Logf("seed %d: %d acknowledged, %d found, %d bytes skipped", seed, len(acknowledged), len(found), j.Stats().Skipped)
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
