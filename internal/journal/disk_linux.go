package journal

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// Numbers of the kernel that package syscall does not have.
const (
	madvPopulateWrite = 23 // since Linux 5.14; EINVAL before
	msSync            = 4
)

func fallocate(f *os.File, size int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, size)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// populate takes the page faults of writing to mem.
func populate(mem []byte) error {
	for {
		err := syscall.Madvise(mem, madvPopulateWrite)
		if !errors.Is(err, syscall.EINTR) && !errors.Is(err, syscall.EAGAIN) {
			return err
		}
	}
}

// sync forces the data of f to the disk; its size was made durable when it was allocated.
func (realDisk) sync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// syncRange forces the pages of mem with the bytes [from, to) to the disk. It is not a sync of the whole file, because every page of a segment is dirty
// since it was made ready to be written to: that would write the zeros of the unused ones too, and take their readiness away.
func (realDisk) syncRange(_ *os.File, mem []byte, from, to int64) error {
	from &^= int64(os.Getpagesize()) - 1
	if from >= to {
		return nil
	}
	for {
		_, _, err := syscall.Syscall(syscall.SYS_MSYNC, uintptr(unsafe.Pointer(&mem[from])), uintptr(to-from), msSync) //nolint:gosec // G103: it is in bounds.
		switch err {
		case 0:
			return nil
		case syscall.EINTR:
		default:
			return err
		}
	}
}
