package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// disk is what the journal asks of the file system and what a test makes fail.
type disk interface {
	allocate(f *os.File, size int64) error
	writeAt(f *os.File, b []byte, offset int64) (int, error)
	sync(f *os.File) error
	syncDir(dir string) error
	mapFile(f *os.File, size int64) ([]byte, error)
	unmap(mem []byte) error
	syncRange(f *os.File, mem []byte, from, to int64) error
	space(dir string) (free, total int64, err error)
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

// mapFile maps the first size bytes of f and takes the page faults of writing there now.
func (realDisk) mapFile(f *os.File, size int64) ([]byte, error) {
	mem, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	if err = populate(mem); errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = touch(mem)
	}
	if err != nil {
		_ = syscall.Munmap(mem) // Populating is what failed.
		return nil, err
	}
	return mem, nil
}

// touch writes to every page without changing it.
func touch(mem []byte) (err error) {
	defer catchFault(debug.SetPanicOnFault(true), &err)
	for at := 0; at+8 <= len(mem); at += 4096 {
		atomic.AddUint64(wordAt(mem, int64(at)), 0)
	}
	return nil
}

func (realDisk) unmap(mem []byte) error { return syscall.Munmap(mem) }

// wordAt returns the eight bytes at offset, which is a multiple of eight, as a number for atomic access.
func wordAt(mem []byte, offset int64) *uint64 {
	return (*uint64)(unsafe.Pointer(&mem[offset : offset+8][0])) //nolint:gosec // G103: it is in bounds, and aligned because mappings begin with a page.
}

// errFault is what an access to mapped memory ends with where the disk cannot give or take the page.
var errFault = errors.New("the disk failed under mapped memory")

// catchFault is deferred around accesses to mapped memory, with what debug.SetPanicOnFault(true) returned: a fault becomes an error instead of the end of
// the process. Files are allocated before they are mapped, so it is for what no allocation guards against, a broken disk or somebody who cuts a file.
func catchFault(old bool, err *error) {
	debug.SetPanicOnFault(old)
	if r := recover(); r != nil {
		if _, ok := r.(interface{ Addr() uintptr }); !ok {
			panic(r)
		}
		*err = errFault
	}
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

// space returns the bytes of the file system of dir, and how many of them can be taken.
func (realDisk) space(dir string) (free, total int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil //nolint:unconvert // The types differ between systems.
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
