// Command daysalt is a privacy-preserving web analytics server, and the tool that its operator gives commands with.
//
// This package reads the command line and prints; internal/app and internal/admin do the work. Exit codes: 0 done, 1 failed, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a site's zone must work on a machine without zone files

	"github.com/daysalt/daysalt/internal/fault"
)

// version is what this tree builds.
const version = "0.1.0"

func main() {
	// The first signal asks for a clean stop. Once it came, the default is back, and a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage), fault.KindOf(err) == fault.Invalid:
		return 2
	}
	return 1
}
