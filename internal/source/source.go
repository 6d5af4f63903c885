// Package source tells where a visit came from: its source, its channel, and the referrer that may be kept.
//
// It stands in the enrichment step of the write line: ingest asks it for every hit with the referrer and the campaign parameters of the
// page address. What hosts and words belong to whom is in sources.tsv; the rules of the channels are in channel.go.
//
// Invariants: the referrer that comes out is a host and a path, never a query, a fragment, a user name, a port or a control character,
// and 2000 bytes at most. A source is 256 bytes at most. Strings in an answer may be pieces of those asked with, so an answer lives no
// longer than they do.
//
// It does not decide which referrers are spam, and it does not look at addresses or agents.
package source

import "strings"

// In is what a hit says of where it came from, as it came. Any may be empty.
type In struct {
	Referrer string // document.referrer
	PageHost string // host of the page itself

	UTMSource, UTMMedium, UTMCampaign string

	SourceParam string // parameter source
	RefParam    string // parameter ref
	ClickID     string // name of the click id parameter ("gclid"), never its value
}

// Found is where a hit came from.
type Found struct {
	Source   string // name of a table, or a host, or a word as it was given; "" is direct
	Channel  string // one of the channels
	Referrer string // host and path without "www.", or ""
	Given    bool   // Source is text of a parameter, in which no table knew anything
}

// Find decides where a hit came from. The first of utm_source, source and ref that says something is the source, else the referrer is.
func Find(in In) Found {
	ref, external := parsePlain(in.Referrer)
	if !external {
		ref, external = parse(in.Referrer)
	}
	external = external && !local(ref.host) && !sameHost(ref.host, in.PageHost)

	var found Found
	var src origin
	if external {
		found.Referrer = ref.keep()
	}
	if given := firstGiven(in.UTMSource, in.SourceParam, in.RefParam); given != "" {
		src = originOf(given)
	} else if external {
		src = hostOrigin(ref)
	}
	found.Source = src.name
	found.Given = src.word != "" && !src.known
	found.Channel = channel(src, in)
	return found
}

// origin is a source before its channel is known.
type origin struct {
	name     string
	category category
	word     string // what utm_source, source or ref said; "" where the referrer decided
	paid     bool   // the word says that it was paid for
	known    bool   // the name is one of a table
}

// hostOrigin returns the source a referrer stands for.
func hostOrigin(ref referrer) origin {
	e := known.host(ref.host)
	if ref.app {
		e = known.apps[ref.host]
	}
	if e == nil {
		return origin{name: ref.bare()}
	}
	return origin{name: e.name, category: e.category, known: true}
}

// originOf returns the source that a parameter names: a host, an address, or a word for it. An unknown one is kept as it is.
func originOf(given string) origin {
	o := origin{word: given}
	if w, ok := wordFor(given); ok {
		o.name, o.category, o.paid, o.known = w.name, w.category, w.paid, true
		return o
	}
	if !strings.Contains(given, ".") && !strings.Contains(given, ":") {
		o.name = given // no address, and no host
		return o
	}
	if ref, ok := parse(given); ok {
		from := hostOrigin(ref)
		from.word = given
		return from
	}
	if e := known.host(strings.ToLower(given)); e != nil {
		o.name, o.category, o.known = e.name, e.category, true
		return o
	}
	o.name = given
	return o
}

// wordFor returns what a word stands for, however it is written.
func wordFor(given string) (word, bool) {
	if isSqueezed(given) {
		return known.word(given)
	}
	var buf [maxSource]byte
	return known.word(view(squeeze(buf[:0], given)))
}

// firstGiven returns the first of the parameters that says something, fit to be kept.
func firstGiven(params ...string) string {
	for _, p := range params {
		if p == "" {
			continue
		}
		if p = fit(p, maxSource); p != "" {
			return p
		}
	}
	return ""
}

// sameHost reports whether the host of a referrer is that of the page, whatever its case and port and with or without "www.".
func sameHost(host, page string) bool {
	if plainHost(page) {
		return withoutWWW(host) == withoutWWW(page)
	}
	page, ok := hostOf(page)
	return ok && withoutWWW(host) == withoutWWW(page)
}

// withoutWWW leaves away the "www." in front of a host in lower case.
func withoutWWW(host string) string {
	if bare := strings.TrimPrefix(host, "www."); bare != "" {
		return bare
	}
	return host
}
