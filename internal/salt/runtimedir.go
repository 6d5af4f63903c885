package salt

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/daysalt/daysalt/internal/fault"
)

// runtimeField is the setting that names the directory.
const runtimeField = "salt.runtime_dir"

// RuntimeDir opens the directory for key files: the given one, or the first of $RUNTIME_DIRECTORY, /run/daysalt, $XDG_RUNTIME_DIR/daysalt and
// /dev/shm/daysalt-UID that will do. It has to be in memory (tmpfs or ramfs), belong to the process's user, and be writable by nobody else; and nobody else
// may be able to put another in its place. All but /run/daysalt are made when they are not there. That one that the environment names will not do is logged.
//
// A given directory that will not do is a fault. nil and nil say that none was given and none found, as it is on every system but Linux.
func RuntimeDir(explicit string, getenv func(string) string, log *slog.Logger) (*Dir, error) {
	if explicit != "" {
		path, err := filepath.Abs(explicit)
		var dir *Dir
		if err == nil {
			dir, err = candidate{path: path, source: runtimeField, create: true}.open()
		}
		if err != nil {
			return nil, fault.Invalidf(runtimeField, "%s cannot be used: %v. Allowed is a directory on tmpfs or ramfs, which are in memory and on no disk, that belongs to "+
				"the user daysalt runs as, and that nobody else can write to or replace; or nothing, and daysalt looks for one", explicit, err)
		}
		return dir, nil
	}
	for _, c := range candidates(getenv, os.Geteuid()) {
		dir, err := c.open()
		if err == nil {
			return dir, nil
		}
		if c.source != "" && log != nil {
			log.Warn("a directory that the environment names cannot be used for keys", "variable", c.source, "directory", c.path, "problem", err)
		}
	}
	return nil, nil //nolint:nilnil // There is none, and that is no failure.
}

// candidate is a directory that may do.
type candidate struct {
	path    string
	source  string // the variable or setting that names it, which may name a link; "" for one that nobody named
	create  bool   // make it when it is not there
	private bool   // others may not even read it: it is where everybody can make files
}

func candidates(getenv func(string) string, uid int) []candidate {
	var all []candidate
	if dirs := getenv("RUNTIME_DIRECTORY"); dirs != "" { // systemd's, which gives one for each name in the unit
		dir, _, _ := strings.Cut(dirs, ":")
		all = append(all, candidate{path: dir, source: "RUNTIME_DIRECTORY", create: true})
	}
	all = append(all, candidate{path: "/run/daysalt"})
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		all = append(all, candidate{path: filepath.Join(dir, "daysalt"), source: "XDG_RUNTIME_DIR", create: true})
	}
	return append(all, candidate{path: "/dev/shm/daysalt-" + strconv.Itoa(uid), create: true, private: true})
}

// Why a directory will not do.
var (
	errRelative = errors.New("it is not an absolute path")
	errOnDisk   = errors.New("it is not on tmpfs or ramfs, so keys would be written to a disk")
	errNoDir    = errors.New("it is not a directory")
	errForeign  = errors.New("it belongs to another user")
	errOpen     = errors.New("others may write to it")
	errLoop     = errors.New("there are too many symbolic links on the way to it")
)

// open opens the directory, which it makes where it has to, or says why it will not do. Nothing is made on a disk.
func (c candidate) open() (*Dir, error) {
	if !filepath.IsAbs(c.path) {
		return nil, errRelative
	}
	path, err := c.resolve()
	if err != nil {
		return nil, err
	}
	if err := isInMemory(path); err != nil {
		return nil, err
	}
	dir, err := openDir(path)
	if err != nil {
		return nil, err
	}
	if err := c.vet(dir); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// isInMemory says why a directory's files are not in memory.
func isInMemory(dir string) error {
	if ok, err := inMemory(dir); err != nil || ok {
		return err
	}
	return errOnDisk
}

// vet says why an open directory will not do.
func (c candidate) vet(dir *Dir) error {
	info, err := dir.handle.Stat()
	if err != nil {
		return err
	}
	perm := info.Mode().Perm()
	switch {
	case perm&0o022 != 0, c.private && perm != 0o700:
		return errOpen
	case ownerOf(info) != os.Geteuid():
		return errForeign
	}
	if err := unix.Access(dir.path, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("it cannot be written to: %w", err)
	}
	return nil
}

// ownerOf returns the user that a file belongs to; -1 where that is not known.
func ownerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// maxLinks is how many links a path may have.
const maxLinks = 40

// resolve returns the directory that the path leads to, without links. Nobody but root and we can make that path lead elsewhere: each directory
// on the way was looked at, and each link.
func (c candidate) resolve() (string, error) {
	path := filepath.Clean(c.path)
	for range maxLinks {
		next, whole, err := c.follow(path)
		if err != nil || whole {
			return path, err
		}
		path = next
	}
	return "", errLoop
}

// follow goes down a path. It returns what the path is with its first link resolved; whole says that it has none.
func (c candidate) follow(path string) (next string, whole bool, err error) {
	for at := "/"; at != path; {
		if err := keepsNames(at); err != nil {
			return "", false, fmt.Errorf("%s, which it is in, will not do: %w", at, err)
		}
		part, rest, _ := strings.Cut(strings.TrimPrefix(path[len(at):], "/"), "/")
		next := filepath.Join(at, part)
		info, err := c.lookUp(at, next)
		switch {
		case err != nil:
			return "", false, err
		case info.Mode().Type() == fs.ModeSymlink && (rest != "" || c.source != ""):
			next, err = throughLink(next, rest, info)
			return next, false, err
		case !info.IsDir():
			return "", false, errNoDir
		}
		at = next
	}
	return path, true, nil
}

// lookUp looks at a part of the path, and makes a directory of it where there is nothing and it has to.
func (c candidate) lookUp(parent, path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if !c.create || !errors.Is(err, fs.ErrNotExist) {
		return info, err
	}
	if err := isInMemory(parent); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.Lstat(path)
}

// throughLink returns where a link leads to.
func throughLink(path, rest string, info fs.FileInfo) (string, error) {
	if !trusted(info) {
		return "", fmt.Errorf("%s, a symbolic link on the way to it, will not do: %w", path, errForeign)
	}
	target, err := os.Readlink(path)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(path), target)
	}
	return filepath.Join(target, rest), nil
}

// keepsNames says why somebody else could rename or remove what we have in a directory. In a sticky one nobody can but its owner.
func keepsNames(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !trusted(info):
		return errForeign
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return errOpen
	}
	return nil
}

// trusted says whether a file belongs to root, or to us.
func trusted(info fs.FileInfo) bool {
	owner := ownerOf(info)
	return owner == 0 || owner == os.Geteuid()
}
