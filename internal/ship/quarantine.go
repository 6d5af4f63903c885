package ship

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/journal"
)

// maxQuarantine is how large the quarantine file may become, in bytes. Frames beyond it are counted and not kept.
const maxQuarantine = 16 << 20

// quarantined is one line of the quarantine file.
type quarantined struct {
	Segment   uint64 `json:"segment"`
	Offset    int64  `json:"offset"`
	CRC       uint32 `json:"crc"`
	Reason    string `json:"reason"`
	Frame     []byte `json:"frame"`                    // base64
	Day       int64  `json:"day"`                      // when it was written, in days since 1970-01-01 UTC
	Retention uint16 `json:"retention_days,omitempty"` // of the event; 0: unknown
}

// quarantine keeps frames that cannot be shipped, with the reason, one JSON object a line. A frame that is read again after a crash is kept once.
type quarantine struct {
	path    string
	now     func() time.Time
	size    int64 // of the file, whole lines only
	pending []byte
	known   map[quarantineKey]bool
}

type quarantineKey struct {
	at  journal.Position
	crc uint32
}

func (l *quarantined) key() quarantineKey {
	return quarantineKey{journal.Position{Segment: l.Segment, Offset: l.Offset}, l.CRC}
}

func openQuarantine(dir string, now func() time.Time) (*quarantine, error) {
	q := &quarantine{path: filepath.Join(dir, "quarantine.jsonl"), now: now, known: map[quarantineKey]bool{}}
	b, err := q.read()
	if err != nil {
		return nil, err
	}
	q.size = int64(len(b))
	for line := range bytes.Lines(b) {
		var l quarantined
		if json.Unmarshal(line, &l) == nil {
			q.known[l.key()] = true
		}
	}
	return q, nil
}

// read returns the whole lines of the file. A torn line, which is behind them, is written over.
func (q *quarantine) read() ([]byte, error) {
	b, err := os.ReadFile(q.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b[:bytes.LastIndexByte(b, '\n')+1], err
}

func (q *quarantine) today() int64 { return q.now().Unix() / 86_400 }

var errQuarantineFull = errors.New("the quarantine is full: look into quarantine.jsonl for the reason, and move the file away")

// add takes a frame. It is durable after flush. Without a day it is of today.
func (q *quarantine) add(l *quarantined) error {
	if q.known[l.key()] {
		return nil
	}
	if today := q.today(); l.Day <= 0 || l.Day > today {
		l.Day = today
	}
	line, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("cannot write quarantine: %w", err)
	}
	if q.size+int64(len(q.pending)+len(line)) >= maxQuarantine && !q.movedAway() {
		return errQuarantineFull
	}
	q.known[l.key()] = true
	q.pending = append(append(q.pending, line...), '\n')
	return nil
}

// movedAway says whether somebody took the file away, and begins a new one then.
func (q *quarantine) movedAway() bool {
	_, err := os.Stat(q.path)
	if !errors.Is(err, os.ErrNotExist) || len(q.pending) > 0 {
		return false
	}
	q.size = 0
	return true
}

// addPiece takes a piece of the journal that is no frame.
func (q *quarantine) addPiece(piece journal.Skipped) {
	// What was damage already is not worth holding up the line for.
	_ = q.add(&quarantined{
		Segment: piece.From.Segment, Offset: piece.From.Offset, CRC: crc32.Checksum(piece.Bytes, castagnoli), Reason: "no frame", Frame: piece.Bytes,
	})
}

// flush makes durable what was added. It may be called again after an error.
func (q *quarantine) flush() error {
	if len(q.pending) == 0 {
		return nil
	}
	f, err := os.OpenFile(q.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteAt(q.pending, q.size)
		if err == nil {
			err = f.Truncate(q.size + int64(len(q.pending))) // The rest of a torn line may be longer.
		}
		if err == nil {
			err = f.Sync()
		}
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}
	if err == nil && q.size == 0 {
		err = syncDir(filepath.Dir(q.path))
	}
	if err != nil {
		return fmt.Errorf("cannot write quarantine: %w", err)
	}
	q.size += int64(len(q.pending))
	q.pending = q.pending[:0]
	return nil
}

// prune removes the lines that are as old as they may become: so many days, or the event's own retention where that is shorter. Days are counted from
// midnight to midnight, so a line may go up to a day early and never stays longer. A line without a day, which an earlier version wrote, gets that of today; what is no line is removed.
func (q *quarantine) prune(days int64) error {
	b, err := q.read()
	if err != nil {
		return fmt.Errorf("cannot read quarantine: %w", err)
	}
	var kept []byte
	known := map[quarantineKey]bool{}
	for line := range bytes.Lines(b) {
		var l quarantined
		if json.Unmarshal(line, &l) != nil {
			continue // Nobody can say how old it is.
		}
		if l.Day == 0 {
			l.Day = q.today()
			if line, err = json.Marshal(&l); err != nil {
				continue
			}
			line = append(line, '\n')
		}
		limit := days
		if l.Retention > 0 {
			limit = min(limit, int64(l.Retention))
		}
		if q.today()-l.Day >= limit {
			continue
		}
		known[l.key()] = true
		kept = append(kept, line...)
	}
	if bytes.Equal(kept, b) {
		return nil
	}
	if err := writeFile(q.path, kept); err != nil {
		return fmt.Errorf("cannot write quarantine: %w", err)
	}
	var l quarantined // What was added and not flushed is known too.
	for line := range bytes.Lines(q.pending) {
		if json.Unmarshal(line, &l) == nil {
			known[l.key()] = true
		}
	}
	q.size, q.known = int64(len(kept)), known
	return nil
}

// erase removes the lines that an erasure chooses. It returns how many, and how many stay because nobody can tell what they hold.
func (q *quarantine) erase(what *Erasure) (removed, undecoded int, err error) {
	b, err := q.read()
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read quarantine: %w", err)
	}
	var kept []byte
	for line := range bytes.Lines(b) {
		matches, decoded := what.chooses(line)
		switch {
		case matches:
			removed++
			continue
		case !decoded:
			undecoded++
		}
		kept = append(kept, line...)
	}
	if removed == 0 {
		return 0, undecoded, nil
	}
	if err := writeFile(q.path, kept); err != nil {
		return 0, undecoded, fmt.Errorf("cannot write quarantine: %w", err)
	}
	q.size = int64(len(kept))
	return removed, undecoded, nil
}

// matches returns how many lines an erasure chooses.
func (q *quarantine) matches(what *Erasure) (n int, err error) {
	b, err := q.read()
	if err != nil {
		return 0, fmt.Errorf("cannot read quarantine: %w", err)
	}
	for line := range bytes.Lines(b) {
		if matches, _ := what.chooses(line); matches {
			n++
		}
	}
	return n, nil
}

// chooses says whether a line is one that is to go. decoded is false where its frame holds no event that can be read.
func (what *Erasure) chooses(line []byte) (matches, decoded bool) {
	var l quarantined
	if json.Unmarshal(line, &l) != nil {
		return false, false
	}
	var f event.Frame
	var e event.Event
	decoded = f.Decode(l.Frame, &e) == nil
	hasEvent := decoded && (f.Type == event.LiveFrame || f.Type == event.ImportedFrame)
	return hasEvent && what.Event != nil && what.Event(&f, &e) || len(what.Bytes) > 0 && bytes.Contains(l.Frame, what.Bytes), decoded
}
