package clock_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/clock"
)

func TestClock(t *testing.T) {
	c := clock.New()
	before, booted := time.Now(), c.Boot()
	if now := c.Now(); now.Before(before) || now.Sub(before) > time.Minute {
		t.Errorf("it is %s, and was %s", now, before)
	}
	if booted <= 0 {
		t.Errorf("the machine booted %s ago", booted)
	}
	time.Sleep(time.Millisecond)
	if passed := c.Boot() - booted; passed < time.Millisecond || passed > time.Minute {
		t.Errorf("a millisecond is %s", passed)
	}
}

func TestBootID(t *testing.T) {
	if id := clock.BootID(); id != clock.BootID() || runtime.GOOS == "linux" && len(id) != 36 {
		t.Errorf("%q", id)
	}
}
