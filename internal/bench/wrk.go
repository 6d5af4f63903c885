package bench

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/load"
)

//go:embed wrk.lua
var wrkScript []byte

// Of wrk: how many threads send, so that it uses one processor at most; how many requests each of them sends over and over; and how many places ids have.
const (
	wrkThreads  = 1
	wrkRequests = 40_000
	maxWrk      = 1 << 31
)

// findWrk says what to do where wrk is missing.
func findWrk() error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return fault.Unavailablef(nil, "--wrk needs the program wrk, which is not installed (Debian: apt-get install wrk)")
	}
	return nil
}

// wrk is a driver in another program, which costs less of the processors that the server needs. It keeps no ids of what was accepted: it counts.
type wrk struct {
	dir      string
	script   string
	requests string // file
	letters  string // that all ids begin with
}

// newWrk writes the files that wrk needs. The requests have the generator's ids, which are replaced.
func newWrk(parent string, g *load.Generator, seed uint64) (*wrk, error) {
	dir, err := os.MkdirTemp(parent, "daysalt-wrk-")
	if err != nil {
		return nil, fault.Invalidf("dir", "no directory can be made in it: %v", err)
	}
	w := &wrk{dir: dir, script: filepath.Join(dir, "wrk.lua"), requests: filepath.Join(dir, "requests")}
	w.letters = string(load.AppendID(nil, seed<<40)[:6])
	err = os.WriteFile(w.script, wrkScript, 0o600)
	if err == nil {
		err = writeRequests(w.requests, g)
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("cannot write the requests: %w", err)
	}
	return w, nil
}

func writeRequests(path string, g *load.Generator) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, 1<<20)
	var request, text []byte
	for range wrkRequests {
		var id uint64
		request, id = g.Next(request[:0])
		text = load.AppendID(text[:0], id)
		before, after, ok := bytes.Cut(request, text)
		if !ok {
			return errors.Join(errors.New("a request has no id"), file.Close())
		}
		fmt.Fprintf(out, "%d %d\n", len(before), len(after))
		_, _ = out.Write(before) // Flush says what is wrong
		_, _ = out.Write(after)
	}
	return errorsOf(out.Flush(), file.Close())
}

func (w *wrk) close() { _ = os.RemoveAll(w.dir) } // the system's own cleaning has the rest

// wrkPlace returns a place for the number of an id that wrk made: its letters are one of the thread, an "a" and eight that count.
func wrkPlace(number uint64) int {
	thread, one, count := number>>36, number>>32&15, number&(1<<32-1)
	if thread >= wrkThreads || one != 0 {
		return maxWrk
	}
	return int(count*wrkThreads + thread)
}

// wrkResult is what the script prints. Latencies are microseconds.
type wrkResult struct {
	Sent, Answered, Refused, Broken int
	Micros, P50, P99, P999, Max     float64
}

// run sends for the time of a window.
func (w *wrk) run(ctx context.Context, base string, o Ingest, note *book) (Run, error) {
	threads := min(wrkThreads, o.Connections)
	cmd := exec.CommandContext(ctx, "wrk", "--threads", strconv.Itoa(threads), "--connections", strconv.Itoa(o.Connections), //nolint:gosec // numbers, and files of our own
		"--duration", strconv.Itoa(int(o.Duration/time.Second))+"s", "--timeout", "10s", "--latency", "--script", w.script, base+"/api/event", "--", w.requests, w.letters)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // it ends and says what it knows
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr text
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return Run{}, ctx.Err()
	}
	if err != nil {
		return Run{}, fmt.Errorf("cannot send with wrk: %w: %s", err, stderr.String())
	}
	_, line, ok := bytes.Cut(out, []byte("RESULT "))
	var r wrkResult
	if err := json.Unmarshal(line, &r); !ok || err != nil {
		return Run{}, fmt.Errorf("cannot read what wrk printed: %s", out)
	}
	run := Run{
		Sent: r.Sent, Accepted: r.Answered - r.Refused, Refused: r.Refused, Unknown: r.Sent - r.Answered, Seconds: r.Micros / 1e6,
		P50Micros: r.P50, P99Micros: r.P99, P999Micros: r.P999, MaxMicros: r.Max,
	}
	run.rate()
	run.driver(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime())
	note.sent += r.Sent
	note.accepted += run.Accepted
	return run, nil
}
