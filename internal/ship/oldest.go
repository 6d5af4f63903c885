package ship

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Oldest says since when there is something of each kind on the disk; the zero time where there is nothing. A segment counts from when its file was made, which is some time ahead, and a line of the quarantine from
// the day of its event, at midnight UTC.
type Oldest struct {
	Spool      time.Time // the segment with the first frame that is not stored yet
	Kept       time.Time // the oldest segment that is kept only to be sent again
	Quarantine time.Time // the oldest line
}

// Oldest looks for that. It is safe for concurrent use, and reads the whole quarantine.
func (s *Shipper) Oldest() (Oldest, error) {
	s.mu.Lock()
	pos := s.pos
	s.mu.Unlock()
	var oldest Oldest
	for _, seg := range s.j.Segments() {
		created := time.Unix(seg.Created, 0).UTC()
		switch {
		case seg.ID < pos.Segment && oldest.Kept.IsZero():
			oldest.Kept = created
		case seg.ID >= pos.Segment && oldest.Spool.IsZero() && s.j.Behind(pos) > 0:
			oldest.Spool = created
		}
	}
	b, err := (&quarantine{path: s.quarantine.path}).read()
	if err != nil {
		return oldest, fmt.Errorf("cannot read quarantine: %w", err)
	}
	for line := range bytes.Lines(b) {
		var l quarantined
		if json.Unmarshal(line, &l) != nil || l.Day <= 0 {
			continue
		}
		if at := time.Unix(l.Day*daySeconds, 0).UTC(); oldest.Quarantine.IsZero() || at.Before(oldest.Quarantine) {
			oldest.Quarantine = at
		}
	}
	return oldest, nil
}
