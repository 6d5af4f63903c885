package geo

import (
	"encoding/binary"

	"github.com/oschwald/maxminddb-golang"
)

// rootBits is how much of an IPv4 address is looked up at once.
const rootBits = 16

// tree answers for IPv4 addresses what maxminddb's LookupOffset does, with the first steps of every walk taken beforehand: they are most of the way.
type tree struct {
	nodes []byte
	count uint64 // of nodes
	width uint64 // bytes of a node: 6, 7 or 8
	roots []uint32
}

// newTree walks the first steps in the nodes of a sound file. It returns nil for nodes of a size that the format does not have.
func newTree(about maxminddb.Metadata, nodes []byte) *tree {
	t := &tree{nodes: nodes, count: uint64(about.NodeCount), width: uint64(about.RecordSize) / 4}
	if t.width < 6 || t.width > 8 || about.RecordSize%4 != 0 {
		return nil
	}
	start := uint64(0)
	if about.IPVersion == 6 {
		for i := 0; i < 96 && start < t.count; i++ { // where IPv4 is
			start = t.record(start, 0)
		}
	}
	t.roots = make([]uint32, 1<<rootBits)
	t.fill(start, t.roots)
	return t
}

// fill notes where the walks from a node end, for as many steps as the room has halves.
func (t *tree) fill(node uint64, roots []uint32) {
	if len(roots) == 1 || node >= t.count {
		for i := range roots {
			roots[i] = uint32(node)
		}
		return
	}
	half := len(roots) / 2
	t.fill(t.record(node, 0), roots[:half])
	t.fill(t.record(node, 1), roots[half:])
}

// offset returns where the record of an address is in the data; ok is false where there is none.
func (t *tree) offset(ip [4]byte) (offset uintptr, ok bool) {
	bits := binary.BigEndian.Uint32(ip[:])
	node := uint64(t.roots[bits>>(32-rootBits)])
	node = t.walk(node, bits<<rootBits, 32-rootBits)
	if node <= t.count {
		return 0, false // nothing is known of it, or the file is damaged
	}
	return uintptr(node - t.count - separator), true
}

// walk follows the first bits of a number, and ends where nodes do.
func (t *tree) walk(node uint64, bits uint32, steps int) uint64 {
	for ; steps > 0 && node < t.count; steps-- {
		node = t.record(node, bits>>31)
		bits <<= 1
	}
	return node
}

// record returns the left or right record of a node.
func (t *tree) record(node uint64, right uint32) uint64 {
	b := t.nodes[node*t.width : node*t.width+t.width]
	switch {
	case t.width == 6:
		b = b[3*right:]
		return uint64(b[0])<<16 | uint64(b[1])<<8 | uint64(b[2])
	case t.width == 8:
		return uint64(binary.BigEndian.Uint32(b[4*right:]))
	case right == 0:
		return uint64(b[3])>>4<<24 | uint64(b[0])<<16 | uint64(b[1])<<8 | uint64(b[2])
	}
	return uint64(b[3])&0x0f<<24 | uint64(b[4])<<16 | uint64(b[5])<<8 | uint64(b[6])
}
