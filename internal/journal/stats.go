package journal

import "sync/atomic"

// Stats is what a journal is and did since it was opened. The fields from Frames on only grow; those before go up and down, but for Quota.
type Stats struct {
	Bytes    int64  // bytes of all segment files, unused space and the one that is kept ready included; what the quota limits
	Quota    int64  // Config.QuotaBytes, in bytes
	Segments int    // segment files
	Oldest   uint64 // id of the oldest segment, or 0

	Frames      uint64 // frames appended
	FrameBytes  uint64 // bytes they take in the segments, with what is around their payloads
	Refused     uint64 // appends refused because the quota or the disk had no room for another segment
	WriteErrors uint64 // times the disk failed under an append or a reader of what was just appended; each ended a segment
	SyncErrors  uint64 // segments whose sync failed; what was in them may not survive a loss of power
	Skipped     uint64 // bytes that readers skipped because they are no frame
	BadSegments uint64 // segments found without a readable header
	HolesWaited uint64 // times a reader had to sleep because an append had begun and was not done
	Abandoned   uint64 // appends whose place a reader gave up, and which were done anew
	Stalls      uint64 // appends that had to wait for the next segment to be made, or made it
}

type counters struct {
	refused, writeErrors, syncErrors, skipped, badSegments, holesWaited, abandoned, stalls atomic.Uint64
}

// counts returns how many frames this process appended, and how many bytes of the segment are frames or were given up.
func (l *live) counts() (frames, size uint64) {
	n := l.published.Load()
	return n / frameUnit, uint64(uint32(n)) * align
}

// Stats returns the numbers of now.
func (j *Journal) Stats() Stats {
	c := &j.counter
	s := Stats{
		Quota:       j.cfg.QuotaBytes,
		Refused:     c.refused.Load(),
		WriteErrors: c.writeErrors.Load(),
		SyncErrors:  c.syncErrors.Load(),
		Skipped:     c.skipped.Load(),
		BadSegments: c.badSegments.Load(),
		HolesWaited: c.holesWaited.Load(),
		Abandoned:   c.abandoned.Load(),
		Stalls:      c.stalls.Load(),
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.Segments, s.Frames, s.FrameBytes = len(j.segments), j.gone, j.goneSize
	for i, seg := range j.segments {
		if i == 0 {
			s.Oldest = seg.id
		}
		s.Bytes += seg.size.Load()
		frames, size := seg.counts()
		s.Frames += frames
		s.FrameBytes += size
	}
	if j.next != nil {
		s.Bytes += j.next.size.Load()
	}
	return s
}
