package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
)

// Server is a Service, wherever it is.
type Server interface {
	BeginImport(ctx context.Context, start Start) (Progress, error)
	ImportLines(ctx context.Context, id uint16, from uint64, text []byte) (Progress, error)
	EndImport(ctx context.Context, id uint16) (Progress, error)
}

// Result says what became of a file.
type Result struct {
	Progress
	Known      bool    `json:"known"`        // it was imported before: nothing was done
	From       uint64  `json:"from"`         // the first line that was not stored before
	LeftOut    uint64  `json:"left_out"`     // wrong lines
	OutOfOrder uint64  `json:"out_of_order"` // lines that are older than one before them of the same visitor and day; in a very large file, at least
	Seconds    float64 `json:"seconds"`      // from the first line sent to the last one stored
}

// Send sends a file that was read. When ctx ends it stops after the chunk under way. It fails with Conflict where the file changed or the server cannot go on
// with it, and with Unavailable where it stopped half-way: the same again goes on there. A file without lines is not sent.
func (f *File) Send(ctx context.Context, server Server) (Result, error) {
	result := Result{LeftOut: f.leftOut, OutOfOrder: f.order.count, From: 1, Progress: Progress{State: Ended, NextLine: 1, Dropped: map[string]uint64{}}}
	if f.lines == 0 {
		return result, nil
	}
	began := f.cfg.Now()
	progress, err := f.try(ctx, 0, func(ctx context.Context) (Progress, error) {
		return server.BeginImport(ctx, Start{Digest: f.digest, Lines: f.lines})
	})
	if err != nil {
		return result, err
	}
	result.Progress, result.From, result.Known = progress, progress.NextLine, progress.State == Ended
	if result.Known {
		return result, nil
	}
	if progress.NextLine <= f.lines {
		if progress, err = f.sendLines(ctx, server, progress); err != nil {
			return result, err
		}
	}
	progress, err = f.try(ctx, progress.NextLine, func(ctx context.Context) (Progress, error) { return server.EndImport(ctx, progress.ID) })
	if err != nil {
		return result, err
	}
	result.Progress, result.Seconds = progress, f.cfg.Now().Sub(began).Seconds()
	return result, nil
}

// sendLines sends what the server has not stored, chunk by chunk.
func (f *File) sendLines(ctx context.Context, server Server, progress Progress) (Progress, error) {
	r, err := openFile(f.path, f.cfg.At)
	if err != nil {
		return progress, err
	}
	defer r.close()
	c := chunk{from: progress.NextLine}
	for {
		line, err := r.next()
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return progress, err
		}
		if r.number > f.lines || ended && r.sum() != f.digest {
			return progress, fault.Conflictf("file", "changed while it was imported; `daysalt import rm %d --yes` deletes what was stored of it", progress.ID)
		}
		if c.lines > 0 && (ended || c.isFull(line)) {
			progress, err = f.try(ctx, c.from, func(ctx context.Context) (Progress, error) {
				return server.ImportLines(ctx, progress.ID, c.from, c.text)
			})
			if err != nil {
				return progress, err
			}
			c = chunk{from: max(c.from+c.lines, progress.NextLine), text: c.text[:0]}
		}
		if ended {
			return progress, nil
		}
		if r.number >= c.from {
			if f.leftOut > 0 && f.check(r.number, line) != nil {
				line = nil // an empty line keeps the numbers
			}
			c.add(line)
		}
	}
}

// chunk is what is sent at once.
type chunk struct {
	from, lines uint64
	text        []byte
}

func (c *chunk) isFull(next []byte) bool {
	return c.lines == MaxChunkLines || len(c.text)+len(next)+1 > MaxChunk
}

func (c *chunk) add(line []byte) {
	c.text = append(append(c.text, line...), '\n')
	c.lines++
}

// How long is waited before a server is asked again: twice as long each time, within bounds.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 5 * time.Second
)

// try asks the server, and asks again while it cannot answer. An answer that was lost may leave the server at work on what was asked, so after one it may be
// busy for a moment. line is where the import stands; 0: it has not begun.
func (f *File) try(ctx context.Context, line uint64, ask func(context.Context) (Progress, error)) (Progress, error) {
	var failing time.Time
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if ctx.Err() != nil {
			return Progress{}, &fault.Error{Kind: fault.Unavailable, Message: "stopped; " + f.goesOn(line)}
		}
		progress, err := ask(context.WithoutCancel(ctx))
		if err == nil || !mayPass(err, !failing.IsZero()) {
			return progress, err
		}
		if failing.IsZero() {
			failing = f.cfg.Now()
		}
		if f.cfg.Now().Sub(failing)+pause > f.cfg.Patience {
			return Progress{}, fault.Unavailablef(err, "the server did not take the events for %v; %s", f.cfg.Patience, f.goesOn(line))
		}
		wait(ctx, pause)
	}
}

// mayPass says whether an error may be gone the next time.
func mayPass(err error, again bool) bool {
	problem, ok := errors.AsType[*fault.Error](err)
	return ok && (problem.Kind == fault.Unavailable || again && problem.Kind == fault.Conflict && problem.Field == Busy)
}

func (f *File) goesOn(line uint64) string {
	switch {
	case line == 0:
		return "nothing was imported"
	case line > f.lines:
		return "all lines are stored, and the same command finishes the import"
	}
	return fmt.Sprintf("the same command goes on at line %d of %d", line, f.lines)
}

func wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
