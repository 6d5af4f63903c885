package dashboard

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

// The placeholder must outlive a build: without it Go code does not compile on a machine that has not built the dashboard.
func TestFiles_placeholder(t *testing.T) {
	if _, err := fs.Stat(Files(), ".placeholder"); err != nil {
		t.Fatalf("dist/.placeholder: %v", err)
	}
}

// The server fills this very element, so neither the template nor a build step may write it in any other way.
func TestFiles_dataBlock(t *testing.T) {
	const block = `<script type="application/json" id="daysalt-data"></script>`
	f := func(name, page string) {
		t.Helper()
		if n := strings.Count(page, block); n != 1 {
			t.Errorf("%s holds the data block %d times, want once", name, n)
		}
	}
	template, err := os.ReadFile("index.html")
	if err != nil {
		t.Fatalf("template: %v", err)
	}
	f("index.html", string(template))
	// The built page is there only after a build; the template stands for it until then.
	if built, err := fs.ReadFile(Files(), "index.html"); err == nil {
		f("dist/index.html", string(built))
	}
}
