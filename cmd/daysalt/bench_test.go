package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/bench"
	"github.com/daysalt/daysalt/internal/testkit"
)

// benchmark runs a bench command to its end and reads the JSON that it prints.
func benchmark(t *testing.T, into any, args ...string) {
	t.Helper()
	code, stdout, stderr := daysalt(t, append([]string{"bench", "--json", "--engine-library", testkit.Library(t)}, args...)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
}

// Events at a set rate beside the baseline: exactly those that were due are accepted and stored, once, with those of the warming before.
func TestBench_ingest(t *testing.T) {
	t.Parallel()
	var r bench.Report
	benchmark(t, &r, "ingest", "--rate", "500", "--duration", "2s", "--baseline", "--pairs", "1", "--connections", "8")
	s, b := r.Server[0], r.Baseline[0]
	if s.Accepted != 1000 || *s.Stored != 2000 || *s.Lost != 0 || *s.Duplicated != 0 || *s.Unexpected != 0 {
		t.Errorf("%d accepted, %d stored, %d lost, %d duplicated, %d unexpected", s.Accepted, *s.Stored, *s.Lost, *s.Duplicated, *s.Unexpected)
	}
	if b.Accepted != 1000 || b.Stored != nil || s.CPUMicros <= 0 || b.CPUMicros <= 0 || r.CPU == nil || r.Throughput == nil || s.ResidentBytes < 50<<20 || s.LagSeconds == nil {
		t.Errorf("%+v, %+v, %+v", r, s, b)
	}
	if r.Disk == nil || r.Disk.Events != 2000 || len(r.Disk.Columns) < 30 || r.Disk.Columns[0].BytesPerEvent < 1 {
		t.Errorf("%+v", r.Disk)
	}
}

// The database stands still meanwhile, and has everything once it goes on, with the events of 2 s before and 2 s behind the stop.
func TestBench_paused(t *testing.T) {
	t.Parallel()
	var r bench.Report
	benchmark(t, &r, "ingest", "--rate", "300", "--duration", "1500ms", "--paused", "--sites", "2", "--seed", "77")
	if s := r.Server[0]; s.Accepted != 450 || *s.Stored != 1650 || *s.Lost != 0 || *s.Duplicated != 0 || *s.Unexpected != 0 || s.LagSeconds != nil {
		t.Errorf("%+v: %d stored, %d lost", s, *s.Stored, *s.Lost)
	}
}

func TestBench_ship(t *testing.T) {
	t.Parallel()
	var r bench.ShipReport
	benchmark(t, &r, "ship", "--events", "20000")
	t.Logf("%.0f events/s, %.2f us, %.2f bytes per event", r.EventsPerSec, r.CPUMicros, r.Disk.BytesPerEvent)
	if r.Stored != 20_000 || r.Disk.Events != 20_000 || r.EventsPerSec < 1000 || r.CPUMicros <= 0 {
		t.Errorf("%+v", r)
	}
	sum := 0.0
	for _, c := range r.Disk.Columns {
		sum += c.BytesPerEvent
	}
	if all := r.Disk.BytesPerEvent; all < 5 || all > 100 || sum > all || sum < all/2 {
		t.Errorf("%.2f bytes per event, %.2f in columns", r.Disk.BytesPerEvent, sum)
	}
}

// What is wrong on the command line is said by the name of its flag.
func TestBench_usage(t *testing.T) {
	t.Parallel()
	f := func(want string, args ...string) {
		t.Helper()
		code, _, stderr := daysalt(t, append([]string{"bench"}, args...)...)
		if code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
	f("name a command")
	f("rate: ", "ingest", "--rate", "-1")
	f("duration: ", "ingest", "--duration", "1ms")
	f("connections: ", "ingest", "--connections", "0")
	f("wrk: ", "ingest", "--wrk", "--rate", "5")
	f("--seed", "ingest", "--seed", "x")
	f("events: ", "ship", "--events", "10")
	f("dir: ", "ship", "--dir", "/nowhere", "--engine-library", testkit.Library(t))
	f("listen: ", "baseline", "--listen", "0.0.0.0:0")
}

// Without wrk it is said what to install.
func TestBench_noWrk(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"PATH="}, "bench", "ingest", "--wrk", "--engine-library", testkit.Library(t))
	if code := p.wait(); code != 1 || !strings.Contains(p.log.String(), "apt-get install wrk") {
		t.Errorf("exit code %d: %s", code, p.log.String())
	}
}

// However a measurement ends, its processes end too, the stopped one among them; asked to end, it also leaves no files.
func TestBench_ends(t *testing.T) {
	t.Parallel()
	f := func(how syscall.Signal, clean bool) {
		t.Helper()
		temp := t.TempDir()
		p := start(t, []string{"TMPDIR=" + temp}, "bench", "ingest", "--duration", "1m", "--rate", "100", "--paused", "--engine-library", testkit.Library(t))
		children := awaitStopped(t, p.cmd.Process.Pid)
		if err := p.cmd.Process.Signal(how); err != nil {
			t.Fatal(err)
		}
		if code := p.wait(); code == 0 {
			t.Errorf("%v: exit code 0", how)
		}
		for _, pid := range children {
			for deadline := time.Now().Add(10 * time.Second); !ended(pid); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Errorf("%v: process %d is in state %s", how, pid, state(pid))
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
		left, err := os.ReadDir(temp)
		if err != nil || clean && len(left) > 0 {
			t.Errorf("%v: %v is left, %v", how, left, err)
		}
	}
	f(syscall.SIGINT, true)
	f(syscall.SIGKILL, false)
}

// awaitStopped waits until a process has two children of which one is stopped, and returns both.
func awaitStopped(t *testing.T, parent int) []int {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var children []int
		stopped := false
		files, _ := filepath.Glob("/proc/" + strconv.Itoa(parent) + "/task/*/children")
		for _, file := range files {
			text, _ := os.ReadFile(file)
			for field := range strings.FieldsSeq(string(text)) {
				pid, _ := strconv.Atoi(field)
				children = append(children, pid)
				stopped = stopped || state(pid) == "T"
			}
		}
		if stopped && len(children) == 2 {
			return children
		}
	}
	t.Fatal("the database is not stopped")
	return nil
}

// ended says whether a process is gone, or would be if anybody asked how it ended.
func ended(pid int) bool {
	s := state(pid)
	return s == " " || s == "X" || s == "Z"
}

// state returns the state of a process as the system calls it: "T" is stopped, "Z" ended; " " where there is none.
func state(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, ok := strings.Cut(string(text), ") ")
	if err != nil || !ok {
		return " "
	}
	return rest[:1]
}
