package salt

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openInstallation(t *testing.T, dataDir string) *Installation {
	t.Helper()
	i, err := OpenInstallation(dataDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// A data directory has its own files in a runtime directory, also beside one of the same path in another container, and beside its own copy.
func TestInstallation_mark(t *testing.T) {
	base := t.TempDir()
	a, b := filepath.Join(base, "a"), filepath.Join(base, "b")
	if err := errors.Join(os.Mkdir(a, 0o700), os.Mkdir(b, 0o700)); err != nil {
		t.Fatal(err)
	}
	first := openInstallation(t, a).mark
	if again := openInstallation(t, a+"/../a").mark; again != first {
		t.Errorf("after a restart %s is %s", first, again)
	}
	t.Chdir(base)
	if relative := openInstallation(t, "a").mark; relative != first {
		t.Errorf("by a relative path %s is %s", first, relative)
	}
	text, err := os.ReadFile(filepath.Join(a, InstallationFile))
	if err := errors.Join(err, os.WriteFile(filepath.Join(b, InstallationFile), text, 0o600)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(a, InstallationFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(a, "*")); len(left) != 1 {
		t.Errorf("in the data directory: %v", left)
	}
	copied := openInstallation(t, b).mark
	if err := os.Remove(filepath.Join(a, InstallationFile)); err != nil {
		t.Fatal(err)
	}
	other := openInstallation(t, a).mark
	if first == copied || first == other || copied == other {
		t.Errorf("%s, its copy %s, and another of the same path %s", first, copied, other)
	}
}

func TestInstallation_damaged(t *testing.T) {
	f := func(text string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, InstallationFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		one, err := OpenInstallation(dir, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil || strings.Count(log.String(), "is damaged and") != 1 {
			t.Fatalf("%q: %v, log %s", text, err, log.String())
		}
		if again := openInstallation(t, dir); again.mark != one.mark {
			t.Errorf("%q: it was not made anew", text)
		}
	}
	f("")
	f("{}")
	f(`{"id":"0123456789abcdef0123456789abcdeX"}`)
	f(`{"id":"0123456789abcdef0123456789abcdef"`)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, InstallationFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenInstallation(dir, nil); err == nil {
		t.Error("a directory in its place is no failure")
	}
}

func TestInstallation_remembers(t *testing.T) {
	data, a, b := t.TempDir(), runtimeDir(t, shm(t)), runtimeDir(t, shm(t))
	f := func(i *Installation, want ...string) {
		t.Helper()
		for _, one := range []*Installation{i, openInstallation(t, data)} {
			if got := strings.Join(one.remembered(), " "); got != strings.Join(want, " ") {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
	i := openInstallation(t, data)
	if err := errors.Join(i.Remember(a), i.Remember(b), i.Remember(a)); err != nil {
		t.Fatal(err)
	}
	f(i, a.Path(), b.Path())
	if err := errors.Join(i.forget(a.Path()), i.forget(a.Path())); err != nil {
		t.Fatal(err)
	}
	f(i, b.Path())
}

func TestParseName(t *testing.T) {
	i, dir := install(t), runtimeDir(t, shm(t))
	f := func(name, mark string, slots int) {
		t.Helper()
		gotMark, gotSlots, ok := parseName(name)
		if ok != (slots != 0) || ok && (gotMark != mark || gotSlots != slots) {
			t.Errorf("%s: got %s, %d, %v", name, gotMark, gotSlots, ok)
		}
	}
	f(dir.KeyFile(i).name, i.mark, keySlots)
	f(dir.ThrowawayFile(i, 0).name, i.mark, batchSlots)
	f(dir.ThrowawayFile(i, 65535).name, i.mark, batchSlots)
	const mark = "0123456789abcdef"
	for _, name := range []string{
		"", "keys-", "keys-" + mark + "0", "keys-" + mark[1:], "keys-" + mark + "-1", "keys-0123456789ABCDEF", "xkeys-" + mark, "import-notes.txt", "import-" + mark,
		"import-" + mark + "-", "import-" + mark + "-01", "import-" + mark + "-+1", "import-" + mark + "-65536", "import-" + mark + "-1-2", "import-" + mark + "0-1", "import--1",
	} {
		f(name, "", 0)
	}
	if (*Dir)(nil).KeyFile(i) != (File{}) || (*Dir)(nil).ThrowawayFile(i, 1) != (File{}) || (File{}).Exists() {
		t.Error("no directory has a place for a file")
	}
}
