package app_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/daysalt/daysalt/"

// layers says which of our packages a package may import. Data moves one way; an arrow that is not here points the wrong way, or is a
// decision that belongs here.
func layers() map[string]string {
	return map[string]string{
		"internal/fault":           "",
		"internal/event":           "",
		"internal/period":          "internal/fault",
		"migrations":               "",
		"tracker":                  "",
		"dashboard":                "",
		"internal/clock":           "",
		"internal/config":          "internal/address internal/fault",
		"internal/salt":            "internal/event internal/fault",
		"internal/salt/pgkeys":     "internal/event internal/salt",
		"internal/address":         "internal/fault",
		"internal/redact":          "internal/fault",
		"internal/abuse":           "",
		"internal/agent":           "",
		"internal/bot":             "",
		"internal/geo":             "",
		"internal/source":          "",
		"internal/site":            "internal/fault internal/period internal/redact",
		"internal/settings":        "internal/fault migrations",
		"internal/visit":           "internal/event",
		"internal/journal":         "",
		"internal/ingest":          "internal/event internal/address internal/redact internal/agent internal/geo internal/source internal/site",
		"internal/ship":            "internal/event internal/fault internal/journal internal/visit",
		"internal/engine":          "internal/fault",
		"internal/importer":        "internal/event internal/fault internal/ingest",
		"internal/store":           "internal/abuse internal/event internal/fault migrations",
		"internal/query":           "internal/period internal/fault",
		"internal/stats":           "internal/query internal/period internal/fault",
		"internal/admin":           "internal/abuse internal/importer internal/redact internal/site internal/fault",
		"internal/web":             "internal/address internal/agent internal/fault internal/ingest internal/query internal/site internal/stats",
		"internal/load":            "",
		"internal/bench":           "*",
		"internal/app":             "*",
		"cmd/daysalt":              "internal/abuse internal/admin internal/app internal/bench internal/config internal/fault internal/importer internal/site",
		"internal/testkit":         "internal/engine",
		"internal/testkit/metrics": "",
		"internal/testkit/ledger":  "",
		"internal/testkit/plain":   "internal/event",
	}
}

// homes says which package alone may import a library.
func homes() map[string]string {
	return map[string]string{
		"github.com/gofiber/fiber/v2":                    "internal/web",
		"github.com/valyala/fasthttp":                    "internal/web",
		"github.com/ClickHouse/clickhouse-go/v2":         "internal/store",
		"github.com/ClickHouse/ch-go":                    "internal/store",
		"github.com/ebitengine/purego":                   "internal/engine",
		"github.com/dchest/siphash":                      "internal/salt",
		"github.com/mssola/useragent":                    "internal/agent",
		"github.com/oschwald/geoip2-golang":              "internal/geo",
		"github.com/oschwald/maxminddb-golang":           "internal/geo",
		"modernc.org/sqlite":                             "internal/settings",
		"github.com/knadh/koanf/v2":                      "internal/config",
		"github.com/spf13/cobra":                         "cmd/daysalt",
		"github.com/schollz/progressbar/v3":              "cmd/daysalt",
		"github.com/jackc/pgx/v5":                        "internal/salt/pgkeys",
		"github.com/prometheus/client_golang/prometheus": "internal/app",
	}
}

// goPackage is what `go list` says of a package; test files are not part of Imports.
type goPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestLayers(t *testing.T) {
	allowed, home := layers(), homes()
	seen := map[string]bool{}
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		seen[name] = true
		may, ok := allowed[name]
		if !ok {
			t.Errorf("%s is in no layer: add it to layers, with what it may import", name)
		}
		for _, imported := range p.Imports {
			own, isOwn := strings.CutPrefix(imported, module)
			if isOwn && may != "*" && !slices.Contains(strings.Fields(may), own) {
				t.Errorf("%s must not import %s", name, own)
			}
			for library, where := range home {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && name != where {
					t.Errorf("%s must not import %s: its home is %s", name, imported, where)
				}
			}
		}
	}
	for name := range maps.Keys(allowed) {
		if !seen[name] {
			t.Errorf("%s is in the layers but not in the tree", name)
		}
	}
}
