//go:build testclock

package clock

import (
	"sync/atomic"
	"time"
)

// shift is how far a test moved the clock.
type shift struct {
	wallBy, bootBy atomic.Int64 // nanoseconds
}

func (s *shift) wall(t time.Time) time.Time         { return t.Add(time.Duration(s.wallBy.Load())) }
func (s *shift) boot(d time.Duration) time.Duration { return d + time.Duration(s.bootBy.Load()) }

// Set moves the wall's time to t, from where it goes on, and adds more to the time since boot.
func (c *Clock) Set(t time.Time, more time.Duration) {
	c.shift.wallBy.Store(int64(time.Until(t)))
	c.shift.bootBy.Add(int64(more))
}
