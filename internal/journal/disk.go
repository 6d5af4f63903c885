package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// disk is what the journal asks of the file system and what a test makes fail.
type disk interface {
	allocate(f *os.File, size int64) error
	writeAt(f *os.File, b []byte, offset int64) (int, error)
	sync(f *os.File) error
	syncDir(dir string) error
}

type realDisk struct{}

func (realDisk) writeAt(f *os.File, b []byte, offset int64) (int, error) { return f.WriteAt(b, offset) }

// allocate makes f size bytes long and takes the space now, so that a full disk is an error here and never a fault on a mapped page.
func (realDisk) allocate(f *os.File, size int64) error {
	err := fallocate(f, size)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return writeZeros(f, size)
}

// writeZeros does it where the file system cannot.
func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes names made or removed in dir durable.
func (realDisk) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	_ = d.Close() // It was only read.
	return err
}

// lockDir makes dir where it is missing, closes it to others and takes its lock, which ends with the returned file. The file holds the process id, for people.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // A directory needs its execute bit.
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 20)) // For the message only.
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s, process %q", ErrLocked, dir, holder)
		}
		return nil, err
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
