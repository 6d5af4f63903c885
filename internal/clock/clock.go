// Package clock tells the time: the wall's, and the time since the machine booted.
//
// app gives one Clock to every part that asks for the time. The wall's time decides days and what is written into rows; the time since boot decides
// how long a secret has been in use, because nobody can set it back and it goes on while no server runs.
//
// Invariants: Boot never goes back. It counts the time that the machine slept, and a process that starts anew goes on where the last one was.
//
// It makes no timers. With the build tag testclock, tests may set it; without the tag the code for that is not in the binary.
package clock

import (
	"time"
)

// Clock tells the time. It is safe for concurrent use.
type Clock struct {
	shift shift
}

// New returns the machine's clock.
func New() *Clock { return new(Clock) }

// Now returns the wall's time.
func (c *Clock) Now() time.Time { return c.shift.wall(time.Now()) }

// BootID names the time that the machine has been running: after it was booted again it has another one. It is "" where the system does not say.
func BootID() string { return bootID() }

// Boot returns the time since the machine booted.
func (c *Clock) Boot() time.Duration { return c.shift.boot(sinceBoot()) }
