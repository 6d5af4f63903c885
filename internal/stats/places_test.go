package stats_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/stats"
)

// TestPlaces asks ten at once where two may: never more than two run, all are answered, and who gives up waiting is let go.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, tooMany atomic.Int64
		slow := runner(func(context.Context) error {
			if running.Add(1) > 2 {
				tooMany.Add(1)
			}
			time.Sleep(time.Second)
			running.Add(-1)
			return nil
		})
		s, err := stats.New(stats.Config{Parallel: 2}, slow, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		site := stats.Site{ID: 1, Zone: time.UTC}
		var answered, left atomic.Int64
		for range 10 {
			go func() {
				if _, err := s.Current(t.Context(), site); err == nil {
					answered.Add(1)
				}
			}()
		}
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		go func() {
			if _, err := s.Current(impatient, site); errors.Is(err, context.DeadlineExceeded) {
				left.Add(1)
			}
		}()
		time.Sleep(600 * time.Millisecond)
		if left.Load() != 1 {
			t.Error("who gave up is still waiting")
		}
		time.Sleep(5 * time.Second)
		if answered.Load() != 10 || tooMany.Load() != 0 {
			t.Errorf("%d of 10 answered, %d of them beside two others", answered.Load(), tooMany.Load())
		}
	})
}

// TestTooSlow has an engine that does not keep its own time limit.
func TestTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := runner(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		s, err := stats.New(stats.Config{Time: time.Second}, stuck, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = s.Current(t.Context(), stats.Site{ID: 1, Zone: time.UTC})
		if fault.KindOf(err) != fault.Unavailable || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
