package ship

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/daysalt/daysalt/internal/journal"
)

// A base is an older checkpoint that is kept, as "checkpoint.base-" and a number that grows. What lies before the oldest one is released; what lies behind it is kept
// for the time that a database needs to make durable what it acknowledged, and is sent again when the database may have lost it.

const (
	baseSuffix  = ".base-"
	basesInKeep = 5 // so many bases are made in Config.Keep
	// maxReplay is how many blocks may lie between the base and the end of the line: a database drops what it knows among the last 10,000 blocks of the table, whoever
	// wrote them, and several nodes may.
	maxReplay = 2000
	// keepShare is which part of the journal's quota, at most, is kept only to be sent again.
	keepShare = 4
)

// base is one such file.
type base struct {
	number  uint64
	pos     journal.Position
	written int64 // unix nanoseconds
	blocks  uint64
}

func basePath(dir string, number uint64) string {
	return checkpointPath(dir) + baseSuffix + strconv.FormatUint(number, 10)
}

// readBases returns the bases that can be used, the oldest first, and removes the others: those of another journal, those whose segment is gone, and those
// beyond limit, which were made before the line went back. limit is nil where there is no checkpoint.
func (s *Shipper) readBases(limit *checkpoint) ([]base, error) {
	paths, err := filepath.Glob(checkpointPath(s.cfg.Dir) + baseSuffix + "*")
	if err != nil {
		return nil, err
	}
	var all []base
	for _, path := range paths {
		number, err := strconv.ParseUint(path[strings.LastIndexByte(path, '-')+1:], 10, 64)
		if err != nil {
			_ = os.Remove(path) // What a crash left half written.
			continue
		}
		c, err := readCheckpoint(path)
		if errors.Is(err, errCheckpointVersion) {
			return nil, err
		}
		if err == nil {
			err = s.fits(c)
		}
		s.lastBase = max(s.lastBase, number)
		if err != nil || limit != nil && c.pos.Compare(limit.pos) > 0 {
			_ = os.Remove(path)
			continue
		}
		all = append(all, base{number, c.pos, c.written, c.blocks})
	}
	slices.SortFunc(all, func(a, b base) int { return a.pos.Compare(b.pos) })
	return all, nil
}

// firstBase makes a base of where the line begins, when there is none: nothing that is sent from here on can be lost by the database then.
func (s *Shipper) firstBase(pos journal.Position) {
	if len(s.bases) > 0 || s.cfg.Keep < 0 || s.flight != nil {
		return
	}
	b, written := s.encodeCheckpoint(pos)
	if err := writeFile(basePath(s.cfg.Dir, s.lastBase+1), b); err != nil {
		s.counter.checkpointErrors.Add(1)
		return // Another one is made of the next checkpoint.
	}
	s.lastBase++
	s.bases = append(s.bases, base{s.lastBase, pos, written, s.blocks})
	s.point("base")
}

// linkBase makes the present checkpoint a base too.
func (s *Shipper) linkBase() error {
	path := basePath(s.cfg.Dir, s.lastBase+1)
	if os.Link(checkpointPath(s.cfg.Dir), path) != nil { // Not every file system can.
		b, err := os.ReadFile(checkpointPath(s.cfg.Dir))
		if err == nil {
			err = writeFile(path, b)
		}
		if err != nil {
			return err
		}
	}
	s.lastBase++
	s.bases = append(s.bases, base{s.lastBase, s.checked, s.written, s.checkedBlocks})
	s.linked = true
	if err := syncDir(s.cfg.Dir); err != nil {
		return err
	}
	s.point("base")
	return nil
}

// keepBases makes a base where one is due, and forgets those that are no longer needed, with what lies before the one that is.
func (s *Shipper) keepBases() error {
	if s.written == 0 { // There was no checkpoint yet.
		return nil
	}
	if s.cfg.Keep < 0 {
		return s.release(len(s.bases))
	}
	newest := len(s.bases) - 1
	if newest < 0 || !s.linked && s.cfg.Now().UnixNano()-s.bases[newest].written >= int64(s.cfg.Keep/basesInKeep) {
		if err := s.linkBase(); err != nil {
			return err
		}
	}
	n := 0
	for n+1 < len(s.bases) && (s.isOld(&s.bases[n+1]) || s.bases[n+1].pos == s.bases[n].pos || s.isTooMuch(&s.bases[n])) {
		n++
	}
	if s.isTooMuch(&s.bases[n]) {
		return s.releaseAll()
	}
	return s.release(n)
}

// isOld says whether the database is known not to have been restarted until a base was old enough, so that nothing before it can be lost any more.
func (s *Shipper) isOld(b *base) bool { return b.written+int64(s.cfg.Keep) <= s.verified.UnixNano() }

// isTooMuch says whether more lies between a base and the checkpoint than may be kept only to be sent again.
func (s *Shipper) isTooMuch(b *base) bool {
	if s.blocks-b.blocks > maxReplay {
		return true
	}
	var kept int64
	for _, seg := range s.j.Segments() {
		if seg.ID >= b.pos.Segment && seg.ID < s.checked.Segment {
			kept += seg.Bytes
		}
	}
	return kept > s.j.Stats().Quota/keepShare
}

// canGive says whether there are segments that are kept only to be sent again.
func (s *Shipper) canGive() bool {
	return len(s.bases) > 0 && s.bases[0].pos.Segment < s.checked.Segment
}

// giveRoom releases everything before the checkpoint when the journal needs the room: no event may be refused for what is kept only to be sent again.
func (s *Shipper) giveRoom() {
	if !s.canGive() || !s.isPressed() {
		return
	}
	if err := s.releaseAll(); err != nil {
		s.counter.checkpointErrors.Add(1)
	}
}

// isPressed says whether the journal needs room. It is said early, because a checkpoint comes before there is some.
func (s *Shipper) isPressed() bool {
	st := s.j.Stats()
	return st.Bytes > st.Quota-st.Quota/keepShare || s.j.Pressed()
}

// releaseAll makes the checkpoint the only base.
func (s *Shipper) releaseAll() error {
	if !s.linked || len(s.bases) == 0 {
		if err := s.linkBase(); err != nil {
			return err
		}
	}
	return s.release(len(s.bases) - 1)
}

// release forgets the first n bases, and what lies before the one behind them; where that is none, what lies before the checkpoint.
// The files go last: a base whose segment is gone is none, and a segment that no base needs would stay.
func (s *Shipper) release(n int) error {
	from := s.checked
	if n < len(s.bases) {
		from = s.bases[n].pos
	}
	if err := s.j.Release(from); err != nil && !errors.Is(err, journal.ErrClosed) { // The next start releases it.
		return err
	}
	s.point("release")
	if err := s.cuts.release(from.Segment); err != nil {
		return err
	}
	s.point("release cuts")
	for _, b := range s.bases[:n] {
		if err := os.Remove(basePath(s.cfg.Dir, b.number)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	s.bases = slices.Delete(s.bases, 0, n)
	return nil
}

// save writes where we are, which must be between two batches with nothing under way, and then releases what is no longer needed. Failing is no
// reason to stop: the cuts since the last checkpoint are recorded.
func (s *Shipper) save() {
	start := s.cfg.Now()
	defer func() {
		s.checkedAt = s.cfg.Now()
		s.checkpause = checkpointShare * s.checkedAt.Sub(start)
		s.checkDue = false
		s.checkTimer.Reset(max(s.cfg.CheckpointEvery, s.checkpause))
	}()
	var err error
	if s.pos != s.checked || s.dirty {
		err = s.writeCheckpoint()
	}
	if err == nil {
		err = s.keepBases()
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

// sinceBase says whether the line is beyond its base, so that a database that lost what it acknowledged could have lost something that is still here.
func (s *Shipper) sinceBase() bool {
	return len(s.bases) > 0 && s.bases[0].pos != s.pos
}
