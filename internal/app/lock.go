package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/daysalt/daysalt/internal/fault"
)

// lockDir takes the data directory for this process. The kernel gives it back when the process dies, however it dies.
func lockDir(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Invalidf("data.dir", "cannot be written: %v", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fault.Conflictf("data.dir", "another daysalt process holds %s", dir), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock the data directory: %w", err), f.Close())
	}
	return f.Close, nil
}
