package salt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dir is a runtime directory, held open. Files in it are reached through what was opened, whatever has its path by then.
type Dir struct {
	handle *os.File
	path   string // without links
}

// openDir opens a directory as it is: candidate says whether it will do.
func openDir(path string) (*Dir, error) {
	handle, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	return &Dir{handle, path}, nil
}

// Path returns the directory's path, without links.
func (d *Dir) Path() string { return d.path }

// Close gives the directory back. Files in it cannot be opened or removed any more.
func (d *Dir) Close() error { return d.handle.Close() }

// names lists the directory.
func (d *Dir) names() ([]string, error) {
	again, err := d.openAt(".", unix.O_RDONLY|unix.O_DIRECTORY) // a handle is read through only once
	if err != nil {
		return nil, err
	}
	names, err := again.Readdirnames(-1)
	return names, errors.Join(err, again.Close())
}

// is says whether two are one directory.
func (d *Dir) is(other *Dir) bool {
	a, errA := d.handle.Stat()
	b, errB := other.handle.Stat()
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// openAt opens a file in the directory, never through a link.
func (d *Dir) openAt(name string, flags int) (*os.File, error) {
	defer runtime.KeepAlive(d.handle)
	fd, err := unix.Openat(int(d.handle.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "openat", Path: filepath.Join(d.path, name), Err: err}
	}
	return os.NewFile(uintptr(fd), filepath.Join(d.path, name)), nil
}

// remove removes a file in the directory.
func (d *Dir) remove(name string) error {
	defer runtime.KeepAlive(d.handle)
	if err := unix.Unlinkat(int(d.handle.Fd()), name, 0); err != nil {
		return &fs.PathError{Op: "unlinkat", Path: filepath.Join(d.path, name), Err: err}
	}
	return nil
}

// File is a place for keys in a runtime directory, whether or not a file is there. The zero File is no place: keys are in memory only.
type File struct {
	dir  *Dir
	name string
}

// Names of files in a runtime directory: keys-<mark>, and import-<mark>-<number>.
const (
	keyPrefix       = "keys-"
	throwawayPrefix = "import-"
)

// KeyFile returns the place for an installation's keys. The zero File is that of a nil directory.
func (d *Dir) KeyFile(of *Installation) File {
	if d == nil {
		return File{}
	}
	return File{d, keyPrefix + of.mark}
}

// ThrowawayFile returns the place for the keys of an import. The zero File is that of a nil directory.
func (d *Dir) ThrowawayFile(of *Installation, id uint16) File {
	if d == nil {
		return File{}
	}
	return File{d, throwawayPrefix + of.mark + "-" + strconv.Itoa(int(id))}
}

// parseName returns whose file it is and how many slots it has. For a name that KeyFile and ThrowawayFile never make, ok is false.
func parseName(name string) (mark string, slots int, ok bool) {
	mark, ok = strings.CutPrefix(name, keyPrefix)
	if ok {
		return mark, keySlots, isHex(mark, markLen)
	}
	rest, ok := strings.CutPrefix(name, throwawayPrefix)
	mark, number, _ := strings.Cut(rest, "-")
	id, err := strconv.ParseUint(number, 10, 16)
	return mark, batchSlots, ok && err == nil && isHex(mark, markLen) && strconv.FormatUint(id, 10) == number
}

// isHex says whether a text has so many digits, and nothing else.
func isHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}

// Path returns the file's path. It is for people: the file is opened through its directory.
func (f File) Path() string {
	if f.dir == nil {
		return ""
	}
	return filepath.Join(f.dir.path, f.name)
}

// Exists says whether there is a file. It need not be of use.
func (f File) Exists() bool {
	if f.dir == nil {
		return false
	}
	defer runtime.KeepAlive(f.dir.handle)
	var stat unix.Stat_t
	return unix.Fstatat(int(f.dir.handle.Fd()), f.name, &stat, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// openLocked opens the file without following a link, and takes its lock.
func (f File) openLocked(flags int) (*os.File, error) {
	file, err := f.dir.openAt(f.name, os.O_RDWR|flags)
	if errors.Is(err, syscall.ELOOP) {
		return nil, errLink
	}
	if err != nil {
		return nil, err
	}
	if err := lockFile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Destroy overwrites and removes the file, whatever is in it. It is no error if there is none, and nothing happens for the zero File. The error says
// that keys may be left in it.
func (f File) Destroy() error {
	if f.dir == nil {
		return nil
	}
	file, info, err := f.openOurs()
	if file == nil || err != nil {
		return err
	}
	return errors.Join(f.scrap(file, info.Size()), file.Close())
}

// openOurs opens and locks a file that has to be there already and be ours. All answers are nil when there is none.
func (f File) openOurs() (*os.File, fs.FileInfo, error) {
	file, err := f.openLocked(0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := vet(file)
	if err != nil || info == nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// scrap overwrites the file, which the caller opened and locked, and removes it. States come first, so that nobody takes the zeros behind them for a key.
func (f File) scrap(file *os.File, size int64) error {
	var zeros [slotBytes]byte
	size = min(size, 1<<20) // no file of ours is larger
	for at := int64(slotBytes); at+8 <= size; at += slotBytes {
		if _, err := file.WriteAt(zeros[:8], at); err != nil {
			return err
		}
	}
	if _, err := file.WriteAt(make([]byte, size), 0); err != nil {
		return fmt.Errorf("cannot overwrite it: %w", err)
	}
	return f.dir.remove(f.name)
}
