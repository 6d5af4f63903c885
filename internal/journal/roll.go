package journal

// Roll ends the segment that is appended to and begins the next one, so that everything before it can be released. It returns where that begins: every frame whose Append
// returned before the call lies before it. Nobody who appends waits for the disk meanwhile: the next segment is there before.
//
// It returns ErrFull where there is no room for another segment, and ErrClosed after Close; nothing is ended then.
func (j *Journal) Roll() (Position, error) {
	active := j.active.Load()
	if active == nil { // The newest segment is of an earlier process, and would stay.
		if err := j.noSegment(); err != nil {
			return Position{}, err
		}
		active = j.active.Load()
	}
	if active == nil { // It was closed meanwhile.
		return Position{}, ErrClosed
	}
	if active.tail.Load() == headerBytes {
		return Position{Segment: active.id}, nil
	}
	j.making.Lock()
	err := j.makeNext()
	j.making.Unlock()
	if err != nil {
		return Position{}, err
	}
	active.seal()
	if err := j.turn(active); err != nil {
		return Position{}, err
	}
	j.wake()
	return Position{Segment: active.id + 1}, nil
}

// Finish finishes the segments that nothing is appended to any more, so that of those that were released nothing is left on the disk. The background does it too, soon.
func (j *Journal) Finish() error { return j.finishSealed() }
