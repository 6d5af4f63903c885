package journal

import (
	"encoding/binary"
	"hash/crc32"
)

// A frame starts on a boundary of 16 bytes and is
//
//	length  uint32, little endian: bytes of payload, never 0
//	crc     uint32, little endian: CRC-32C over the segment's nonce, the frame's offset in the file (8 bytes), length and payload
//	payload
//	zeros up to the next boundary
//
// Both numbers are eight aligned bytes, the header word, so that one atomic store publishes a frame. A word that is zero is a place where nothing was
// published. Length 0 with another crc is a tombstone: a place that a reader gave up (follow.go).
const (
	align       = 16
	frameHeader = 8
)

// MaxFrame is the longest payload in bytes.
const MaxFrame = 256 << 10

// tombstone is the header word of a place that a reader gave up.
const tombstone = uint64(0xdead) << 32

// castagnoli is never written to after it was made.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sliced are the tables that take four bytes into a checksum at a time. They are never written to after they were made.
var sliced = slice(castagnoli)

func slice(table *crc32.Table) (t [4]crc32.Table) {
	t[0] = *table
	for k := 1; k < len(t); k++ {
		for i, c := range t[k-1] {
			t[k][i] = table[byte(c)] ^ c>>8
		}
	}
	return t
}

// frameBytes is the space a payload of n bytes takes in a segment.
func frameBytes(n int) int64 {
	return (int64(n) + frameHeader + align - 1) &^ (align - 1)
}

// seedOf returns the checksum of a nonce, on which those of the segment's frames go on.
func seedOf(nonce uint64) uint32 {
	return crc32.Checksum(binary.LittleEndian.AppendUint64(nil, nonce), castagnoli)
}

// checksum returns the checksum of a frame. Offset and length are taken in here and not by crc32.Update, whose argument always escapes to the heap: this
// is called for every event, by many goroutines, and has no place for them.
func checksum(seed uint32, offset int64, payload []byte) uint32 {
	c := four(^seed, uint32(offset))
	c = four(c, uint32(uint64(offset)>>32))
	c = four(c, uint32(len(payload)))
	return crc32.Update(^c, castagnoli, payload)
}

// four takes four bytes, as a little endian number, into the inverted checksum c.
func four(c, bytes uint32) uint32 {
	c ^= bytes
	return sliced[3][c&0xff] ^ sliced[2][c>>8&0xff] ^ sliced[1][c>>16&0xff] ^ sliced[0][c>>24]
}

// headerWord returns the header word of a frame, as the number that lies in this machine's memory.
func headerWord(length int, sum uint32) uint64 {
	return native(uint64(length) | uint64(sum)<<32)
}

// native turns a number into the one whose bytes in memory are its little endian ones, and back.
func native(n uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	return binary.NativeEndian.Uint64(b[:])
}

// appendFrame appends the frame of payload, as it belongs at offset of the segment with that seed.
func appendFrame(dst []byte, seed uint32, offset int64, payload []byte) []byte {
	n := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(payload)))
	dst = binary.LittleEndian.AppendUint32(dst, checksum(seed, offset, payload))
	dst = append(dst, payload...)
	pad := frameBytes(len(payload)) - int64(len(dst)-n)
	return append(dst, make([]byte, align)[:pad]...)
}
