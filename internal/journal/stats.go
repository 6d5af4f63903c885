package journal

import "sync/atomic"

// Stats is what a journal is and did since it was opened. The fields from Frames on only grow; those before go up and down, but for Quota.
type Stats struct {
	Bytes    int64  // bytes of all segment files, unused space included; what the quota limits
	Quota    int64  // Config.QuotaBytes, in bytes
	Segments int    // segment files
	Oldest   uint64 // id of the oldest segment, or 0

	Frames      uint64 // frames appended
	FrameBytes  uint64 // bytes of their payloads
	Refused     uint64 // appends refused because the quota or the disk had no room for another segment
	WriteErrors uint64 // appends whose write failed; each ended a segment
	SyncErrors  uint64 // segments whose sync failed; what was in them may not survive a loss of power
	Skipped     uint64 // bytes that readers skipped because they are no frame
	BadSegments uint64 // segments found without a readable header
}

type counters struct {
	frames, frameBytes, refused, writeErrors, syncErrors, skipped, badSegments atomic.Uint64
}

// Stats returns the numbers of now.
func (j *Journal) Stats() Stats {
	c := &j.counter
	s := Stats{
		Quota:       j.cfg.QuotaBytes,
		Frames:      c.frames.Load(),
		FrameBytes:  c.frameBytes.Load(),
		Refused:     c.refused.Load(),
		WriteErrors: c.writeErrors.Load(),
		SyncErrors:  c.syncErrors.Load(),
		Skipped:     c.skipped.Load(),
		BadSegments: c.badSegments.Load(),
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.Segments = len(j.segments)
	for i, seg := range j.segments {
		if i == 0 {
			s.Oldest = seg.id
		}
		s.Bytes += seg.size.Load()
	}
	return s
}
