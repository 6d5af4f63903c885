package salt

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
	"unsafe"

	"github.com/daysalt/daysalt/internal/event"
)

// sweep destroys every key whose date is over at now, or that is too old. The date after it is then the first that may get a key.
func (p *page) sweep(now time.Time, boot time.Duration, destroy func(s *slot, to kind, day event.Day)) {
	for i := range p.slots {
		s := &p.slots[i]
		switch {
		case !s.kind().hasKey():
		case now.Unix() >= s.ends:
			destroy(s, seen, s.day()+1)
		case s.old(boot, longest):
			to, day := s.worn()
			destroy(s, to, day)
		}
	}
}

// Sweeper destroys keys in files that no running server looks after. In each runtime directory that there may be, and in those that this installation had,
// these are: every file of this installation, unless the directory is in use; keys of other installations, and of imports, that are over.
//
// It touches nothing but files of the names, the owner and the version that this package makes. Servers that are running see no difference: what is over
// they would have destroyed themselves.
type Sweeper struct {
	installation *Installation
	inUse        *Dir // nil: keys are in no file
	places       []candidate
	clock        Clock
	log          *slog.Logger

	mu   sync.Mutex // guards said
	said map[string]bool
}

// NewSweeper returns a Sweeper. inUse is the directory that the installation's keys are in; nil where they are in none.
func NewSweeper(installation *Installation, inUse *Dir, getenv func(string) string, clock Clock, log *slog.Logger) *Sweeper {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	places := candidates(getenv, os.Geteuid())
	for i := range places {
		places[i].create = false
	}
	return &Sweeper{installation: installation, inUse: inUse, places: places, clock: clock, log: log, said: map[string]bool{}}
}

// Sweep looks through the directories. It is to be called at the start and every minute. What cannot be destroyed is logged, once.
func (s *Sweeper) Sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inUse != nil {
		s.sweepDir(s.inUse)
	}
	for _, c := range s.places {
		if dir, err := c.open(); err == nil { // else it is not there, or nothing in it is ours
			s.sweepOther(dir)
		}
	}
	for _, path := range s.installation.remembered() {
		s.sweepRemembered(path)
	}
}

// sweepRemembered looks through a directory that keys were in, and forgets it once they are not.
func (s *Sweeper) sweepRemembered(path string) {
	dir, err := candidate{path: path}.open()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		if s.news(path, err) {
			s.log.Warn("keys may be left in a directory that cannot be used any more", "directory", path, "problem", err)
		}
		return
	case !s.sweepOther(dir):
		return
	}
	if err := s.installation.forget(path); err != nil && s.news(path, err) {
		s.log.Warn("a directory that has no keys any more cannot be forgotten", "directory", path, "problem", err)
	}
}

// sweepOther looks through a directory, if it is not the one in use, and closes it. done says that nothing of this installation is in it.
func (s *Sweeper) sweepOther(dir *Dir) (done bool) {
	if s.inUse == nil || !dir.is(s.inUse) {
		done = s.sweepDir(dir)
	}
	_ = dir.Close() // it was only read
	return done
}

// sweepDir looks through a directory. done says that nothing of this installation is in it.
func (s *Sweeper) sweepDir(dir *Dir) (done bool) {
	names, err := dir.names()
	if err != nil {
		if s.news(dir.path, err) {
			s.log.Warn("a directory of keys cannot be listed", "directory", dir.path, "problem", err)
		}
		return false
	}
	done = dir != s.inUse
	for _, name := range names {
		mark, slots, ok := parseName(name)
		if !ok {
			continue
		}
		file, own := File{dir, name}, mark == s.installation.mark
		if own && dir != s.inUse {
			done = s.destroy(file) && done
			continue
		}
		switch {
		case slots == batchSlots:
			err = sweepThrowaway(file, s.clock.Boot(), own)
		case !own:
			err = sweepKeys(file, s.clock.Now(), s.clock.Boot())
		default: // Keys looks after it
			err = nil
		}
		if err != nil && s.news(file.Path(), err) {
			s.log.Warn("a file among the keys is left alone", "file", file.Path(), "problem", err)
		}
	}
	return done
}

// destroy destroys a file that was left behind.
func (s *Sweeper) destroy(file File) bool {
	if err := file.Destroy(); err != nil {
		if s.news(file.Path(), err) {
			s.log.Warn("keys that were left behind cannot be destroyed", "file", file.Path(), "problem", err)
		}
		return false
	}
	s.log.Info("keys were destroyed that were left in a directory that is not in use any more", "file", file.Path())
	return true
}

// news says whether a problem is to be logged: each is once.
func (s *Sweeper) news(path string, problem error) bool {
	text := path + problem.Error()
	known := s.said[text]
	s.said[text] = true
	return !known
}

// sweepKeys destroys what is over in the key file of another installation. A file that is no sound key file of this version is left as it is.
func sweepKeys(at File, now time.Time, boot time.Duration) error {
	file, info, err := at.openOurs()
	if file == nil || err != nil {
		return err
	}
	if problem := damage(file, info, keySlots); problem != "" {
		err = errors.New(problem)
		if info.Size() == 0 { // its server is about to make it
			err = nil
		}
		return errors.Join(err, file.Close())
	}
	p := &page{at: at, file: file}
	if err := p.open(keySlots); err != nil {
		return errors.Join(err, file.Close())
	}
	p.sweep(now, boot, (*slot).destroy)
	return p.close()
}

// sweepThrowaway destroys the file of an import that is expired, and of our own also one that is damaged.
func sweepThrowaway(at File, boot time.Duration, own bool) error {
	file, info, err := at.openOurs()
	if file == nil || err != nil {
		return err
	}
	defer file.Close()
	if problem := damage(file, info, batchSlots); problem == "" {
		over, err := secretOver(file, boot)
		if err != nil || !over {
			return err
		}
	} else if !own {
		if info.Size() == 0 {
			return nil
		}
		return errors.New(problem)
	}
	return at.scrap(file, info.Size())
}

// secretOver says whether the secret in an import's file is of no use any more.
func secretOver(file *os.File, boot time.Duration) (bool, error) {
	var secret slot
	var word [8]byte
	if _, err := file.ReadAt(word[:], slotBytes+int64(unsafe.Offsetof(secret.state))); err != nil {
		return false, err
	}
	secret.state.Store(binary.NativeEndian.Uint64(word[:]))
	if _, err := file.ReadAt(word[:], slotBytes+int64(unsafe.Offsetof(secret.made))); err != nil {
		return false, err
	}
	secret.made = int64(binary.NativeEndian.Uint64(word[:]))
	return secret.kind() != live || secret.old(boot, longestBatch), nil
}
