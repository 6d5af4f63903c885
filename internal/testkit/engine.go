package testkit

import (
	"testing"

	"github.com/daysalt/daysalt/internal/engine"
)

// Engine opens an engine on a fresh directory and closes it at the end of the test. A process holds one engine at a time, so tests that use
// it must not run in parallel with each other.
func Engine(tb testing.TB) *engine.Engine {
	tb.Helper()
	e, err := engine.Open(engine.Config{Library: Library(tb), DataDir: tb.TempDir()}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return e
}
