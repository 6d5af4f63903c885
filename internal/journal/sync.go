package journal

import (
	"fmt"
	"os"
)

// Sync makes the frames of upTo's segment that lie before upTo durable, unless they are. It is for a reader that must not act on what a loss of power may
// undo, and has read them: what is appended meanwhile is not waited for. What was released is nothing to sync. A sync that failed is final: what it lost
// is not known, and the error is the same ever after.
func (j *Journal) Sync(upTo Position) error {
	seg := j.first(upTo.Segment)
	if seg == nil || seg.id != upTo.Segment {
		return nil
	}
	if err := seg.sync(j.disk, upTo.Offset); err != nil {
		j.fail(seg, err)
		return fmt.Errorf("cannot sync segment: %w", err)
	}
	return nil
}

// sync makes what was published before the call and lies before upTo durable, unless it is. Calls at the same time share one sync: whoever
// waited for the lock looks whether one was begun after its call. The first failure is what it returns ever after.
func (s *segment) sync(d disk, upTo int64) error {
	before := s.syncs.Load()
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if s.syncErr != nil || s.synced >= upTo || s.syncs.Load() > before || s.wasLive() && s.finished.Load() {
		return s.syncErr
	}
	return s.syncNow(d)
}

// syncNew makes the segment durable if something was published since the last sync began.
func (s *segment) syncNew(d disk) error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if s.syncErr != nil || s.syncedCount == s.published.Load() {
		return s.syncErr
	}
	return s.syncNow(d)
}

// syncNow syncs. The caller holds syncMu.
func (s *segment) syncNow(d disk) error {
	s.syncs.Add(1)
	if !s.wasLive() {
		if s.syncErr = s.syncEarlier(d); s.syncErr == nil {
			s.synced = s.end.Load()
		}
		return s.syncErr
	}
	// The count is read first: where it says that everything claimed later was published, there is no hole in what is synced.
	count := s.published.Load()
	to, _ := s.claimed()
	if err := d.syncRange(s.file, s.mem, s.synced, to); err != nil {
		s.syncErr = err
		return err
	}
	s.syncedCount = count
	if headerBytes+int64(uint32(count))*align == to {
		s.synced = to
	}
	return nil
}

// syncEarlier syncs the file of an earlier process, which may have been killed before it did.
func (s *segment) syncEarlier(d disk) error {
	file, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // The sync says what there is to say.
	return d.sync(file)
}

// finish syncs a sealed segment that no producer is in, cuts it behind its last frame, and leaves it to be read as a file.
func (s *segment) finish(d disk) error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if s.syncErr == nil && s.synced < s.end.Load() {
		_ = s.syncNow(d) // It is in syncErr.
	}
	// Nobody touches what lies behind the end: not the readers, and no producer gets there.
	if end := s.end.Load(); s.file.Truncate(end) == nil {
		s.size.Store(end)
	}
	_ = s.file.Close() // A sync error is what counts, and it is known.
	s.file = nil
	s.finished.Store(true)
	s.unmap(d)
	return s.syncErr
}
