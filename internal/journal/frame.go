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
// Both numbers are eight aligned bytes, so that one atomic store can publish a frame. Length 0 is a place where nothing was published.
const (
	align       = 16
	frameHeader = 8
)

// MaxFrame is the longest payload in bytes.
const MaxFrame = 256 << 10

// castagnoli is never written to after it was made.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameBytes is the space a payload of n bytes takes in a segment.
func frameBytes(n int) int64 {
	return (int64(n) + frameHeader + align - 1) &^ (align - 1)
}

// seedOf returns the checksum of a nonce, on which those of the segment's frames go on.
func seedOf(nonce uint64) uint32 {
	return crc32.Checksum(binary.LittleEndian.AppendUint64(nil, nonce), castagnoli)
}

// checksum returns the checksum of a frame. place is room for 12 bytes, so that nothing is allocated.
func checksum(seed uint32, offset int64, payload, place []byte) uint32 {
	place = binary.LittleEndian.AppendUint64(place[:0], uint64(offset))
	place = binary.LittleEndian.AppendUint32(place, uint32(len(payload)))
	return crc32.Update(crc32.Update(seed, castagnoli, place), castagnoli, payload)
}

// appendFrame appends the frame of payload, as it belongs at offset of the segment with that seed.
func appendFrame(dst []byte, seed uint32, offset int64, payload []byte) []byte {
	n := len(dst)
	// The place of the checksum's input is the frame itself, before it is filled.
	dst = append(dst, make([]byte, frameHeader+align)...)
	sum := checksum(seed, offset, payload, dst[n:n:n+frameHeader+align])
	dst = binary.LittleEndian.AppendUint32(dst[:n], uint32(len(payload)))
	dst = binary.LittleEndian.AppendUint32(dst, sum)
	dst = append(dst, payload...)
	pad := frameBytes(len(payload)) - int64(len(dst)-n)
	return append(dst, make([]byte, align)[:pad]...)
}
