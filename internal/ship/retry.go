package ship

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
	logEvery   = 30 // attempts; five minutes at the longest pause
)

// retry does something until it succeeds, with growing pauses between. It returns false when ctx ended first. It logs the first failure and then
// few of them.
func (s *Shipper) retry(ctx context.Context, what string, do func(context.Context) error) bool {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return false
		}
		err := do(ctx)
		if err == nil {
			if attempt > 1 {
				s.log.Info("shipping goes on", "step", what, "attempts", attempt)
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		s.counter.retries.Add(1)
		if attempt%logEvery == 1 {
			s.log.Error("shipping is held up, trying again", "step", what, "attempts", attempt, "error", err)
		}
		// Half of it is random, so that many nodes do not come back at once.
		wait := time.NewTimer(pause/2 + rand.N(pause/2)) //nolint:gosec // Nothing depends on guessing it.
		select {
		case <-ctx.Done():
			wait.Stop()
			return false
		case <-wait.C:
		}
		pause = min(2*pause, lastPause)
	}
}
