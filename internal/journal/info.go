package journal

// SegmentInfo says what a segment is.
type SegmentInfo struct {
	ID      uint64
	Created int64 // unix seconds
	Sealed  bool  // nothing is appended to it any more
	Bytes   int64 // of its file
}

// Segments returns what segments there are, the oldest first. One that is only kept ready for later is not among them.
func (j *Journal) Segments() []SegmentInfo {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]SegmentInfo, 0, len(j.segments))
	for _, seg := range j.segments {
		all = append(all, SegmentInfo{ID: seg.id, Created: seg.created, Sealed: seg.isSealed(), Bytes: seg.size.Load()})
	}
	return all
}

// Created returns when a segment was made, in unix seconds. ok is false where there is none.
func (j *Journal) Created(segment uint64) (unix int64, ok bool) {
	if seg := j.first(segment); seg != nil && seg.id == segment {
		return seg.created, true
	}
	return 0, false
}

// Nonce returns the random number of a segment, by which it differs from a segment of the same id in another journal. ok is false where there is none.
func (j *Journal) Nonce(segment uint64) (nonce uint64, ok bool) {
	if seg := j.first(segment); seg != nil && seg.id == segment {
		return seg.nonce, true
	}
	return 0, false
}

// Head returns a position that every frame whose Append has returned lies before, and that a reader comes to.
func (j *Journal) Head() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) == 0 {
		return Position{Segment: j.lastID + 1, Offset: headerBytes}
	}
	last := j.segments[len(j.segments)-1]
	return Position{Segment: last.id, Offset: last.head()}
}

// Behind returns how many bytes of segments lie behind p, frames and what is around them.
func (j *Journal) Behind(p Position) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	var n int64
	for _, seg := range j.segments {
		switch head := seg.head(); {
		case seg.id > p.Segment:
			n += head - headerBytes
		case seg.id == p.Segment:
			n += max(0, head-max(p.Offset, headerBytes))
		}
	}
	return n
}

// first returns the first segment with this id or a larger one, or nil.
func (j *Journal) first(id uint64) *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, seg := range j.segments {
		if seg.id >= id {
			return seg
		}
	}
	return nil
}

// hasAfter says whether there is a segment behind the one with this id.
func (j *Journal) hasAfter(id uint64) bool {
	return j.first(id+1) != nil
}
