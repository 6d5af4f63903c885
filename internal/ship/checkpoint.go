package ship

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/daysalt/daysalt/internal/journal"
	"github.com/daysalt/daysalt/internal/visit"
)

// A checkpoint is the file "checkpoint", or a base (base.go): this header, the state of the visits (visit.Tracker.AppendState) behind its length as uint64, the state
// of the imports (imports.appendState), and the CRC-32C of everything before as uint32. Numbers are little endian.
//
//	magic    8 bytes
//	version  uint32
//	zero     uint32
//	segment  uint64: of the position; everything before it is stored
//	offset   uint64
//	nonce    uint64: that segment's random number
//	written  int64: when, in nanoseconds since 1970-01-01 UTC; 0: not known
//	blocks   uint64: written to the database by now, see maxReplay
//	boot     its length as uint64, and its bytes: Config.BootID
//	servers  how many, as uint64, and each: the length of its name as uint64, the name, and since when it runs as int64, in unix seconds
//	again    its length as uint64, and its bytes: the id of the restart for which the line went back and is not through; empty for none
//	until    the segment and the offset where that ends, each as uint64
//
// Versions 1 and 2, which are read and not written, end the header behind the nonce. Version 1 has the state of the visits without its length, and no imports.
const (
	checkpointMagic   = "daysaltC"
	checkpointVersion = 3
	checkpointHeader  = 40
)

// maxServers is how many servers are remembered.
const maxServers = 256

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
	written int64
	blocks  uint64
	boot    string
	servers map[string]int64
	again   again
	head    []byte // the header
	state   []byte // behind the header
}

// loadState sets the visits and the imports. After an error there are none.
func (s *Shipper) loadState(c *checkpoint) error {
	s.visits.Reset()
	s.imports.reset()
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
func (s *Shipper) fits(c *checkpoint) error {
	if c.pos == (journal.Position{}) { // Of a start before the first event: nothing lies before it, whatever the journal is, as long as it has its beginning.
		if oldest := s.j.Stats().Oldest; oldest > 1 {
			return errGone
		}
		return nil
	}
	switch have, ok := s.j.Nonce(c.pos.Segment); {
	case ok && have != c.nonce:
		return errors.New("it belongs to another journal")
	case !ok:
		return errGone
	}
	return nil
}

// errGone is what fits returns where the segment is not in the journal.
var errGone = errors.New("its segment is not in the journal")

func readCheckpoint(path string) (*checkpoint, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	n := len(b) - 4
	if n < checkpointHeader || string(b[:8]) != checkpointMagic || crc32.Checksum(b[:n], castagnoli) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, errCheckpoint
	}
	c := &checkpoint{
		version: binary.LittleEndian.Uint32(b[8:]),
		pos:     journal.Position{Segment: binary.LittleEndian.Uint64(b[16:]), Offset: int64(binary.LittleEndian.Uint64(b[24:]))},
		nonce:   binary.LittleEndian.Uint64(b[32:]),
		servers: map[string]int64{},
		state:   b[checkpointHeader:n],
	}
	if c.version < 1 || c.version > checkpointVersion {
		return nil, fmt.Errorf("%w: %d, this one knows 1 to %d", errCheckpointVersion, c.version, checkpointVersion)
	}
	if c.version >= 3 && !c.decodeRest() {
		return nil, errCheckpoint
	}
	c.head = b[:n-len(c.state)]
	return c, nil
}

// decodeRest takes what version 3 has in the header off the front of c.state.
func (c *checkpoint) decodeRest() bool {
	var numbers [2]uint64
	b := c.state
	for i := range numbers {
		var ok bool
		if numbers[i], b, ok = cutUint64(b); !ok {
			return false
		}
	}
	c.written, c.blocks = int64(numbers[0]), numbers[1]
	boot, b, ok := cutVisits(b)
	if !ok {
		return false
	}
	c.boot = string(boot)
	n, b, ok := cutUint64(b)
	for ; ok && n > 0; n-- {
		var name []byte
		var since uint64
		if name, b, ok = cutVisits(b); !ok {
			return false
		}
		if since, b, ok = cutUint64(b); ok {
			c.servers[string(name)] = int64(since)
		}
	}
	if !ok {
		return false
	}
	id, b, ok := cutVisits(b)
	if !ok || len(b) < 16 {
		return false
	}
	c.again.id = string(id)
	c.again.until = journal.Position{Segment: binary.LittleEndian.Uint64(b), Offset: int64(binary.LittleEndian.Uint64(b[8:]))}
	c.state = b[16:]
	return true
}

// encodeCheckpoint returns the bytes of a checkpoint of now, with the present visits and imports, and when that is.
func (s *Shipper) encodeCheckpoint(pos journal.Position) (b []byte, written int64) {
	nonce, _ := s.j.Nonce(pos.Segment)
	written = s.cfg.Now().UnixNano()
	b = append(make([]byte, 0, 4096), checkpointMagic...)
	b = binary.LittleEndian.AppendUint32(b, checkpointVersion)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, pos.Segment)
	b = binary.LittleEndian.AppendUint64(b, uint64(pos.Offset))
	b = binary.LittleEndian.AppendUint64(b, nonce)
	b = binary.LittleEndian.AppendUint64(b, uint64(written))
	b = binary.LittleEndian.AppendUint64(b, s.blocks)
	b = appendText(b, s.boot)
	servers := s.watch.known()
	b = binary.LittleEndian.AppendUint64(b, uint64(len(servers)))
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		b = binary.LittleEndian.AppendUint64(appendText(b, name), uint64(servers[name]))
	}
	b = appendText(b, s.again.id)
	b = binary.LittleEndian.AppendUint64(b, s.again.until.Segment)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.again.until.Offset))
	return appendState(b, s.visits, &s.imports), written
}

// appendState appends the states behind the header of a checkpoint, and the checksum.
func appendState(b []byte, visits *visit.Tracker, m *imports) []byte {
	b = m.appendState(appendVisits(b, visits))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func appendText(dst []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint64(dst, uint64(len(text))), text...)
}

// checkpointShare is the least time between two checkpoints as a multiple of what the last one took, so that many open visits do not hold up the line.
const checkpointShare = 20

// checkpointDue says whether it is time for a checkpoint: regularly, and when a segment can be released that has to be.
func (s *Shipper) checkpointDue() bool {
	select {
	case <-s.checkTimer.C:
		s.checkDue = true
	default:
	}
	return s.checkDue || s.edge.Segment > s.checked.Segment && (s.cfg.Keep < 0 || s.isPressed()) && s.cfg.Now().Sub(s.checkedAt) >= s.checkpause
}

// writeCheckpoint writes where we are. Nothing may be under way.
func (s *Shipper) writeCheckpoint() error {
	b, written := s.encodeCheckpoint(s.pos)
	if err := writeFile(checkpointPath(s.cfg.Dir), b); err != nil {
		return err
	}
	s.point("checkpoint")
	s.checked, s.written, s.checkedBlocks, s.dirty, s.linked = s.pos, written, s.blocks, false, false
	s.counter.checkpoints.Add(1)
	return nil
}
