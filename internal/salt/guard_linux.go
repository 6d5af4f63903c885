package salt

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// guard keeps memory out of swap, core dumps and child processes.
func guard(memory []byte) error {
	return errors.Join(
		unix.Madvise(memory, unix.MADV_DONTDUMP),
		unix.Madvise(memory, unix.MADV_DONTFORK),
		unix.Mlock(memory),
	)
}

// inMemory says whether a directory is on a file system that keeps files in memory only.
func inMemory(dir string) (bool, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return false, err
	}
	kind := uint32(stat.Type)
	return kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC, nil
}

// Harden keeps the kernel from writing the process's memory into a core dump, and other processes of the same user from reading it. It is called once,
// at the start; the owner of /proc/self's files becomes root.
func Harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("cannot turn core dumps off: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot make the process's memory private: %w", err)
	}
	return nil
}
