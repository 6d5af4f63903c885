//go:build testclock

package clock_test

import (
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/clock"
)

func TestClock_set(t *testing.T) {
	c := clock.New()
	booted := c.Boot()
	then := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	c.Set(then, time.Hour)
	if now := c.Now(); now.Before(then) || now.Sub(then) > time.Minute {
		t.Errorf("it is %s", now)
	}
	c.Set(then, time.Hour)
	if passed := c.Boot() - booted; passed < 2*time.Hour || passed > 2*time.Hour+time.Minute {
		t.Errorf("two hours are %s", passed)
	}
}
