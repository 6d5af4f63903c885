package agent

import (
	"strings"

	"github.com/mssola/useragent"
)

// found is what the words of one agent said. Versions are pieces of the agent: they leave only through version.
type found struct {
	browser        *browser
	browserVersion string
	system         *system
	device         *device

	safari     string // what follows "Version/"
	android    string // what follows "Android "
	androidEnd int    // where that ends in the agent
	ios        string // what follows "OS "
	engine     string // what follows "rv:", which is Internet Explorer 11's version

	hasSafari, hasWebKit, hasMobile, hasWebView bool
}

// parse reads an agent and its hints without the cache.
func parse(ua string, h Hints) Agent {
	f := read(ua)
	f.fill(ua)
	a := Agent{OS: Other}
	a.Browser, a.BrowserVersion = f.named(h.Brands)
	sys := f.hinted(h.Platform)
	if sys != nil {
		a.OS = sys.name
	}
	if sys == f.system {
		a.OSVersion = f.systemVersion(ua)
	}
	a.Device = f.class(sys, h.Mobile)
	return a
}

// read goes through the words of an agent once. Two words with a space between them are looked up as one, too: "Opera Mini".
func read(ua string) *found {
	f := &found{}
	before, end := 0, 0 // the word before this one is ua[before:end]
	for pos := 0; pos < len(ua); pos++ {
		start := pos
		for pos < len(ua) && !separator(ua[pos]) {
			pos++
		}
		if pos == start {
			continue
		}
		f.after(ua[before:end], ua[start:pos], pos)
		f.word(ua[start:pos], strings.HasPrefix(ua[pos:], " PC"))
		if end > before && start == end+1 && ua[end] == ' ' {
			name, rest, slash := strings.Cut(ua[before:pos], "/")
			f.take(known.words[name], rest, slash)
		}
		before, end = start, pos
	}
	return f
}

func separator(c byte) bool {
	switch c {
	case ' ', ';', '(', ')', '[', ']', ',':
		return true
	}
	return false
}

// word takes one word, "Chrome/131.0" or "Linux", into account. "A/B/1.2" is the word A, and the word B of version 1.2.
func (f *found) word(w string, beforePC bool) {
	for w != "" {
		name, rest, slash := strings.Cut(w, "/")
		f.mark(name, rest)
		// "Tablet PC" is what Internet Explorer says on a desktop that could take a pen.
		if !beforePC {
			f.take(known.find(name), rest, slash)
		}
		w = ""
		if letter(rest) {
			w = rest
		}
	}
}

// mark keeps the words that say something of the browser without naming it.
func (f *found) mark(name, rest string) {
	switch name {
	case "Version":
		f.safari = rest
	case "Safari":
		f.hasSafari = true
	case "AppleWebKit":
		f.hasWebKit = true
	case "Mobile", "Mobi":
		f.hasMobile = true
	case "wv":
		f.hasWebView = true
	}
	if v, ok := strings.CutPrefix(name, "rv:"); ok {
		f.engine = v
	}
}

// take lets a known word win over those before it; nil is none.
func (f *found) take(w *word, version string, slash bool) {
	if w == nil {
		return
	}
	if b := w.browser; b != nil && (slash || !b.slash) && f.better(b) {
		f.browser, f.browserVersion = b, version
	}
	if s := w.system; s != nil && (f.system == nil || s.order < f.system.order) {
		f.system = s
	}
	if d := w.device; d != nil && (f.device == nil || d.order < f.device.order) {
		f.device = d
	}
}

// better reports whether b tells more than the browser found so far. One app says its name in several words, one of them with its version.
func (f *found) better(b *browser) bool {
	return f.browser == nil || b.order < f.browser.order || b.name == f.browser.name && f.browserVersion == ""
}

// after takes a version that follows its word as a word of its own: "MSIE 10.0", "Android 14", "iPhone OS 17_4".
func (f *found) after(before, w string, end int) {
	if before == "" || w[0] < '0' || w[0] > '9' {
		return
	}
	switch before {
	case "Android":
		if f.android == "" {
			f.android, f.androidEnd = w, end
		}
	case "OS":
		f.ios = w
	}
	if k := known.words[before]; k != nil && k.browser != nil && k.browser == f.browser && f.browserVersion == "" {
		f.browserVersion = w
	}
}

// fill asks mssola/useragent for what the tables did not find. What it answers is only looked up in them.
func (f *found) fill(ua string) {
	if (f.browser != nil || f.hasSafari || f.hasWebKit) && f.system != nil || ua == "" {
		return
	}
	m := useragent.New(ua)
	// It calls everything with WebKit in it Safari, so there it has nothing to add.
	if f.browser == nil && !f.hasWebKit {
		name, v := m.Browser()
		if w := known.words[name]; w != nil && w.browser != nil {
			f.browser, f.browserVersion = w.browser, v
		}
	}
	if f.system == nil {
		name, _, _ := strings.Cut(m.OSInfo().Name, " ")
		if w := known.words[name]; w != nil {
			f.system = w.system
		}
	}
}
