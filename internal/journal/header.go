package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A segment file is named by its id in 20 digits, with the ending below. It starts with a header of 1024 bytes: two copies of the same record, at
// offsets 0 and 512, so that one bad sector does not cost the nonce and with it every frame. A record is
//
//	magic    8 bytes
//	version  uint32, little endian, as everything that follows
//	sum      uint32: where in the record its crc is; 0 in version 1, where it is at 40
//	id       uint64: the one in the name
//	nonce    uint64: random, part of every frame's checksum
//	size     uint64: bytes of the file when it was made
//	created  int64: when that was, in unix seconds; since version 2
//	crc      uint32: CRC-32C of the bytes before
//
// A file may be shorter than its size: what nobody wrote to was given back. A later version keeps the first three fields and the crc, so that an
// earlier program tells it from damage.
const (
	formatVersion = 2
	headerBytes   = 1024
	headerCopy    = 512
	sumAt1        = 40 // in version 1
	sumAt2        = 48
	recordBytes   = sumAt2 + 4
	suffix        = ".seg"
	magic         = "daysaltJ"
)

// header is what a record says.
type header struct {
	id, nonce     uint64
	size, created int64
}

func newNonce() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // It never fails: the runtime ends the process first.
	return binary.LittleEndian.Uint64(b[:])
}

func encodeHeader(h header) []byte {
	rec := append(make([]byte, 0, recordBytes), magic...)
	rec = binary.LittleEndian.AppendUint32(rec, formatVersion)
	rec = binary.LittleEndian.AppendUint32(rec, sumAt2)
	rec = binary.LittleEndian.AppendUint64(rec, h.id)
	rec = binary.LittleEndian.AppendUint64(rec, h.nonce)
	rec = binary.LittleEndian.AppendUint64(rec, uint64(h.size))
	rec = binary.LittleEndian.AppendUint64(rec, uint64(h.created))
	rec = binary.LittleEndian.AppendUint32(rec, crc32.Checksum(rec, castagnoli))
	b := make([]byte, headerBytes)
	copy(b, rec)
	copy(b[headerCopy:], rec)
	return b
}

// decodeHeader returns what the header of the segment with that id says. The error wraps ErrVersion where a good copy is of a version it does not know.
func decodeHeader(b []byte, id uint64) (header, error) {
	h, err := decodeRecord(b[:headerCopy], id)
	if err == nil || errors.Is(err, ErrVersion) {
		return h, err
	}
	if h, second := decodeRecord(b[headerCopy:headerBytes], id); second == nil || errors.Is(second, ErrVersion) {
		return h, second
	}
	return header{}, err
}

func decodeRecord(rec []byte, id uint64) (header, error) {
	if string(rec[:len(magic)]) != magic {
		return header{}, errors.New("it does not start like a segment")
	}
	sumAt := int(binary.LittleEndian.Uint32(rec[12:]))
	if sumAt == 0 {
		sumAt = sumAt1
	}
	if sumAt < sumAt1 || sumAt > len(rec)-4 || crc32.Checksum(rec[:sumAt], castagnoli) != binary.LittleEndian.Uint32(rec[sumAt:]) {
		return header{}, errors.New("the header's checksum is wrong")
	}
	v := binary.LittleEndian.Uint32(rec[8:])
	if v == 0 || v > formatVersion {
		return header{}, fmt.Errorf("%w: format %d, this one knows 1 to %d", ErrVersion, v, formatVersion)
	}
	h := header{id: binary.LittleEndian.Uint64(rec[16:]), nonce: binary.LittleEndian.Uint64(rec[24:]), size: int64(binary.LittleEndian.Uint64(rec[32:]))}
	if h.id != id {
		return header{}, fmt.Errorf("it is segment %d under another name", h.id)
	}
	if v > 1 && sumAt >= sumAt2 {
		h.created = int64(binary.LittleEndian.Uint64(rec[40:]))
	}
	return h, nil
}
