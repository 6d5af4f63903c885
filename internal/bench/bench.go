// Package bench measures a server: what taking and storing an event costs, beside a server that does nothing, and whether every event that was taken is
// stored once.
//
// It stands beside the line. It starts whole processes of the same program, sends them what load makes, stops them, and then asks the database itself. For
// shipping alone it builds that part of the line in this process. Only the bench commands use it.
//
// Invariants: while something is measured, nothing else of the bench runs but the driver. A server and its baseline take turns, each in a process of its own
// that was warmed first. Everything lies in a temporary directory that is gone afterwards, and no process outlives this one. A number that was
// not measured is not reported as 0. What is lost or stored twice is found by asking the database, not the server.
//
// It knows nothing of how the server works inside, but for the names of its metrics and of its table.
package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/daysalt/daysalt/internal/engine"
	"github.com/daysalt/daysalt/internal/fault"
)

// Config says with what is measured.
type Config struct {
	Executable string   // the program
	Flags      []string // settings of every server
	Library    string   // path of the engine's library; "" looks for it as a server does
	Memory     uint64   // of an engine in this process, in bytes; 0 for the engine's default
	Threads    int      // of such an engine, for each question; 0 for one per core
	Dir        string   // where temporary directories are made; "" for the system's
	Keep       bool     // leave them there

	Now      func() time.Time // with a monotonic reading
	Progress io.Writer        // what is being done, a line each; nil for nobody
}

// Bench measures. It does one thing at a time.
type Bench struct {
	cfg Config
}

// New returns a Bench. It fails with NotFound where there is no engine's library.
func New(cfg Config) (*Bench, error) {
	switch {
	case cfg.Executable == "" || cfg.Now == nil:
		return nil, errors.New("cannot measure without a program and a clock")
	case cfg.Progress == nil:
		cfg.Progress = io.Discard
	}
	library, err := engine.FindLibrary(cfg.Library)
	if err != nil {
		return nil, err
	}
	cfg.Library = library
	cfg.Flags = append(slices.Clone(cfg.Flags), "--engine-library", library)
	return &Bench{cfg}, nil
}

// say tells what is being done.
func (b *Bench) say(format string, args ...any) { fmt.Fprintf(b.cfg.Progress, format+"\n", args...) }

// temporary makes a directory and returns how it is removed.
func (b *Bench) temporary() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(b.cfg.Dir, "daysalt-bench-")
	if err != nil {
		return "", nil, fault.Invalidf("dir", "no directory can be made in it: %v", err)
	}
	if b.cfg.Keep {
		b.say("kept: %s", dir)
		return dir, func() {}, nil
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil // the system's own cleaning has the rest
}

// median returns the middle of some numbers, of an even number of them the mean of the two, and 0 of none.
func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
