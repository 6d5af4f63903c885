package salt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sweeper looks into the directories that are named alone: a server may be running on this machine.
func sweeper(of *Installation, inUse *Dir, clock Clock, log io.Writer, places ...string) *Sweeper {
	s := NewSweeper(of, inUse, func(string) string { return "" }, clock, slog.New(slog.NewTextHandler(log, nil)))
	s.places = nil
	for _, path := range places {
		s.places = append(s.places, candidate{path: path})
	}
	return s
}

// left says which of some files are still there.
func left(files ...File) (there []string) {
	for _, f := range files {
		if f.Exists() {
			there = append(there, f.Path())
		}
	}
	return there
}

// runs makes the keys of an installation in a directory, stops, and returns what a visitor was.
func runs(t *testing.T, of *Installation, dir *Dir, clock Clock) uint64 {
	t.Helper()
	k := open(t, Config{Storage: Runtime, File: dir.KeyFile(of)}, clock, nil)
	_, n := number(t, k, time.UTC, clock.Now())
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// The key of a server that was stopped, and of a data directory that is gone, does not outlive its day where another server runs, whether or not that one
// has a key to destroy itself.
func TestSweeper_others(t *testing.T) {
	clock, dir, elsewhere := newClock(), runtimeDir(t, shm(t)), runtimeDir(t, shm(t))
	own, other := install(t), install(t)
	n := runs(t, other, dir, clock)
	runs(t, other, elsewhere, clock)
	s := sweeper(own, dir, clock, io.Discard, dir.Path(), elsewhere.Path())
	clock.advance(12*time.Hour - time.Second)
	s.Sweep()
	if runs(t, other, dir, clock) != n {
		t.Error("the key of another installation went before its time")
	}
	if _, keys := hasKeys(t, elsewhere.KeyFile(other).Path()); keys != 1 {
		t.Errorf("in another directory: %d keys", keys)
	}
	clock.advance(time.Second)
	s.Sweep()
	for _, file := range []File{dir.KeyFile(other), elsewhere.KeyFile(other)} {
		if slots, keys := hasKeys(t, file.Path()); slots != 1 || keys != 0 {
			t.Errorf("%s: %d slots, %d keys", file.Path(), slots, keys)
		}
	}
}

// Keys of this installation that are anywhere but in the directory in use go at once, their day over or not.
func TestSweeper_moved(t *testing.T) {
	f := func(what string, inUse, known bool) {
		t.Helper()
		clock, before, now := newClock(), runtimeDir(t, shm(t)), runtimeDir(t, shm(t))
		own, other := install(t), install(t)
		if err := own.Remember(before); err != nil {
			t.Fatal(err)
		}
		runs(t, own, before, clock)
		runs(t, other, before, clock)
		runs(t, own, now, clock)
		_ = thrown(t, before.ThrowawayFile(own, 7), clock).Close()
		_ = thrown(t, before.ThrowawayFile(other, 7), clock).Close()
		_ = thrown(t, now.ThrowawayFile(own, 7), clock).Close()
		old, err := os.Open(before.KeyFile(own).Path())
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		places := []string{now.Path()}
		if known {
			places = append(places, before.Path())
		}
		used := now
		if !inUse {
			used = nil
		}
		var log bytes.Buffer
		s := sweeper(own, used, clock, &log, places...)
		s.Sweep()
		s.Sweep()
		if there := left(before.KeyFile(own), before.ThrowawayFile(own, 7)); len(there) != 0 {
			t.Errorf("%s: still there: %s", what, there)
		}
		b, err := io.ReadAll(old)
		if err != nil || strings.Trim(string(b), "\x00") != "" || len(b) == 0 {
			t.Errorf("%s: the file of keys was not overwritten: %v", what, err)
		}
		if there := left(before.KeyFile(other), before.ThrowawayFile(other, 7)); len(there) != 2 {
			t.Errorf("%s: only %s of another installation is there", what, there)
		}
		if there := left(now.KeyFile(own), now.ThrowawayFile(own, 7)); len(there) == 2 != inUse {
			t.Errorf("%s: in use: %s", what, there)
		}
		if got := own.remembered(); len(got) != 0 {
			t.Errorf("%s: still remembered: %s", what, got)
		}
		if text := log.String(); !strings.Contains(text, "level=INFO") || strings.Contains(text, "level=WARN") {
			t.Errorf("%s: log %s", what, text)
		}
	}
	f("another runtime directory", true, true)
	f("another runtime directory that only we know of", true, false)
	f("keys in no file", false, true)
}

// A directory that was in use and cannot be looked into any more stays remembered; one that is gone does not.
func TestSweeper_remembers(t *testing.T) {
	clock, own, base := newClock(), install(t), shm(t)
	path, gone := filepath.Join(base, "open"), filepath.Join(base, "gone")
	if err := errors.Join(os.Mkdir(path, 0o700), os.Mkdir(gone, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(own.Remember(runtimeDir(t, path)), own.Remember(runtimeDir(t, gone)), os.Remove(gone), os.Chmod(path, 0o770)); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := sweeper(own, nil, clock, &log)
	s.Sweep()
	s.Sweep()
	if got := own.remembered(); len(got) != 1 || got[0] != path || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "others may write") {
		t.Errorf("remembered %s, log %s", got, log.String())
	}
}

func TestSweeper_imports(t *testing.T) {
	clock, dir := newClock(), runtimeDir(t, shm(t))
	own, other := install(t), install(t)
	old := thrown(t, dir.ThrowawayFile(own, 1), clock)
	number(t, old, time.UTC, noon)
	_ = thrown(t, dir.ThrowawayFile(other, 1), clock).Close()
	damaged := dir.ThrowawayFile(own, 3)
	if err := os.WriteFile(damaged.Path(), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	clock.sleep(23 * time.Hour)
	thrown(t, dir.ThrowawayFile(own, 2), clock)
	_ = thrown(t, dir.ThrowawayFile(other, 2), clock).Close()
	clock.sleep(time.Hour)
	sweeper(own, dir, clock, io.Discard).Sweep()
	if there := left(dir.ThrowawayFile(own, 1), dir.ThrowawayFile(other, 1), damaged); len(there) != 0 {
		t.Errorf("still there: %s", there)
	}
	if there := left(dir.ThrowawayFile(own, 2), dir.ThrowawayFile(other, 2)); len(there) != 2 {
		t.Errorf("only %s is there", there)
	}
	for i := range old.page.slots {
		if !old.page.slots[i].blank() {
			t.Errorf("slot %d still has a key", i)
		}
	}
	if !old.Expired() {
		t.Error("not expired")
	}
}

// A directory stays remembered as long as a file of ours cannot be destroyed.
func TestSweeper_notDestroyed(t *testing.T) {
	clock, own, dir := newClock(), install(t), runtimeDir(t, shm(t))
	file := dir.KeyFile(own)
	if err := errors.Join(own.Remember(dir), os.Symlink("nowhere", file.Path())); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := sweeper(own, nil, clock, &log)
	s.Sweep()
	s.Sweep()
	if got := own.remembered(); len(got) != 1 || !file.Exists() || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "symbolic link") {
		t.Errorf("remembered %s, log %s", got, log.String())
	}
	if err := errors.Join(os.Remove(file.Path()), os.WriteFile(file.Path(), []byte("key"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s.Sweep()
	if got := own.remembered(); len(got) != 0 || file.Exists() {
		t.Errorf("still remembered: %s", got)
	}
}

// What is not ours to destroy is left as it is, and said once where it has a name of ours.
func TestSweeper_leavesAlone(t *testing.T) {
	clock, base := newClock(), shm(t)
	dir, own, other := runtimeDir(t, base), install(t), install(t)
	target := filepath.Join(base, "target")
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(base, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newer := string(pageHeader(dir.ThrowawayFile(other, 2).name, batchSlots))
	newer = newer[:8] + "\x02" + newer[9:] + strings.Repeat("key", 400)
	unnamed := []string{"import-notes.txt", "keys-notes.txt", "import-" + own.mark + "-01", "target", "import-x"}
	for _, name := range unnamed {
		put(name, "precious")
	}
	named := map[string]string{
		dir.ThrowawayFile(other, 1).name: "another's, and damaged", dir.ThrowawayFile(other, 2).name: newer,
		"keys-" + strings.Repeat("a", markLen): "of another version",
	}
	for name, text := range named {
		put(name, text)
	}
	put(dir.ThrowawayFile(other, 5).name, "") // about to be made
	if err := errors.Join(
		os.Symlink(target, dir.ThrowawayFile(own, 3).Path()), os.Mkdir(dir.ThrowawayFile(own, 4).Path(), 0o700), os.Link(target, dir.ThrowawayFile(own, 6).Path()),
		os.Symlink(target, dir.KeyFile(other).Path()),
	); err != nil {
		t.Fatal(err)
	}
	expired := dir.ThrowawayFile(own, 9)
	_ = thrown(t, expired, clock).Close()
	var log bytes.Buffer
	s := sweeper(own, dir, clock, &log)
	clock.advance(48 * time.Hour)
	s.Sweep()
	s.Sweep()
	for _, name := range unnamed {
		named[name] = "precious"
	}
	for name, text := range named {
		if b, err := os.ReadFile(filepath.Join(base, name)); err != nil || string(b) != text {
			t.Errorf("%s is now %q, %v", name, b, err)
		}
	}
	if there := left(dir.ThrowawayFile(own, 3), dir.ThrowawayFile(own, 4), dir.ThrowawayFile(own, 6), dir.KeyFile(other)); len(there) != 4 {
		t.Errorf("only %s is there", there)
	}
	if expired.Exists() {
		t.Error("one that cannot be swept keeps the others from it")
	}
	if n := strings.Count(log.String(), "left alone"); n != 7 || strings.Count(log.String(), "\n") != 7 {
		t.Errorf("%d files are said to be left alone, and the log is\n%s", n, log.String())
	}
}

// Whoever puts another directory where ours was has nothing done in it.
func TestDir_replaced(t *testing.T) {
	clock, base := newClock(), shm(t)
	path, victim := filepath.Join(base, "daysalt"), filepath.Join(base, "victim")
	if err := errors.Join(os.Mkdir(path, 0o700), os.Mkdir(victim, 0o700)); err != nil {
		t.Fatal(err)
	}
	dir, own := runtimeDir(t, path), install(t)
	k := open(t, Config{Storage: Runtime, File: dir.KeyFile(own)}, clock, nil)
	number(t, k, time.UTC, noon)
	expired := thrown(t, dir.ThrowawayFile(own, 1), clock)
	damaged, removed := dir.ThrowawayFile(own, 2).name, dir.ThrowawayFile(own, 3)
	going := thrown(t, removed, clock)
	precious := []string{damaged, expired.page.at.name, removed.name, dir.KeyFile(own).name, "import-notes.txt"}
	for _, name := range precious {
		if err := os.WriteFile(filepath.Join(victim, name), []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Rename(path, path+".old"), os.Symlink(victim, path)); err != nil {
		t.Fatal(err)
	}
	clock.advance(48 * time.Hour)
	sweeper(own, dir, clock, io.Discard).Sweep()
	if err := going.Destroy(); err != nil {
		t.Error(err)
	}
	made := thrown(t, dir.ThrowawayFile(own, 4), clock)
	number(t, made, time.UTC, noon)
	k.Tend(t.Context())
	for _, name := range precious {
		if b, err := os.ReadFile(filepath.Join(victim, name)); err != nil || string(b) != "precious" {
			t.Errorf("%s is now %q, %v", name, b, err)
		}
	}
	if all, _ := filepath.Glob(filepath.Join(victim, "*")); len(all) != len(precious) {
		t.Errorf("in the other directory: %s", all)
	}
	got, _ := filepath.Glob(filepath.Join(path+".old", "*"))
	want := []string{filepath.Join(path+".old", made.page.at.name), filepath.Join(path+".old", dir.KeyFile(own).name)}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("in ours: %s, want %s", got, want)
	}
}

func TestOpenDir_link(t *testing.T) {
	link := filepath.Join(shm(t), "link")
	if err := os.Symlink(".", link); err != nil {
		t.Fatal(err)
	}
	if dir, err := openDir(link); err == nil {
		t.Errorf("%s was opened through a link", dir.Path())
	}
}
