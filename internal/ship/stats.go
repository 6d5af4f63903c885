package ship

import "sync/atomic"

// Stats is what a Shipper did since it was made, and how far behind it is. The fields from Rows to CheckpointErrors only grow; the others go up and down.
type Stats struct {
	Rows        uint64 // stored; after a crash, those that the sink knew already are counted too
	Batches     uint64 // stored, those without a row included
	Retries     uint64 // attempts at anything (insert, cut, quarantine, reading) that failed and were made again
	Quarantined uint64 // frames that could not be decoded; those read again after a crash, and those for which the quarantine file has no room, are counted too

	Checkpoints      uint64 // written
	CheckpointErrors uint64 // attempts to write one, or to release what lies before, that failed

	OpenVisits int64 // visits remembered when the last batch was stored; before the first one, those of the checkpoint
	LagBytes   int64 // bytes of the journal, not yet stored
	LagSeconds int64 // age in seconds of the first event of the batch that is not stored yet, or 0 while there is none
}

type counters struct {
	rows, batches, retries, quarantined, checkpoints, checkpointErrors atomic.Uint64

	visits atomic.Int64
	oldest atomic.Int64 // time of the first event of the batch, or 0
}

// Stats returns the numbers of now.
func (s *Shipper) Stats() Stats {
	s.mu.Lock()
	pos := s.pos
	s.mu.Unlock()
	c := &s.counter
	st := Stats{
		Rows:             c.rows.Load(),
		Batches:          c.batches.Load(),
		Retries:          c.retries.Load(),
		Quarantined:      c.quarantined.Load(),
		Checkpoints:      c.checkpoints.Load(),
		CheckpointErrors: c.checkpointErrors.Load(),
		OpenVisits:       c.visits.Load(),
		LagBytes:         s.j.Behind(pos),
	}
	if oldest := c.oldest.Load(); oldest != 0 {
		st.LagSeconds = max(0, s.cfg.Now().Unix()-oldest)
	}
	return st
}
