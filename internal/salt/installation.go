package salt

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// InstallationFile is a file in the data directory. It holds no secret: a random number that tells this data directory from others, and where its keys
// were kept.
const InstallationFile = "installation"

const (
	idLen   = 32 // hexadecimal digits of an installation's number
	markLen = 16 // and of its mark
)

// Installation tells the keys of one data directory from those of others in the same runtime directory, and remembers the runtime directories that it had.
type Installation struct {
	file string
	mark string // in the names of its files: a hash of number and path, since a copied data directory has the number too

	mu   sync.Mutex // guards what follows
	note note
}

// note is what is in the file.
type note struct {
	ID          string   `json:"id"`
	RuntimeDirs []string `json:"runtime_dirs,omitempty"`
}

// OpenInstallation reads a data directory's number, or makes one. A damaged file is made anew: then keys that are kept somewhere are another installation's.
func OpenInstallation(dataDir string, log *slog.Logger) (*Installation, error) {
	if abs, err := filepath.Abs(dataDir); err == nil { // else there is no working directory, and the path itself has to do
		dataDir = abs
	}
	i := &Installation{file: filepath.Join(dataDir, InstallationFile)}
	text, err := os.ReadFile(i.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read what tells this data directory from others: %w", err)
	}
	if json.Unmarshal(text, &i.note) != nil || !isHex(i.note.ID, idLen) {
		if err == nil && log != nil {
			log.Warn("the file that tells this data directory from others is damaged and is made anew: visitors seen before are counted again", "file", i.file)
		}
		id := make([]byte, idLen/2)
		if _, err := rand.Read(id); err != nil {
			return nil, fmt.Errorf("cannot read random bytes: %w", err)
		}
		i.note = note{ID: hex.EncodeToString(id)}
		if err := i.save(i.note); err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256([]byte(i.note.ID + dataDir))
	i.mark = hex.EncodeToString(sum[:markLen/2])
	return i, nil
}

// Remember notes that keys will be in a directory. It has to be called before they are: once the directory is not in use any more, Sweeper destroys them.
func (i *Installation) Remember(dir *Dir) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if slices.Contains(i.note.RuntimeDirs, dir.path) {
		return nil
	}
	next := i.note
	next.RuntimeDirs = append(slices.Clone(next.RuntimeDirs), dir.path)
	return i.save(next)
}

// forget takes back what Remember noted.
func (i *Installation) forget(path string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	next := i.note
	next.RuntimeDirs = slices.DeleteFunc(slices.Clone(next.RuntimeDirs), func(one string) bool { return one == path })
	if len(next.RuntimeDirs) == len(i.note.RuntimeDirs) {
		return nil
	}
	return i.save(next)
}

// remembered returns the directories that keys were in.
func (i *Installation) remembered() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.note.RuntimeDirs)
}

// save writes the file anew, so that it is whole at any time. The caller holds mu, or is the only one who has i.
func (i *Installation) save(next note) error {
	if err := i.write(next); err != nil {
		return fmt.Errorf("cannot write what tells this data directory from others: %w", err)
	}
	i.note = next
	return nil
}

func (i *Installation) write(next note) error {
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(i.file+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(i.file+".new", i.file)
}
