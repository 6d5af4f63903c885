package salt

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOpen_survivesRestart(t *testing.T) {
	clock, cfg := newClock(), keyFile(t)
	k := open(t, cfg, clock, nil)
	_, n := number(t, k, time.UTC, noon)
	if info, err := os.Stat(cfg.File.Path()); err != nil || info.Mode().Perm() != 0o600 || info.Size() != 64<<10 {
		t.Errorf("%v, %v", info, err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, again := number(t, open(t, cfg, clock, nil), time.UTC, noon); again != n {
		t.Error("another number after a restart")
	}
}

// A file that is no sound key file of this installation is overwritten and made anew; what was in it is nowhere, and nobody who has it open sees
// the new keys.
func TestOpen_damaged(t *testing.T) {
	f := func(what, problem string, damage func(file string) error) {
		t.Helper()
		clock, cfg := newClock(), keyFile(t)
		before := open(t, cfg, clock, nil)
		_, n := number(t, before, time.UTC, noon)
		if err := damage(cfg.File.Path()); err != nil {
			t.Fatal(err)
		}
		old, err := os.Open(cfg.File.Path())
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		var log bytes.Buffer
		k := open(t, cfg, clock, &log)
		if _, again := number(t, k, time.UTC, noon); again == n {
			t.Errorf("%s: the key is still in use", what)
		}
		if !strings.Contains(log.String(), problem) || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("%s: log %q", what, log.String())
		}
		b := make([]byte, 1<<20)
		size, _ := old.ReadAt(b, 0)
		if strings.Trim(string(b[:size]), "\x00") != "" {
			t.Errorf("%s: the old file is not overwritten", what)
		}
		if info, err := os.Stat(cfg.File.Path()); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", what, info, err)
		}
		if _, keys := hasKeys(t, cfg.File.Path()); keys != 1 {
			t.Errorf("%s: %d keys", what, keys)
		}
	}
	f("magic", "no key file of this version", func(file string) error { return poke(file, 0, "daysaltJ") })
	f("version", "no key file of this version", func(file string) error { return poke(file, 8, "\x02") })
	f("truncated", "wrong size", func(file string) error {
		b, err := os.ReadFile(file) // a mapped file must not become shorter: whoever has it mapped would be killed
		return errors.Join(err, os.Remove(file), os.WriteFile(file, b[:200], 0o600))
	})
	f("longer", "wrong size", func(file string) error { return os.Truncate(file, 65<<10) })
	f("of another installation", "another installation", func(file string) error {
		other := filepath.Join(filepath.Dir(file), "keys-other")
		k, err := Open(Config{Storage: Runtime, File: fileAt(t, other)}, newClock(), nil)
		if err != nil {
			return err
		}
		_, _, err = k.Number(1, time.UTC, noon, home, agent)
		return errors.Join(err, os.Rename(other, file))
	})
	f("readable", "others may read it", func(file string) error { return os.Chmod(file, 0o640) })
}

func poke(file string, at int64, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), at)
	return errors.Join(err, f.Close())
}

// What is not our file is refused and left as it is.
func TestOpen_refused(t *testing.T) {
	f := func(what string, put func(file, target string) error, want error) {
		t.Helper()
		cfg := keyFile(t)
		target := filepath.Join(filepath.Dir(cfg.File.Path()), "target")
		if err := errors.Join(os.WriteFile(target, []byte("precious"), 0o600), put(cfg.File.Path(), target)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(cfg, newClock(), nil); !errors.Is(err, want) || !strings.Contains(err.Error(), cfg.File.Path()) {
			t.Errorf("%s: got %v", what, err)
		}
		if b, err := os.ReadFile(target); err != nil || string(b) != "precious" {
			t.Errorf("%s: the other file is now %q, %v", what, b, err)
		}
	}
	f("symbolic link", func(file, target string) error { return os.Symlink(target, file) }, errLink)
	f("hard link", func(file, target string) error { return os.Link(target, file) }, errNoFile)
	if os.Geteuid() == 0 { // only root can make a file another's
		f("another user's", func(file, _ string) error {
			return errors.Join(os.WriteFile(file, nil, 0o600), os.Chown(file, 12345, -1))
		}, errNotOurs)
	}
	cfg := keyFile(t)
	if err := os.Remove(cfg.File.dir.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg, newClock(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: got %v", err)
	}
}

// A process that was killed half way leaves an empty slot, two keys, or a key of zeros; nothing of it is ever used.
func TestOpen_afterCrash(t *testing.T) {
	clock, cfg := newClock(), keyFile(t)
	k := open(t, cfg, clock, nil)
	number(t, k, time.UTC, noon)
	berlin := zone(t, "Europe/Berlin")
	_, n := number(t, k, berlin, noon)

	utc := (*k.byZone.Load())["UTC"].slot
	utc.wipe() // live, without a key
	unpublished, err := k.page.free()
	if err != nil {
		t.Fatal(err)
	}
	if err := unpublished.fill(k.cfg.Random); err != nil { // a key, without a state
		t.Fatal(err)
	}
	k.page.slots[10].state.Store(200) // a kind that does not exist
	if err := k.page.slots[11].fill(k.cfg.Random); err != nil {
		t.Fatal(err)
	}
	k.page.slots[11].publish(live, DayOf(noon, berlin)+1, idOf("Europe/Berlin"), berlin, clock.Boot()) // and the one before it is live

	zero := &slot{}
	none, _ := zero.number(0, &visitor{1, home, agent})
	k2 := open(t, cfg, clock, nil)
	if _, keys := hasKeys(t, cfg.File.Path()); keys != 2 {
		t.Errorf("%d keys, want Berlin's two", keys)
	}
	if _, got := number(t, k2, time.UTC, noon); got == none {
		t.Error("a key of zeros was used")
	}
	if day, got := number(t, k2, berlin, noon); got == n || day != DayOf(noon, berlin)+1 {
		t.Errorf("day %d, the earlier key was used: %v", day, got == n)
	}
	if slots, keys := hasKeys(t, cfg.File.Path()); slots != 2 || keys != 2 {
		t.Errorf("%d slots, %d keys", slots, keys)
	}
}

// Whoever holds the lock and does not give it back stops nobody for ever, and those who have their key not at all.
func TestNumber_lockHeld(t *testing.T) {
	clock, cfg := newClock(), keyFile(t)
	k := open(t, cfg, clock, nil)
	_, n := number(t, k, time.UTC, noon)
	p, err := openPage(cfg.File, keySlots, slog.New(slog.DiscardHandler)) // locked
	if err != nil {
		t.Fatal(err)
	}
	if _, again := number(t, k, time.UTC, noon); again != n {
		t.Error("another number")
	}
	if _, _, err := k.Number(1, time.FixedZone("new", 0), noon, home, agent); !errors.Is(err, errBusy) {
		t.Errorf("got %v", err)
	}
	p.unlock()
	number(t, k, time.FixedZone("new", 0), noon)
}
