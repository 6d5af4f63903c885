package engine

import (
	"runtime"
	"unsafe"
)

// This file is the only one that touches memory of the library.

// callArgs keeps the memory of one call in place while C reads it.
type callArgs struct {
	pinner                             runtime.Pinner
	sql, format                        unsafe.Pointer
	names, nameLens, values, valueLens unsafe.Pointer
}

func (c *callArgs) set(sql, format string, params []param) {
	c.sql, c.format = c.text(sql), c.text(format)
	if len(params) == 0 {
		return
	}
	names, values := make([]unsafe.Pointer, len(params)), make([]unsafe.Pointer, len(params))
	nameLens, valueLens := make([]uintptr, len(params)), make([]uintptr, len(params))
	for i, p := range params {
		names[i], values[i] = c.text(p.name), c.text(p.value)
		nameLens[i], valueLens[i] = uintptr(len(p.name)), uintptr(len(p.value))
	}
	c.pinner.Pin(&names[0])
	c.pinner.Pin(&values[0])
	c.pinner.Pin(&nameLens[0])
	c.pinner.Pin(&valueLens[0])
	c.names, c.nameLens = pointer(&names[0]), pointer(&nameLens[0])
	c.values, c.valueLens = pointer(&values[0]), pointer(&valueLens[0])
}

// text returns a pointer to s with a zero byte behind it; lengths are passed too, so zero bytes inside are kept.
func (c *callArgs) text(s string) unsafe.Pointer {
	b := append([]byte(s), 0)
	c.pinner.Pin(&b[0])
	return pointer(&b[0])
}

func (c *callArgs) release() { c.pinner.Unpin() }

// connect calls chdb_connect with a command line.
func connect(lib *library, args []string) unsafe.Pointer {
	var call callArgs
	defer call.release()
	argv := make([]unsafe.Pointer, len(args)+1)
	for i, arg := range args {
		argv[i] = call.text(arg)
	}
	call.pinner.Pin(&argv[0])
	return lib.connect(int32(len(args)), pointer(&argv[0]))
}

func pointer[T any](p *T) unsafe.Pointer {
	return unsafe.Pointer(p) //nolint:gosec // C takes addresses
}

// target returns the pointer that p points to.
func target(p unsafe.Pointer) unsafe.Pointer { return *(*unsafe.Pointer)(p) }

// copyBytes copies n bytes of the library's memory.
func copyBytes(p unsafe.Pointer, n uintptr) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(p), n)...) //nolint:gosec // the library says that n bytes are there
}

// goString copies a C string; nil is "".
func goString(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := uintptr(0)
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(copyBytes(p, n))
}
