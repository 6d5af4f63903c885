package ship

import "sync/atomic"

// Stats is what a Shipper did since it was made, and how far behind it is. The fields from Rows to Forgotten only grow; the others go up and down.
type Stats struct {
	Rows        uint64 // stored; after a crash and in a replay, those that the sink knew already are counted too
	Batches     uint64 // stored, those without a row included
	Retries     uint64 // attempts at anything (insert, cut, quarantine, reading) that failed and were made again
	Duplicates  uint64 // events of an import that were dropped because they came before; those read again after a crash are counted too
	Quarantined uint64 // frames that could not be decoded; those read again after a crash, and those for which the quarantine file has no room, are counted too

	QuarantinedRows uint64 // rows that the sink refused for their content and that went to the quarantine; those read again are counted too
	Split           uint64 // times a batch, or a part of one, was refused for its content and sent in two parts
	Expired         uint64 // frames of the journal that were erased because they were too old, shipped or not
	Skipped         uint64 // pieces of the journal that were no frame and went to the quarantine; those read again are counted too
	Known           uint64 // rows that were to be sent again after a restart and were found in the database
	Replays         uint64 // times everything since the base was sent again, because the database or the machine was restarted

	Checkpoints      uint64 // written
	CheckpointErrors uint64 // attempts to write one, or to release what lies before, that failed

	Forgotten uint64 // visits, live ones and of imports, that were forgotten for want of room while they could have gone on; those forgotten again after a crash are counted too

	OpenVisits int64 // visits remembered when the last batch was closed; before the first one, those of the checkpoint
	LagBytes   int64 // bytes of the journal, not yet stored; a replay makes it rise by what is sent again, most of which the sink knows
	LagSeconds int64 // age in seconds of the first live event of the batch that is not stored yet; where it has none, since its first row was read; 0 without a row
}

type counters struct {
	rows, batches, retries, duplicates, quarantined, checkpoints, checkpointErrors atomic.Uint64
	quarantinedRows, split, expired, skipped, replays, known                       atomic.Uint64

	forgottenLive    atomic.Uint64
	forgottenImports atomic.Uint64

	visits atomic.Int64
	oldest atomic.Int64 // what LagSeconds counts from, or 0
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
		Duplicates:       c.duplicates.Load(),
		Quarantined:      c.quarantined.Load(),
		QuarantinedRows:  c.quarantinedRows.Load(),
		Split:            c.split.Load(),
		Expired:          c.expired.Load(),
		Skipped:          c.skipped.Load(),
		Known:            c.known.Load(),
		Replays:          c.replays.Load(),
		Checkpoints:      c.checkpoints.Load(),
		CheckpointErrors: c.checkpointErrors.Load(),
		Forgotten:        c.forgottenLive.Load() + c.forgottenImports.Load(),
		OpenVisits:       c.visits.Load(),
		LagBytes:         s.j.Behind(pos),
	}
	if oldest := c.oldest.Load(); oldest != 0 {
		st.LagSeconds = max(0, s.cfg.Now().Unix()-oldest)
	}
	return st
}

// Forgotten returns how many visits of an import were forgotten for want of room while they could have gone on, since the Shipper was made.
func (s *Shipper) Forgotten(origin uint16) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgotten[origin]
}

// forget counts such visits.
func (s *Shipper) forget(origin uint16, visits uint64) {
	s.counter.forgottenImports.Add(visits)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten[origin] += visits
}
