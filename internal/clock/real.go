//go:build !testclock

package clock

import "time"

// shift is nothing: this clock cannot be set.
type shift struct{}

func (shift) wall(t time.Time) time.Time         { return t }
func (shift) boot(d time.Duration) time.Duration { return d }
