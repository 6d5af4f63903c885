package ingest

import (
	"net/netip"
	"strings"
	"time"

	"github.com/daysalt/daysalt/internal/event"
)

// domainBits is how many bits of an imported event's number say which of the line's sites it is for.
const domainBits = 4 // maxDomains is 10

const daySeconds = 24 * 60 * 60

// Import is a file whose lines come with a time of their own. It is for one goroutine.
type Import struct {
	Origin uint16 // its number, from 1
	Keys   Keys   // its own, so that nobody in the file is recognised in live traffic

	counts counts
}

// Counts returns how many events were kept, and how many dropped, by reason.
func (im *Import) Counts() (uint64, map[string]uint64) { return im.counts.read(reasons) }

// Import takes one line of a file: an object with time, ip, ua and the members of an event's body. line counts from 1; a line that is given again
// is stored once. The error is as Ingest's.
func (in *Ingester) Import(im *Import, line uint64, text []byte) (Verdict, error) {
	w, _ := in.work.Get().(*work)
	defer in.giveBack(w)
	h, err := w.readLine(text)
	if err != nil {
		return Verdict{}, err
	}
	return in.take(w, &h, way{keys: im.Keys, counts: &im.counts, origin: im.Origin, line: line, now: in.Now().Unix()})
}

// EndImport says in the journal that no line of an import will follow.
func (in *Ingester) EndImport(origin uint16) error {
	return in.Journal.Append(event.AppendEnd(nil, origin))
}

// CheckLine returns what is wrong with a line of a file, as *BadEvent, or nil.
func CheckLine(text []byte) error {
	_, err := new(work).readLine(text)
	return err
}

// What a row's time can hold, less two days for the time zones, in seconds since 1970.
const (
	firstTime = 2 * daySeconds
	lastTime  = 1<<32 - 2*daySeconds
)

// readLine decodes a line. The hit's strings are views of it.
func (w *work) readLine(text []byte) (Hit, error) {
	p := &w.payload
	var bad []FieldError
	if err := p.decode(text, true); err != nil {
		if bad = copyOf(err).Fields; bad[0].Field == "request" { // no object at all, so it has no fields
			return Hit{}, &BadEvent{Fields: []FieldError{{"line", strings.Replace(bad[0].Message, "the body", "it", 1)}}}
		}
	}
	at, err := time.Parse(time.RFC3339, p.time)
	if !p.flagged(fieldTime) && (err != nil || at.Unix() < firstTime || at.Unix() > lastTime) {
		bad = append(bad, FieldError{fieldNames[fieldTime], "must be a time such as 2026-11-22T10:20:30Z, from 1970-01-03 to 2106-02-05"})
	}
	from, err := netip.ParseAddr(p.ip)
	if err != nil && !p.flagged(fieldIP) {
		bad = append(bad, FieldError{fieldNames[fieldIP], "must be an IPv4 or IPv6 address"})
	}
	if p.seen&(1<<fieldUA) == 0 {
		bad = append(bad, FieldError{fieldNames[fieldUA], "is required; it may be empty"})
	}
	if len(bad) > 0 {
		return Hit{}, &BadEvent{Fields: bad}
	}
	if err := w.readPage(); err != nil {
		return Hit{}, err
	}
	return Hit{Time: at, Address: from.Unmap().WithZone(""), Agent: p.ua}, nil
}
