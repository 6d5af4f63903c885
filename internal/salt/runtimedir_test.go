//go:build linux

package salt

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daysalt/daysalt/internal/fault"
)

// onDisk finds a directory that is not in memory: the machine's temporary one may be.
func onDisk(t *testing.T) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	home, _ := os.UserHomeDir()
	for _, dir := range []string{here, os.TempDir(), home, "/", "/usr", "/var/tmp"} {
		if memory, err := inMemory(dir); err == nil && !memory {
			return dir
		}
	}
	t.Fatal("this test needs one directory on a disk, and the source, the temporary and the home directory, /usr and /var/tmp are all in memory")
	return ""
}

func TestRuntimeDir_explicit(t *testing.T) {
	f := func(dir, wantErr string) {
		t.Helper()
		got, err := RuntimeDir(dir, func(string) string { return shm(t) }, nil)
		if wantErr == "" {
			if err != nil || got.Path() != dir {
				t.Errorf("%s: got %v, %v", dir, got, err)
			}
			return
		}
		e, ok := errors.AsType[*fault.Error](err)
		if got != nil || !ok || e.Kind != fault.Invalid || e.Field != "salt.runtime_dir" || !strings.Contains(err.Error(), wantErr) || !strings.Contains(err.Error(), "Allowed is") {
			t.Errorf("%s: got %v, %v", dir, got, err)
		}
	}
	base := shm(t)
	f(base, "")
	f(filepath.Join(base, "new", "deep"), "")
	if info, err := os.Stat(filepath.Join(base, "new", "deep")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	disk := onDisk(t)
	f(disk, "not on tmpfs")
	missing := filepath.Join(disk, "daysalt-not-to-be-made")
	f(missing, "not on tmpfs")
	if err := os.Remove(missing); !os.IsNotExist(err) {
		t.Errorf("a directory was made on a disk: %v", err)
	}
	f("/dev/shm", "others may write")
	file := filepath.Join(base, "file")
	link := filepath.Join(base, "link")
	open := filepath.Join(base, "open")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(base, link), os.Mkdir(open, 0o700), os.Chmod(open, 0o770)); err != nil {
		t.Fatal(err)
	}
	f(file, "not a directory")
	f(open, "others may write")
	f("/proc/self/daysalt", "not on tmpfs")
	if os.Geteuid() == 0 {
		foreign := filepath.Join(base, "foreign")
		if err := errors.Join(os.Mkdir(foreign, 0o700), os.Chown(foreign, 12345, -1)); err != nil {
			t.Fatal(err)
		}
		f(foreign, "another user")
	}
}

func TestRuntimeDir_found(t *testing.T) {
	base, disk := shm(t), onDisk(t)
	var log bytes.Buffer
	f := func(env map[string]string, want string, refused ...string) {
		t.Helper()
		got, err := RuntimeDir("", func(name string) string { return env[name] }, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil || got.Path() != want {
			t.Errorf("%v: got %v, %v, want %q", env, got, err, want)
		}
		if strings.Count(log.String(), "\n") != len(refused) {
			t.Errorf("%v: log %s", env, log.String())
		}
		for _, text := range refused {
			if !strings.Contains(log.String(), text) {
				t.Errorf("%v: the log has no %q: %s", env, text, log.String())
			}
		}
		log.Reset()
	}
	if _, err := os.Stat("/run/daysalt"); err == nil {
		t.Fatal("this test cannot run beside an installed server: /run/daysalt exists")
	}
	xdg := filepath.Join(base, "daysalt")
	f(map[string]string{"XDG_RUNTIME_DIR": base}, xdg)
	f(map[string]string{"XDG_RUNTIME_DIR": base, "RUNTIME_DIRECTORY": base}, base)
	f(map[string]string{"RUNTIME_DIRECTORY": filepath.Join(base, "a") + ":" + filepath.Join(base, "b")}, filepath.Join(base, "a"))
	f(map[string]string{"XDG_RUNTIME_DIR": base, "RUNTIME_DIRECTORY": disk}, xdg, "variable=RUNTIME_DIRECTORY directory="+disk+" problem=\"it is not on tmpfs")
	f(map[string]string{"XDG_RUNTIME_DIR": base, "RUNTIME_DIRECTORY": "relative"}, xdg, "problem=\"it is not an absolute path")
}

// /dev/shm is everybody's: what somebody else put there is not used.
func TestCandidate_shared(t *testing.T) {
	base := shm(t)
	f := func(name string, put func(dir string) error, want error) {
		t.Helper()
		dir := filepath.Join(base, name)
		if err := put(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := (candidate{path: dir, create: true, private: true}).open(); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	f("missing", func(string) error { return nil }, nil)
	f("ours", func(dir string) error { return os.Mkdir(dir, 0o700) }, nil)
	f("readable", func(dir string) error { return os.Mkdir(dir, 0o755) }, errOpen)
	f("link", func(dir string) error { return os.Symlink(base, dir) }, errNoDir)
	if os.Geteuid() == 0 {
		f("foreign", func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 12345, -1)) }, errForeign)
	}
	all := candidates(func(string) string { return "" }, 4711)
	if last := all[len(all)-1]; last != (candidate{"/dev/shm/daysalt-4711", "", true, true}) || len(all) != 2 {
		t.Errorf("%+v", all)
	}
}

// No one but root and we can put another directory in the place of one that is used, by any part of its path.
func TestCandidate_parents(t *testing.T) {
	base := shm(t)
	f := func(path, source, want string) {
		t.Helper()
		dir, err := candidate{path: filepath.Join(base, path), source: source, create: true}.open()
		if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
		if err == nil {
			_ = dir.Close()
		}
	}
	parent := func(name string, mode fs.FileMode) {
		t.Helper()
		if err := errors.Join(os.Mkdir(filepath.Join(base, name), 0o700), os.Chmod(filepath.Join(base, name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(base, name)); err != nil {
			t.Fatal(err)
		}
	}
	parent("everybody", 0o777)
	f("everybody/daysalt", "", filepath.Join(base, "everybody")+", which it is in, will not do: others may write")
	f("everybody/a/daysalt", "", "others may write")
	parent("group", 0o770)
	f("group/daysalt", "", "others may write")
	parent("sticky", 0o777|fs.ModeSticky)
	f("sticky/daysalt", "", "")
	parent("readable", 0o755)
	f("readable/daysalt", "", "")
	if _, err := os.Lstat(filepath.Join(base, "everybody", "daysalt")); !os.IsNotExist(err) {
		t.Errorf("a directory was made where it cannot be used: %v", err)
	}

	// As systemd makes it with DynamicUser.
	parent("private", 0o755)
	parent("private/daysalt", 0o700)
	link("private/daysalt", "daysalt")
	f("daysalt", "RUNTIME_DIRECTORY", "")
	f("daysalt", "", "not a directory") // nobody named it
	link(filepath.Join(base, "private"), "absolute")
	f("absolute/daysalt", "", "")
	link("everybody", "open")
	f("open/daysalt", "RUNTIME_DIRECTORY", "others may write")
	link("loop", "loop")
	f("loop", "RUNTIME_DIRECTORY", "too many symbolic links")
	link("nowhere", "dangling")
	f("dangling", "RUNTIME_DIRECTORY", "")
	link(onDisk(t), "disk")
	f("disk/daysalt", "RUNTIME_DIRECTORY", "not on tmpfs")
	if os.Geteuid() != 0 {
		return // only root can make a file another's
	}
	parent("foreign", 0o755)
	parent("foreign/daysalt", 0o700)
	link("private/daysalt", "theirs")
	if err := errors.Join(os.Chown(filepath.Join(base, "foreign"), 65534, -1), os.Lchown(filepath.Join(base, "theirs"), 65534, -1)); err != nil {
		t.Fatal(err)
	}
	f("foreign/daysalt", "XDG_RUNTIME_DIR", filepath.Join(base, "foreign")+", which it is in, will not do: it belongs to another user")
	f("foreign/new", "XDG_RUNTIME_DIR", "belongs to another user")
	f("theirs", "RUNTIME_DIRECTORY", "belongs to another user")
}

// With a link, the directory's own path is what is used and remembered.
func TestRuntimeDir_link(t *testing.T) {
	base := shm(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(base, link); err != nil {
		t.Fatal(err)
	}
	dir, err := RuntimeDir(link, func(string) string { return "" }, nil)
	if err != nil || dir.Path() != base {
		t.Errorf("got %v, %v", dir, err)
	}
}

// A child is hardened: its limits and its flag say so.
func TestHarden(t *testing.T) {
	cmd, out := child("harden", "")
	if err := cmd.Run(); err != nil {
		t.Error(err, out)
	}
}
