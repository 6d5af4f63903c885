//go:build !linux

package salt

import "golang.org/x/sys/unix"

// guard keeps memory out of swap.
func guard(memory []byte) error { return unix.Mlock(memory) }

// inMemory is not known here: nothing is.
func inMemory(string) (bool, error) { return false, nil }

// Harden does nothing on this system.
func Harden() error { return nil }
