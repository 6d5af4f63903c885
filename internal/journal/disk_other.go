//go:build !linux

package journal

import (
	"errors"
	"os"
)

func fallocate(*os.File, int64) error { return errors.ErrUnsupported }

func (realDisk) sync(f *os.File) error { return f.Sync() }
