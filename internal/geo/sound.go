package geo

import "bytes"

// Bounds of a sound record. The largest that makers write have some 200 values, four deep.
const (
	maxValues = 4096
	maxDepth  = 16
)

// The types of the format that the walk must tell apart.
const (
	typePointer = 1
	typeString  = 2
	typeMap     = 7
	typeArray   = 11
	typeBool    = 14
)

var metadataMark = []byte("\xAB\xCD\xEFMaxMind.com")

// metadata returns the part of a database file where it says what it is, and the position of that part.
func metadata(b []byte) ([]byte, int) {
	i := bytes.LastIndex(b, metadataMark)
	if i < 0 {
		return nil, 0
	}
	return b[i+len(metadataMark):], i
}

// sound reports whether the value at offset of a data section can be decoded. maxminddb-golang v1 follows a key that points to itself until
// the stack is full, which ends the process and cannot be recovered from; a file that was overwritten in place may hold one.
func sound(data []byte, offset uint64) bool {
	w := walk{data: data, left: maxValues}
	_, ok := w.value(offset, 0, false)
	return ok
}

// walk goes once through a value and what it points to.
type walk struct {
	data []byte
	left int // values that may still come
}

// value passes over the value at offset and returns where the next one starts. One that was pointed to may be no pointer.
func (w *walk) value(offset uint64, depth int, pointedTo bool) (next uint64, ok bool) {
	kind, size, offset, ok := w.head(offset)
	w.left--
	if !ok || w.left < 0 || depth > maxDepth {
		return 0, false
	}
	switch kind {
	case typePointer:
		target, next, ok := w.pointer(size, offset)
		if !ok || pointedTo {
			return 0, false
		}
		_, ok = w.value(target, depth+1, true)
		return next, ok
	case typeMap, typeArray:
		if kind == typeMap {
			size *= 2
		}
		for i := range size {
			if kind == typeMap && i%2 == 0 && !w.isString(offset) {
				return 0, false
			}
			if offset, ok = w.value(offset, depth+1, false); !ok {
				return 0, false
			}
		}
		return offset, true
	case typeBool:
		return offset, true
	}
	return offset + size, offset+size <= uint64(len(w.data))
}

// isString reports whether a string is at offset, or a pointer to one.
func (w *walk) isString(offset uint64) bool {
	kind, size, offset, ok := w.head(offset)
	if ok && kind == typePointer {
		var target uint64
		if target, _, ok = w.pointer(size, offset); ok {
			kind, _, _, ok = w.head(target)
		}
	}
	return ok && kind == typeString
}

// head reads the type and the size of the value at offset, and returns where what follows them starts. The size of a pointer is its first
// byte, which is laid out in its own way.
func (w *walk) head(offset uint64) (kind, size, next uint64, ok bool) {
	b, ok := w.bytes(offset, 1)
	if !ok {
		return 0, 0, 0, false
	}
	first := b
	offset++
	kind = first >> 5
	if kind == typePointer {
		return kind, first, offset, true
	}
	if kind == 0 {
		if b, ok = w.bytes(offset, 1); !ok {
			return 0, 0, 0, false
		}
		kind = b + 7
		offset++
	}
	size = first & 31
	if size < 29 {
		return kind, size, offset, true
	}
	n := size - 28
	b, ok = w.bytes(offset, n)
	return kind, b + [...]uint64{29, 285, 65821}[n-1], offset + n, ok
}

// pointer returns where a pointer leads, and where the next value starts.
func (w *walk) pointer(first, offset uint64) (target, next uint64, ok bool) {
	n := first>>3&3 + 1
	b, ok := w.bytes(offset, n)
	if n == 4 {
		return b, offset + n, ok
	}
	return (first&7)<<(8*n) + b + [...]uint64{0, 2048, 526336}[n-1], offset + n, ok
}

// bytes returns n bytes at offset as a number.
func (w *walk) bytes(offset, n uint64) (uint64, bool) {
	if offset > uint64(len(w.data)) || n > uint64(len(w.data))-offset {
		return 0, false
	}
	v := uint64(0)
	for _, c := range w.data[offset : offset+n] {
		v = v<<8 | uint64(c)
	}
	return v, true
}
