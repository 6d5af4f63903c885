package source

import (
	_ "embed"
	"strings"
	"unsafe"
)

// category is what sort of thing a source is.
type category string

const (
	none     category = "-"
	search   category = "search"
	social   category = "social"
	video    category = "video"
	shopping category = "shopping"
	mail     category = "mail"
	ai       category = "ai"
)

// entry is one line of sources.tsv.
type entry struct {
	name     string
	category category
}

// word is one word for a source.
type word struct {
	*entry
	paid bool
}

// tables is what sources.tsv says.
type tables struct {
	hosts     map[string]*entry
	countries map[string]*entry // "google" for "google.*"
	apps      map[string]*entry // by package
	words     map[string]word   // squeezed
	media     map[string]medium // squeezed

	// What is in the maps, at a glance: nearly all that is looked for is not there.
	hostStarts, countryStarts, wordStarts, mediaStarts starts
}

// starts says by first byte how long the words of a map are, in bits; the last bit stands for all that are longer.
type starts [256]uint64

func (t *starts) add(s string) { t[s[0]] |= 1 << min(len(s), 63) }

// may reports whether a word may be in the map.
func (t *starts) may(s string) bool { return s != "" && t[s[0]]>>min(len(s), 63)&1 != 0 }

// meaning is what a word in utm_medium says, one of the first column of media.tsv; "" is nothing we know.
type meaning string

var (
	//go:embed sources.tsv
	sourcesFile string
	//go:embed media.tsv
	mediaFile string

	// known is made once at start and never changed.
	known = newTables(sourcesFile, mediaFile)
)

// newTables reads the data files. A line that is not well formed stops the process at its start, so that no build with one can pass a test.
func newTables(sources, media string) *tables {
	t := &tables{
		hosts:     map[string]*entry{},
		countries: map[string]*entry{},
		apps:      map[string]*entry{},
		words:     map[string]word{},
		media:     map[string]medium{},
	}
	for _, f := range rows(sources, 4) {
		e := &entry{name: f[0], category: category(f[1])}
		switch e.category {
		case none, search, social, video, shopping, mail, ai:
		default:
			panic("source: unknown category of " + f[0])
		}
		t.addWord(e, f[0], false)
		for _, host := range strings.Fields(f[2]) {
			t.addHost(e, host)
		}
		for _, w := range strings.Fields(f[3]) {
			if w != "-" {
				t.addWord(e, w, strings.HasSuffix(w, "ads") || strings.HasSuffix(w, "adwords"))
			}
		}
	}
	for _, f := range rows(media, 2) {
		for _, w := range strings.Fields(f[1]) {
			m := mediumOf([]byte(w))
			m.says = meaning(f[0])
			t.media[w] = m
			t.mediaStarts.add(w)
		}
	}
	return t
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
			panic("source: wrong number of columns: " + line)
		}
		all = append(all, f)
	}
	return all
}

func (t *tables) addHost(e *entry, host string) {
	in, at, name := t.hosts, &t.hostStarts, host
	if pkg, ok := strings.CutPrefix(host, "android-app://"); ok {
		in, at, name = t.apps, new(starts), pkg
	} else if label, ok := strings.CutSuffix(host, ".*"); ok {
		in, at, name = t.countries, &t.countryStarts, label
	}
	if in[name] != nil || name != strings.ToLower(name) || !strings.Contains(host, ".") {
		panic("source: host is there twice, not in lower case, or without a dot: " + host)
	}
	in[name] = e
	at.add(name)
}

func (t *tables) addWord(e *entry, text string, paid bool) {
	key := string(squeeze(nil, text))
	if _, taken := t.words[key]; taken || key == "" {
		panic("source: word is there twice, or empty: " + text)
	}
	t.words[key] = word{e, paid}
	t.wordStarts.add(key)
}

// host returns the entry for a host in lower case or for the nearest domain above it, or nil.
func (t *tables) host(host string) *entry {
	for rest := host; rest != ""; {
		if t.hostStarts.may(rest) {
			if e := t.hosts[rest]; e != nil {
				return e
			}
		}
		label, above, _ := strings.Cut(rest, ".")
		if t.countryStarts.may(label) && country(above) {
			if e := t.countries[label]; e != nil {
				return e
			}
		}
		rest = above
	}
	return nil
}

// country reports whether s is where a company of many countries has its name: com, a country, or co, com, net or org of a country.
func country(s string) bool {
	if s == "com" {
		return true
	}
	if second, top, ok := strings.Cut(s, "."); ok {
		switch second {
		case "co", "com", "net", "org":
			s = top
		}
	}
	return len(s) == 2 && 'a' <= s[0] && s[0] <= 'z' && 'a' <= s[1] && s[1] <= 'z'
}

// word returns what a squeezed word stands for. Of one that is not known, such as "facebookads", the front may be.
func (t *tables) word(squeezed string) (word, bool) {
	if t.wordStarts.may(squeezed) {
		if w, ok := t.words[squeezed]; ok {
			return w, true
		}
	}
	for _, suffix := range [...]string{"ads", "ad", "adwords"} {
		front, ok := strings.CutSuffix(squeezed, suffix)
		if !ok || !t.wordStarts.may(front) {
			continue
		}
		if w, ok := t.words[front]; ok {
			return word{w.entry, true}, true
		}
	}
	return word{}, false
}

// says returns what a squeezed word means as a medium.
func (t *tables) says(squeezed string) meaning {
	if !t.mediaStarts.may(squeezed) {
		return ""
	}
	return t.media[squeezed].says
}

// isSqueezed reports whether squeeze would leave s as it is.
func isSqueezed(s string) bool {
	for i := range len(s) {
		if !unsqueezed[s[i]] {
			continue
		}
		return false
	}
	return true
}

// unsqueezed are the bytes that squeeze changes; made once at start and never changed.
var unsqueezed = func() (t [256]bool) {
	for c := range 0x80 {
		t[c] = (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}
	return t
}()

// view returns b as a string.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // for looking things up: nothing keeps it
}

// bytesOf returns s as bytes, which must not be written to.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // for looking at them
}

// squeeze appends to dst the letters and digits of s in lower case: "Google-Ads" and "google_ads" are one word.
func squeeze(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c >= 0x80:
			dst = append(dst, c)
		}
	}
	return dst
}

// lower appends s to dst in lower case as far as it is ASCII.
func lower(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
