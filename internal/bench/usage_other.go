//go:build !linux

package bench

import (
	"time"

	"github.com/daysalt/daysalt/internal/fault"
)

// usage cannot be read here.
func usage(int) (cpu time.Duration, resident int64, err error) {
	return 0, 0, fault.Unavailablef(nil, "what a server costs can be measured on Linux only")
}
