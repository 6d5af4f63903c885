package salt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A page is a header of 64 bytes and slots of 64. The header of a file is
//
//	magic    8 bytes
//	version  uint32, little endian, as is the next
//	slots    uint32: how many follow
//	name     32 bytes: SHA-256 of the file's name
//	zero     16 bytes
//
// Slots are in the machine's byte order: the file never leaves the machine's memory.
const (
	pageMagic   = "daysaltK"
	pageVersion = 1
	keySlots    = 1023 // with the header 64 KiB, which is all that older systems let a process lock
)

// page is memory that keys live in: mapped, so that it is not the garbage collector's to copy; locked, not dumped and not inherited.
type page struct {
	memory []byte
	slots  []slot
	at     File
	file   *os.File // nil: memory only
	fresh  bool     // the file was made, not found
	guard  error    // why the memory is not locked
}

// Refusals of a file: to use it anyway could give keys away or damage what is not ours.
var (
	errLink    = errors.New("it is a symbolic link, which daysalt does not follow here: remove it")
	errNoFile  = errors.New("it is no regular file with one name: remove it")
	errNotOurs = errors.New("it belongs to another user")
	errBusy    = errors.New("another process holds the file's lock")
	errFull    = errors.New("there are keys for as many time zones as one server can have")
)

// newPage makes a page in memory only.
func newPage(slots int) (*page, error) {
	memory, err := unix.Mmap(-1, 0, pageBytes(slots), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("cannot map memory for keys: %w", err)
	}
	p := &page{memory: memory}
	p.cut()
	return p, nil
}

func pageBytes(slots int) int { return slotBytes * (slots + 1) }

// cut makes slots of the memory and asks the system to keep it to itself.
func (p *page) cut() {
	first := unsafe.Pointer(&p.memory[slotBytes])                               //nolint:gosec // G103: mapped memory has no other way in.
	p.slots = unsafe.Slice((*slot)(first), (len(p.memory)-slotBytes)/slotBytes) //nolint:gosec // G103: as above; the length is the mapping's.
	p.guard = guard(p.memory)
}

// openPage opens the page in a file, and makes the file when there is none. The page is returned locked.
//
// What is no page of this name and version, or could be read by others, is overwritten, removed and made anew: a process that still has it mapped then
// finds its keys destroyed.
func openPage(at File, slots int, log *slog.Logger) (*page, error) {
	for range 10 {
		p, problem, err := tryPage(at, slots)
		switch {
		case err != nil:
			return nil, fmt.Errorf("cannot use key file %s: %w", at.Path(), err)
		case problem != "":
			log.Warn("a key file could not be used and is made anew: visitors seen before are counted again", "file", at.Path(), "problem", problem)
		case p != nil:
			return p, nil
		}
	}
	return nil, fmt.Errorf("cannot use key file %s: %w", at.Path(), fs.ErrExist)
}

// tryPage opens or makes the file once. It returns a page, or why the file that was there had to go, or neither when the file vanished meanwhile.
func tryPage(at File, slots int) (p *page, problem string, err error) {
	file, err := at.openLocked(os.O_CREATE)
	if err != nil {
		return nil, "", err
	}
	p = &page{at: at, file: file}
	defer func() {
		if err != nil || problem != "" || p == nil {
			_ = file.Close()
			p = nil
		}
	}()
	info, err := vet(file)
	if err != nil || info == nil {
		return nil, "", err
	}
	if p.fresh = info.Size() == 0 && info.Mode().Perm() == 0o600; p.fresh {
		err = p.format(slots)
		if err != nil {
			return nil, "", err
		}
	} else if problem = damage(file, info, slots); problem != "" {
		return nil, problem, at.scrap(file, info.Size())
	}
	err = p.open(slots)
	return p, "", err
}

// open maps the page's file.
func (p *page) open(slots int) (err error) {
	p.memory, err = unix.Mmap(int(p.file.Fd()), 0, pageBytes(slots), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("cannot map it: %w", err)
	}
	p.cut()
	return nil
}

// vet refuses what is not our file. It returns nil and nil when the file has no name any more: it was removed before the lock was ours.
func vet(file *os.File) (os.FileInfo, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || !info.Mode().IsRegular() || stat.Nlink > 1:
		return nil, errNoFile
	case int(stat.Uid) != os.Geteuid():
		return nil, errNotOurs
	case stat.Nlink == 0:
		return nil, nil //nolint:nilnil // It is gone, and that is no failure.
	}
	return info, nil
}

// damage says why the file is no page of this name and version; "" when it is one.
func damage(file *os.File, info os.FileInfo, slots int) string {
	header := make([]byte, slotBytes)
	_, err := file.ReadAt(header, 0)
	want := pageHeader(file.Name(), slots)
	switch {
	case info.Mode().Perm() != 0o600:
		return "others may read it"
	case err != nil || info.Size() != int64(pageBytes(slots)):
		return "it has the wrong size"
	case !bytes.Equal(header[:16], want[:16]):
		return "it is no key file of this version"
	case !bytes.Equal(header, want):
		return "it belongs to another installation"
	}
	return ""
}

func pageHeader(path string, slots int) []byte {
	b := append(make([]byte, 0, slotBytes), pageMagic...)
	b = binary.LittleEndian.AppendUint32(b, pageVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(slots))
	name := sha256.Sum256([]byte(filepath.Base(path)))
	return append(b, name[:]...)[:slotBytes]
}

// format makes an empty file a page. Every byte is written, because a page of tmpfs that cannot be had later ends the process; the header is written last,
// because a file that has it is whole.
func (p *page) format(slots int) error {
	if _, err := p.file.WriteAt(make([]byte, pageBytes(slots)), 0); err != nil {
		_ = p.file.Truncate(0)
		return err
	}
	_, err := p.file.WriteAt(pageHeader(p.file.Name(), slots), 0)
	return err
}

// lockPatience is how long to wait for another process, in tries of a millisecond. Others hold the lock for microseconds.
const lockPatience = 2000

func lockFile(file *os.File) error {
	for range lockPatience {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("cannot lock it: %w", err)
		}
		time.Sleep(time.Millisecond)
	}
	return errBusy
}

// lock keeps other processes from changing the page. The caller keeps its own process from it.
func (p *page) lock() error {
	if p.file == nil {
		return nil
	}
	if err := lockFile(p.file); err != nil {
		return fmt.Errorf("cannot use key file %s: %w", p.file.Name(), err)
	}
	return nil
}

func (p *page) unlock() {
	if p.file != nil {
		_ = unix.Flock(int(p.file.Fd()), unix.LOCK_UN) // it fails only for what is no file
	}
}

// clean empties what a crash left half done. It is called when the page was opened.
func (p *page) clean() {
	for i := range p.slots {
		s := &p.slots[i]
		switch k := s.kind(); {
		case k >= kinds, k.hasKey() && s.blank():
			s.destroy(empty, 0)
		case !k.hasKey():
			s.wipe()
		}
	}
}

// free returns an empty slot.
func (p *page) free() (*slot, error) {
	for i := range p.slots {
		if s := &p.slots[i]; s.kind() == empty {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w (%d)", errFull, len(p.slots))
}

// wipe destroys every key.
func (p *page) wipe() {
	for i := range p.slots {
		p.slots[i].destroy(empty, 0)
	}
}

// remove destroys every key and removes the file. The caller holds the lock.
func (p *page) remove() error {
	p.wipe()
	if p.file == nil {
		return nil
	}
	info, err := vet(p.file)
	if err != nil || info == nil { // another removed it, and what has its name now is not ours
		return err
	}
	return p.at.dir.remove(p.at.name)
}

// close gives the memory back. Nobody may read a key any more.
func (p *page) close() error {
	err := unix.Munmap(p.memory)
	p.slots = nil
	if p.file != nil {
		err = errors.Join(err, p.file.Close())
	}
	return err
}
