package agent

import (
	_ "embed"
	"strings"
)

// kind says how much a browser's name in the agent weighs against the client hints.
type kind string

const (
	app    kind = "app"    // a page opened inside an app: hints do not say so
	brand  kind = "brand"  // a browser of its own
	chrome kind = "chrome" // Chrome, or one that hides behind it: hints know better
	plain  kind = "plain"  // any other
)

// browser is one line of browsers.tsv.
type browser struct {
	name    string
	kind    kind
	numbers int  // of the version that are shown
	slash   bool // only where a slash follows
	order   int  // the lower wins
}

// system is one line of systems.tsv.
type system struct {
	name   string
	device string // a device class, or handheld
	order  int
}

// device is one line of devices.tsv.
type device struct {
	class string
	order int
}

// handheld is the device class of systems that run on phones and on tablets.
const handheld = "Handheld"

// word is all that the tables say of one word.
type word struct {
	browser *browser
	system  *system
	device  *device
}

// prefix is what they say of all words that start alike: a "*" in a file.
type prefix struct {
	text string
	word
}

// tables is what the data files say.
type tables struct {
	words     map[string]*word
	prefixes  []prefix
	brands    map[string]*browser
	platforms map[string]*system
}

var (
	//go:embed browsers.tsv
	browsersFile string
	//go:embed systems.tsv
	systemsFile string
	//go:embed devices.tsv
	devicesFile string
	//go:embed hints.tsv
	hintsFile string

	// known is made once at start and never changed.
	known = newTables(browsersFile, systemsFile, devicesFile, hintsFile)
)

// newTables reads the data files. A line that is not well formed stops the process at its start, so that no build with one can pass a test.
func newTables(browsers, systems, devices, hints string) *tables {
	t := &tables{
		words:     map[string]*word{},
		brands:    map[string]*browser{},
		platforms: map[string]*system{},
	}
	for i, f := range rows(browsers, 4) {
		k := kind(f[3])
		if k != app && k != brand && k != chrome && k != plain {
			panic("agent: unknown kind: " + f[3])
		}
		text, slash := strings.CutSuffix(f[0], "/")
		t.word(text).browser = &browser{name: f[1], numbers: int(f[2][0] - '0'), kind: k, slash: slash, order: i}
	}
	for i, f := range rows(systems, 3) {
		t.word(f[0]).system = &system{name: f[1], device: f[2], order: i}
	}
	for i, f := range rows(devices, 2) {
		t.word(f[0]).device = &device{class: f[1], order: i}
	}
	for i, f := range rows(hints, 3) {
		switch f[0] {
		case "brand":
			t.brands[f[1]] = &browser{name: f[2], numbers: 2, kind: brand, order: i}
		case "platform":
			t.platforms[f[1]] = t.systemNamed(f[2])
		default:
			panic("agent: unknown hint header: " + f[0])
		}
	}
	return t
}

// word returns the entry for a word of a data file, and makes it where there is none.
func (t *tables) word(s string) *word {
	if text, ok := strings.CutSuffix(s, "*"); ok {
		t.prefixes = append(t.prefixes, prefix{text: text})
		return &t.prefixes[len(t.prefixes)-1].word
	}
	w := t.words[s]
	if w == nil {
		w = &word{}
		t.words[s] = w
	}
	return w
}

// find returns what the tables say of a word, or nil.
func (t *tables) find(s string) *word {
	if w := t.words[s]; w != nil {
		return w
	}
	for i := range t.prefixes {
		if strings.HasPrefix(s, t.prefixes[i].text) {
			return &t.prefixes[i].word
		}
	}
	return nil
}

func (t *tables) systemNamed(name string) *system {
	for _, w := range t.words {
		if w.system != nil && w.system.name == name {
			return w.system
		}
	}
	panic("agent: hints.tsv names an unknown system: " + name)
}

// rows returns the lines of a data file, cut into n columns, without comments and empty lines.
func rows(file string, n int) [][]string {
	var all [][]string
	for line := range strings.Lines(file) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != n {
			panic("agent: wrong number of columns: " + line)
		}
		all = append(all, f)
	}
	return all
}
