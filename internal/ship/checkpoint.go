package ship

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/daysalt/daysalt/internal/journal"
)

// A checkpoint is the file "checkpoint": this header, the state of the visits (visit.Tracker.AppendState) behind its length as uint64, the state of the imports
// (imports.appendState), and the CRC-32C of everything before as uint32. Numbers are little endian. Version 1, which is read and not written,
// has the state of the visits without its length, and no imports.
//
//	magic    8 bytes
//	version  uint32
//	zero     uint32
//	segment  uint64: of the position; everything before it is stored
//	offset   uint64
//	nonce    uint64: that segment's random number
const (
	checkpointMagic   = "daysaltC"
	checkpointVersion = 2
	checkpointHeader  = 40
)

// checkpointShare is the least time between two checkpoints as a multiple of what the last one took, so that many open visits do not hold up the line.
const checkpointShare = 20

var (
	errCheckpoint        = errors.New("the file is damaged")
	errCheckpointVersion = errors.New("the file was written by another version")
)

func checkpointPath(dir string) string { return filepath.Join(dir, "checkpoint") }

// checkpoint is what the file holds.
type checkpoint struct {
	version uint32
	pos     journal.Position
	nonce   uint64
	state   []byte // behind the header
}

// loadCheckpoint sets the position, the visits and the imports. Without a checkpoint that can be used it begins at the oldest segment, without any.
func (s *Shipper) loadCheckpoint() error {
	s.visits.Reset()
	s.imports.reset()
	c, err := readCheckpoint(checkpointPath(s.cfg.Dir))
	if err == nil {
		err = s.fits(c.pos, c.nonce)
	}
	if err == nil {
		err = s.loadState(c)
	}
	switch {
	case err == nil:
		s.pos, s.checked = c.pos, c.pos
	case errors.Is(err, errCheckpointVersion):
		return fmt.Errorf("cannot read checkpoint: %w", err)
	case errors.Is(err, os.ErrNotExist) && s.j.Stats().Segments == 0: // The first start.
	default:
		s.log.Warn("no usable checkpoint, shipping begins at the oldest segment", "error", err)
	}
	return nil
}

// loadState sets the visits and the imports. After an error there are none.
func (s *Shipper) loadState(c checkpoint) error {
	if c.version == 1 {
		return s.visits.Load(c.state)
	}
	state, rest, ok := cutVisits(c.state)
	if !ok {
		return errCheckpoint
	}
	if err := s.visits.Load(state); err != nil {
		return err
	}
	if err := s.imports.load(rest); err != nil {
		s.visits.Reset()
		return err
	}
	return nil
}

// fits says whether a checkpoint's position is in the journal we have, which somebody may have replaced.
func (s *Shipper) fits(pos journal.Position, nonce uint64) error {
	have, ok := s.j.Nonce(pos.Segment)
	oldest := s.j.Stats().Oldest
	switch {
	case ok && have != nonce:
		return errors.New("it belongs to another journal")
	case !ok && (oldest == 0 || pos.Segment >= oldest):
		return errors.New("its segment is not in the journal")
	}
	return nil
}

func readCheckpoint(path string) (checkpoint, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return checkpoint{}, err
	}
	n := len(b) - 4
	if n < checkpointHeader || string(b[:8]) != checkpointMagic || crc32.Checksum(b[:n], castagnoli) != binary.LittleEndian.Uint32(b[n:]) {
		return checkpoint{}, errCheckpoint
	}
	c := checkpoint{
		version: binary.LittleEndian.Uint32(b[8:]),
		pos:     journal.Position{Segment: binary.LittleEndian.Uint64(b[16:]), Offset: int64(binary.LittleEndian.Uint64(b[24:]))},
		nonce:   binary.LittleEndian.Uint64(b[32:]),
		state:   b[checkpointHeader:n],
	}
	if c.version < 1 || c.version > checkpointVersion {
		return checkpoint{}, fmt.Errorf("%w: %d, this one knows 1 to %d", errCheckpointVersion, c.version, checkpointVersion)
	}
	return c, nil
}

// checkpointDue says whether it is time for a checkpoint: regularly, and when a segment can be released.
func (s *Shipper) checkpointDue() bool {
	select {
	case <-s.checkTimer.C:
		s.checkDue = true
	default:
	}
	return s.checkDue || s.pos.Segment > s.checked.Segment && s.cfg.Now().Sub(s.checkedAt) >= s.checkpause
}

// checkpoint writes where we are, which must be between two batches, and then releases what lies before. Failing is no reason to stop: the cuts
// since the last checkpoint are recorded.
func (s *Shipper) checkpoint() {
	start := s.cfg.Now()
	defer func() {
		s.checkedAt = s.cfg.Now()
		s.checkpause = checkpointShare * s.checkedAt.Sub(start)
		s.checkDue = false
		s.checkTimer.Reset(max(s.cfg.CheckpointEvery, s.checkpause))
	}()
	if s.pos == s.checked {
		return
	}
	err := s.writeCheckpoint()
	if err == nil {
		s.checked = s.pos
		s.counter.checkpoints.Add(1)
		if err = s.j.Release(s.pos); errors.Is(err, journal.ErrClosed) {
			err = nil // The next start releases it.
		}
	}
	if err == nil {
		err = s.cuts.release(s.pos.Segment)
	}
	switch {
	case err == nil:
		s.checkBroken = false
	case !s.checkBroken:
		s.checkBroken = true
		s.log.Error("cannot write checkpoint, trying again", "error", err)
	}
	if err != nil {
		s.counter.checkpointErrors.Add(1)
	}
}

func (s *Shipper) writeCheckpoint() error {
	nonce, _ := s.j.Nonce(s.pos.Segment)
	b := append(make([]byte, 0, 4096), checkpointMagic...)
	b = binary.LittleEndian.AppendUint32(b, checkpointVersion)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, s.pos.Segment)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.pos.Offset))
	b = binary.LittleEndian.AppendUint64(b, nonce)
	b = appendVisits(b, s.visits)
	b = s.imports.appendState(b)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return writeFile(checkpointPath(s.cfg.Dir), b)
}
