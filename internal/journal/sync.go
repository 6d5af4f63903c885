package journal

import (
	"fmt"
	"os"
)

// Sync makes the frames of upTo's segment that lie before upTo durable, unless they are. It is for a reader that must not act on what a loss of power may
// undo. What was released is nothing to sync. A sync that failed is final: what it lost is not known, and the error is the same ever after.
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

// syncEarlier syncs the file of an earlier process, which may have been killed before it did.
func (s *segment) syncEarlier(d disk) error {
	file, err := os.OpenFile(s.path, os.O_RDWR, 0) //nolint:gosec // G703: the directory is the operator's to name.
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // The sync says what there is to say.
	return d.sync(file)
}
