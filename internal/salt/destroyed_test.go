//go:build linux && !race

package salt

import "testing"

// A key that was destroyed is nowhere in memory, in no encoding, however many used it the moment before. The race detector's
// shadow memory is terabytes, too much to search, so this file is left out there.
func TestDestroyed_isNowhere(t *testing.T) {
	f := func(job, file string) {
		t.Helper()
		cmd, out := child(job, file)
		if err := cmd.Run(); err != nil {
			t.Errorf("%s, file %q: %v\n%s", job, file, err, out)
		}
		t.Logf("%s, file %q: %s", job, file, out)
	}
	f("midnight", "")
	f("midnight", keyFile(t).File.Path())
	f("import", keyFile(t).File.Path())
}
