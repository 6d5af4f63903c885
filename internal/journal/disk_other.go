//go:build !linux

package journal

import (
	"errors"
	"os"
)

func fallocate(*os.File, int64) error { return errors.ErrUnsupported }

func populate([]byte) error { return errors.ErrUnsupported }

func (realDisk) sync(f *os.File) error { return f.Sync() }

func (realDisk) syncRange(f *os.File, _ []byte, _, _ int64) error { return f.Sync() }
