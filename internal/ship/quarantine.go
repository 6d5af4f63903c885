package ship

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/daysalt/daysalt/internal/journal"
)

// maxQuarantine is how large the quarantine file may become, in bytes. Frames beyond it are counted and not kept.
const maxQuarantine = 16 << 20

// quarantined is one line of the quarantine file.
type quarantined struct {
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"`
	CRC     uint32 `json:"crc"`
	Reason  string `json:"reason"`
	Frame   []byte `json:"frame"` // base64
}

// quarantine keeps frames that cannot be shipped, with the reason, one JSON object a line. A frame that is read again after a crash is kept once.
type quarantine struct {
	path    string
	size    int64 // of the file, whole lines only
	pending []byte
	known   map[quarantineKey]bool
}

type quarantineKey struct {
	at  journal.Position
	crc uint32
}

func openQuarantine(dir string) (*quarantine, error) {
	q := &quarantine{path: filepath.Join(dir, "quarantine.jsonl"), known: map[quarantineKey]bool{}}
	b, err := os.ReadFile(q.path)
	if errors.Is(err, os.ErrNotExist) {
		return q, nil
	}
	if err != nil {
		return nil, err
	}
	q.size = int64(bytes.LastIndexByte(b, '\n') + 1) // A torn line is written over.
	for line := range bytes.Lines(b[:q.size]) {
		var l quarantined
		if json.Unmarshal(line, &l) == nil {
			q.known[quarantineKey{journal.Position{Segment: l.Segment, Offset: l.Offset}, l.CRC}] = true
		}
	}
	return q, nil
}

// add takes a frame. It is durable after flush.
func (q *quarantine) add(f journal.Frame, reason error) {
	k := quarantineKey{f.Start, f.CRC}
	if q.known[k] {
		return
	}
	line, err := json.Marshal(quarantined{f.Start.Segment, f.Start.Offset, f.CRC, reason.Error(), f.Payload})
	if err != nil || q.size+int64(len(q.pending)+len(line)) >= maxQuarantine {
		return
	}
	q.known[k] = true
	q.pending = append(append(q.pending, line...), '\n')
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
