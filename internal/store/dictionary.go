package store

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
)

// dictionary numbers the distinct texts of one LowCardinality(String) column of one insert. Text 0 is "". The texts are views of the rows.
//
// It is a hash table with open addressing, because the driver's own goes through reflection and map[any]int, which was most of an insert's
// cost. The hash is seeded: texts are chosen by whoever sends events.
type dictionary struct {
	seed  maphash.Seed
	salt  [2]uint64
	slots []slot // their number is a power of two, at least twice that of the texts
	texts []string
	last  string // what was asked for before; equal neighbours are frequent
	key   uint32 // of last
}

// slot is empty where key is 0: "" is never looked up.
type slot struct {
	hash uint32
	key  uint32
}

const (
	slotsAtFirst = 1 << 8
	slotsKept    = 1 << 15 // a larger table of one insert is not kept for the next
)

func newDictionary() dictionary {
	seed := maphash.MakeSeed()
	return dictionary{
		seed: seed, salt: [2]uint64{maphash.String(seed, "a"), maphash.String(seed, "b")},
		slots: make([]slot, slotsAtFirst), texts: make([]string, 1, slotsAtFirst/2),
	}
}

// reset forgets all texts.
func (d *dictionary) reset() {
	if len(d.slots) > slotsKept {
		*d = newDictionary()
		return
	}
	if len(d.texts) > 1 {
		clear(d.slots)
		clear(d.texts)
	}
	d.texts, d.last, d.key = d.texts[:1], "", 0
}

// number returns the number of s, which it has from now on.
func (d *dictionary) number(s string) uint32 {
	if s == d.last {
		return d.key
	}
	d.last, d.key = s, d.find(s)
	return d.key
}

func (d *dictionary) find(s string) uint32 {
	if s == "" {
		return 0
	}
	hash := d.hash(s)
	mask := uint32(len(d.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		switch place := &d.slots[at]; {
		case place.key == 0:
			*place = slot{hash: hash, key: uint32(len(d.texts))}
			d.texts = append(d.texts, s)
			if 2*len(d.texts) > len(d.slots) {
				d.grow()
			}
			return uint32(len(d.texts) - 1)
		case place.hash == hash && d.texts[place.key] == s:
			return place.key
		}
	}
}

// hash returns a seeded hash of s, which is not empty. Up to 16 bytes are two words that overlap, multiplied with the salt; a call of maphash
// would cost three times as much, and most texts are as short.
func (d *dictionary) hash(s string) uint32 {
	n := len(s)
	var a, b uint64
	switch {
	case n > 16:
		return uint32(maphash.String(d.seed, s))
	case n >= 8:
		a, b = word(s), word(s[n-8:])
	case n >= 4:
		a, b = half(s), half(s[n-4:])
	default:
		a, b = uint64(s[0])<<16|uint64(s[n/2])<<8|uint64(s[n-1]), 0
	}
	high, low := bits.Mul64(a^d.salt[0], b^d.salt[1]^uint64(n))
	return uint32(high>>32) ^ uint32(low)
}

// word returns the first eight bytes of s.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// half returns the first four bytes of s.
func half(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

func (d *dictionary) grow() {
	old := d.slots
	d.slots = make([]slot, 2*len(old))
	mask := uint32(len(d.slots) - 1)
	for _, place := range old {
		if place.key == 0 {
			continue
		}
		at := place.hash & mask
		for d.slots[at].key != 0 {
			at = (at + 1) & mask
		}
		d.slots[at] = place
	}
}

// keys are the numbers of a column's texts, row by row, each in as few bytes as the largest needs.
type keys struct {
	bytes []byte
	wide  int // bytes of a key: 1, 2 or 4
	count int
}

func (k *keys) reset() { *k = keys{bytes: k.bytes[:0], wide: 1} }

// add appends numbers. No number is larger than most.
func (k *keys) add(numbers []uint32, most uint32) {
	switch {
	case most > math.MaxUint16:
		k.widen(4)
	case most > math.MaxUint8:
		k.widen(2)
	}
	k.count += len(numbers)
	at := len(k.bytes)
	k.bytes = extend(k.bytes, k.wide*len(numbers))
	put(k.bytes[at:], numbers, k.wide)
}

// put writes numbers in wide bytes each.
func put(to []byte, numbers []uint32, wide int) {
	switch wide {
	case 1:
		to = to[:len(numbers)]
		for i, n := range numbers {
			to[i] = byte(n)
		}
	case 2:
		for i, n := range numbers {
			binary.LittleEndian.PutUint16(to[2*i:], uint16(n))
		}
	default:
		for i, n := range numbers {
			binary.LittleEndian.PutUint32(to[4*i:], n)
		}
	}
}

// widen gives every key the new number of bytes, unless it has as many.
func (k *keys) widen(wide int) {
	if wide <= k.wide {
		return
	}
	k.bytes = extend(k.bytes, k.count*(wide-k.wide))
	for i := k.count - 1; i >= 0; i-- { // from the end: a key is moved away before it is written over
		n := uint32(k.bytes[k.wide*i])
		if k.wide == 2 {
			n = uint32(binary.LittleEndian.Uint16(k.bytes[2*i:]))
		}
		put(k.bytes[wide*i:], []uint32{n}, wide)
	}
	k.wide = wide
}

// extend makes b longer by n bytes of any content.
func extend(b []byte, n int) []byte {
	if need := len(b) + n; need > cap(b) {
		longer := make([]byte, len(b), max(need, 2*cap(b), 4096))
		copy(longer, b)
		b = longer
	}
	return b[:len(b)+n]
}
