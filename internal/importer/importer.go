// Package importer loads files of past events, each line with its own time, address and agent.
//
// It has two sides. A File is the command's: it reads the operator's file twice, first to check every line, then to send it in chunks. A Service is the
// server's: it gives each line to ingest, waits until ship has stored the chunk, and writes down how far it came. admin stands between them.
//
// Invariants: a file is known by the SHA-256 of its decompressed content and a line by its number, so what is stored is not stored again, whatever was
// interrupted. That digest stays in memory: the settings database has a slow hash of it (known.go). A chunk is recorded only after it is stored, and there is one chunk of an import under way at a time, so imports cannot fill the journal.
// A file with a wrong line is not begun. All lines of an import are numbered under the same throwaway keys or not at all; these are destroyed when it ends,
// is removed, or is 24 hours old. No line is written to any file here, and no error quotes one.
//
// It knows nothing of what a line means (ingest does), keeps no key itself, and does not sort: a visitor's lines have to be in the order of time.
package importer

import "time"

// What a chunk and a line may hold at most.
const (
	MaxLine       = 256 << 10 // bytes, without the line's end
	MaxChunk      = 4 << 20   // bytes
	MaxChunkLines = 20_000
)

// KeysFor is how long the keys of an import live at most.
const KeysFor = 24 * time.Hour

// State is what can be done with an import.
type State string

// The states.
const (
	Open     State = "open"     // it can go on
	Ended    State = "ended"    // every line is stored
	Expired  State = "expired"  // it was interrupted and its keys are gone: it can only be removed
	Removing State = "removing" // its events are being deleted
)

// Start names a file.
type Start struct {
	Digest string `json:"digest"` // SHA-256 of its decompressed content, 64 hex digits in lower case
	Lines  uint64 `json:"lines"`  // how many it has
}

// Progress says how far an import is.
type Progress struct {
	ID        uint16            `json:"id"` // from 1
	State     State             `json:"state"`
	Lines     uint64            `json:"lines"`
	NextLine  uint64            `json:"next_line"`        // every line before it is stored; they count from 1
	Kept      uint64            `json:"kept"`             // events: a line has one for each site it names
	Dropped   map[string]uint64 `json:"dropped"`          // events by reason
	Forgotten uint64            `json:"forgotten_visits"` // for want of room, while they could have gone on; after a crash, about
	Started   time.Time         `json:"started"`
	Ended     time.Time         `json:"ended,omitzero"`
}
