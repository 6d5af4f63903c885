package ship

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
)

const (
	// firstPatience is how long an attempt to insert may take, so that a database which hangs and keeps its connection does not hold up the line for ever. Each
	// attempt in a row that takes longer doubles it, up to lastPatience. To give up is safe: the token says whether the rows arrived nevertheless.
	firstPatience = 2 * time.Minute
	lastPatience  = 15 * time.Minute

	// refusals is how often a batch, and a single row, has to be refused for its content until that is believed.
	refusals = 3

	// lookAround is how often, while an insert is under way, it is seen whether the journal needs room.
	lookAround = time.Second
)

// flight is an insert under way. Only its own goroutine calls the sink; it touches nothing else of the Shipper but counters and patience.
type flight struct {
	batch   *batch
	done    chan struct{}
	outcome outcome // valid when done is closed
}

// outcome is how an insert came out.
type outcome struct {
	refused   error // the last refusal for the content of the rows; nil: they are stored
	attempts  int
	ended     bool // the context ended first, and nothing is known
	restarted bool // the database was: what it knows of the token is not known
	returned  bool // the goroutine came to its end
}

// launch begins to insert the rows of a part of the batch, and gives up after this many refusals.
func (s *Shipper) launch(ctx context.Context, b *batch, p part, tries int) *flight {
	fl := &flight{batch: b, done: make(chan struct{})}
	sh := &shipment{pieces: s.pieces(b, p), tries: tries, epoch: s.epoch, doubtful: b.fixed}
	go func() {
		defer close(fl.done)
		fl.outcome = s.insert(ctx, sh)
	}()
	return fl
}

// shipment is what a flight is about.
type shipment struct {
	pieces   []piece
	tries    int
	epoch    int  // restarts that were seen when it was made
	doubtful bool // the rows may have been sent before, by an attempt that failed or by another process, so that a restart matters
}

// errRestarted is why an attempt was not made.
var errRestarted = errors.New("the database was restarted")

// await waits until an insert has come out. Meanwhile it gives room back to the journal and sees that nothing becomes too old.
func (s *Shipper) await(fl *flight) outcome {
	select {
	case <-fl.done:
	default:
		var look <-chan time.Time
		if s.canGive() {
			ticker := time.NewTicker(lookAround)
			defer ticker.Stop()
			look = ticker.C
		}
		for waiting := true; waiting; {
			select {
			case <-fl.done:
				waiting = false
			case <-look:
				s.giveRoom()
			case <-s.hour.C:
				s.discardOld()
			}
		}
	}
	if !fl.outcome.returned {
		runtime.Goexit() // The sink ended its goroutine, and with it ours, as it would if we had called it.
	}
	return fl.outcome
}

// insert calls the sink until the rows are stored, or refused for their content so many times, or the database was restarted, or ctx ends.
func (s *Shipper) insert(ctx context.Context, sh *shipment) (out outcome) {
	for i := range sh.pieces {
		more := s.insertPiece(ctx, sh, &sh.pieces[i])
		more.attempts = max(more.attempts, out.attempts)
		if out = more; out.refused != nil || out.ended || out.restarted {
			return out
		}
	}
	return out
}

func (s *Shipper) insertPiece(ctx context.Context, sh *shipment, p *piece) (out outcome) {
	var pause backoff
	for refused := 0; ; {
		if ctx.Err() != nil {
			return outcome{ended: true, returned: true}
		}
		out.attempts++
		err := s.send(ctx, sh, p)
		switch {
		case errors.Is(err, errRestarted):
			return outcome{restarted: true, attempts: out.attempts, returned: true}
		case err == nil:
			s.patience = firstPatience
			s.goesOn("insert a batch", out.attempts)
			return outcome{attempts: out.attempts, returned: true}
		case ctx.Err() != nil:
			return outcome{ended: true, returned: true}
		case fault.KindOf(err) == fault.Invalid:
			if refused++; refused >= sh.tries {
				return outcome{refused: err, attempts: out.attempts, returned: true}
			}
		}
		s.heldUp("insert a batch", out.attempts, err)
		if !pause.wait(ctx) {
			return outcome{ended: true, returned: true}
		}
	}
}

// send makes one attempt. What may have been sent before is sent only to a database that was not restarted since, or is looked for first.
func (s *Shipper) send(ctx context.Context, sh *shipment, p *piece) error {
	if sh.doubtful {
		epoch, err := s.watch.look(ctx, s.sink)
		if epoch != sh.epoch {
			return errRestarted
		}
		if err != nil {
			return fmt.Errorf("cannot ask since when the database runs: %w", err)
		}
	}
	if stored, err := s.lookFor(ctx, p); stored || err != nil {
		return err
	}
	err := s.attempt(ctx, p.token, p.rows)
	sh.doubtful = sh.doubtful || err != nil && fault.KindOf(err) != fault.Invalid
	return err
}

func (s *Shipper) attempt(ctx context.Context, token string, rows []event.Row) error {
	bounded, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	err := s.sink.Insert(bounded, token, rows)
	if err != nil && errors.Is(bounded.Err(), context.DeadlineExceeded) {
		s.patience = min(2*s.patience, lastPatience)
	}
	return err
}

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
	logFirst   = 3  // attempts
	logEvery   = 30 // attempts; five minutes at the longest pause
)

// backoff makes pauses that grow. The zero backoff begins with the shortest.
type backoff struct{ pause time.Duration }

// wait makes the next pause. It returns false when ctx ended first.
func (b *backoff) wait(ctx context.Context) bool {
	b.pause = min(max(firstPause, 2*b.pause), lastPause)
	// Half of it is random, so that many nodes do not come back at once.
	timer := time.NewTimer(b.pause/2 + rand.N(b.pause/2)) //nolint:gosec // Nothing depends on guessing it.
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// retry does something until it succeeds, with growing pauses between. It returns false when ctx ended first.
func (s *Shipper) retry(ctx context.Context, what string, do func(context.Context) error) bool {
	var pause backoff
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return false
		}
		err := do(ctx)
		if err == nil {
			s.goesOn(what, attempt)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		s.heldUp(what, attempt, err)
		if !pause.wait(ctx) {
			return false
		}
	}
}

// heldUp counts an attempt that failed, and logs the first ones and then few.
func (s *Shipper) heldUp(what string, attempt int, err error) {
	s.counter.retries.Add(1)
	if attempt <= logFirst || attempt%logEvery == 0 {
		s.log.Error("shipping is held up, trying again", "step", what, "attempts", attempt, "error", err)
	}
}

func (s *Shipper) goesOn(what string, attempts int) {
	if attempts > 1 {
		s.log.Info("shipping goes on", "step", what, "attempts", attempts)
	}
}
