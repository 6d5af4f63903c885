// Package bot tells programs from people by what their agent says, and names the programs that are known.
//
// It stands in the enrichment step of the write line: agent asks it once for every agent it has not seen, and ingest counts a hit with a
// name apart from visitors. Three questions are asked in turn: does it say a known program's name (names.tsv), does it say a word no
// browser says (words.tsv), and is it put together as no browser's agent is (rules.go).
//
// Invariants: an answer is a name of names.tsv, or Other, or Empty, never a piece of the agent. The name a maker gave a handset decides
// nothing. A call reads at most the first 512 bytes, allocates nothing, and keeps nothing.
//
// It does not look at addresses, at behaviour or at what the tracker found out in the browser, and it drops nothing: that is ingest's.
package bot

import _ "embed"

// The two answers that are no program's own name.
const (
	Other = "Other" // a program, but none we know by name
	Empty = "Empty" // no agent, or one too short to be a browser's
)

// minAgent is the number of bytes below which an agent is none. The shortest agents of real handsets ("Nokia6230/2.0") have 13.
const minAgent = 8

// maxAgent is how much of an agent is read, in bytes.
const maxAgent = 512

//go:embed names.tsv
var namesFile string

//go:embed words.tsv
var wordsFile string

// literals is made once at start and never changed.
var literals = newMatcher(namesFile, wordsFile)

// Detect returns the name of the program that sent the agent ua, and "" for a person's browser.
func Detect(ua string) string {
	if len(ua) < minAgent {
		return shortAgent(ua)
	}
	var buf [maxAgent]byte
	b := buf[:lower(&buf, ua)]
	from, to := handset(b)
	if name := literals.find(b, from, to); name != "" {
		return name
	}
	if unlikeBrowser(b) {
		return Other
	}
	return ""
}

// shortAgent answers for an agent of less than minAgent bytes: "curl" is curl, "-" is nothing.
func shortAgent(ua string) string {
	var buf [maxAgent]byte
	if name := literals.find(buf[:lower(&buf, ua)], 0, 0); name != "" && name != Other {
		return name
	}
	return Empty
}

// lower copies the start of ua to buf in lower case and returns the number of bytes copied.
func lower(buf *[maxAgent]byte, ua string) int {
	n := min(len(ua), maxAgent)
	for i := range n {
		c := ua[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	return n
}
