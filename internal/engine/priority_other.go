//go:build !linux

package engine

// stepBack does nothing where priorities are the process's.
func stepBack() {}
