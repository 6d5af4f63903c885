package ingest

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// What is here looks at eight bytes at a time. In each, the highest bit of a byte says that it is one of those looked for; the lowest bit that is set is
// always right, those above it may be there because of it.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// equal marks the bytes that are c.
func equal(word uint64, c byte) uint64 {
	word ^= ones * uint64(c)
	return (word - ones) &^ word & highs
}

// below marks the bytes that are less than c, which is at most 0x80.
func below(word uint64, c byte) uint64 {
	return (word - ones*uint64(c)) &^ word & highs
}

// plainEnd returns where the bytes from a place on end that stand for themselves in JSON and are printable ASCII, or somewhat before.
func plainEnd(data []byte, from int) int {
	for ; from+8 <= len(data); from += 8 {
		word := binary.LittleEndian.Uint64(data[from:])
		if marks := equal(word, '"') | equal(word, '\\') | below(word, 0x20) | (word|(word+ones))&highs; marks != 0 {
			return from + bits.TrailingZeros64(marks)/8
		}
	}
	return from
}

// hasControl reports whether there is a control character of ASCII in s.
func hasControl(s string) bool {
	data := unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // it is only read
	for ; len(data) >= 8; data = data[8:] {
		if word := binary.LittleEndian.Uint64(data); below(word, 0x20)|equal(word, 0x7f) != 0 {
			return true
		}
	}
	for _, c := range data {
		if c < 0x20 || c == 0x7f {
			return true
		}
	}
	return false
}
