package geo

import (
	"bytes"
	"testing"
)

func TestSound(t *testing.T) {
	// far puts a string at an offset and a pointer to it at the end, and returns both with the offset of the pointer.
	far := func(at int, pointer ...byte) ([]byte, uint64) {
		data := append(make([]byte, at), 1<<6|2, 'D', 'E')
		return append(data, pointer...), uint64(len(data))
	}
	at := func(data []byte, offset uint64) func() ([]byte, uint64) {
		return func() ([]byte, uint64) { return data, offset }
	}
	deep := bytes.Repeat([]byte{0x01, 4}, maxDepth+2) // arrays in arrays
	for _, c := range []struct {
		name string
		data func() ([]byte, uint64)
		want bool
	}{
		{"string", at([]byte{0x42, 'D', 'E'}, 0), true},
		{"string that is cut off", at([]byte{0x42, 'D'}, 0), false},
		{"long string", at(append([]byte{0x5d, 1}, make([]byte, 30)...), 0), true},
		{"long string that is cut off", at(append([]byte{0x5d, 1}, make([]byte, 29)...), 0), false},
		{"longer string", at(append([]byte{0x5e, 0, 2}, make([]byte, 287)...), 0), true},
		{"longest string", at(append([]byte{0x5f, 0, 0, 3}, make([]byte, 65824)...), 0), true},
		{"double", at(append([]byte{0x68}, make([]byte, 8)...), 0), true},
		{"truth", at([]byte{0x01, 7}, 0), true},
		{"map", at([]byte{0xe1, 0x41, 'k', 0xa1, 7}, 0), true},
		{"map without its value", at([]byte{0xe1, 0x41, 'k'}, 0), false},
		{"map with a number for a key", at([]byte{0xe1, 0xa1, 7, 0x41, 'k'}, 0), false},
		{"array", at([]byte{0x02, 4, 0x41, 'a', 0x41, 'b'}, 0), true},
		{"arrays in arrays", at(deep, 0), false},
		{"arrays in arrays that end", at(append(deep[:2*maxDepth:2*maxDepth], 0x40), 0), true},
		{"too many values", at(append([]byte{0x1e, 4, 0x0f, 0xff}, bytes.Repeat([]byte{0x40}, 5000)...), 0), false},
		{"nothing", at(nil, 0), false},
		{"behind the end", at([]byte{0x40}, 1), false},
		{"far behind the end", at([]byte{0x40}, 1<<63), false},

		{"pointer of 11 bits", func() ([]byte, uint64) { return far(1<<8+5, 0x20|1, 5) }, true},
		{"pointer of 19 bits", func() ([]byte, uint64) { return far(2048+1<<16+5, 0x28|1, 0, 5) }, true},
		{"pointer of 27 bits", func() ([]byte, uint64) { return far(526336+5, 0x30, 0, 0, 5) }, true},
		{"pointer of 32 bits", func() ([]byte, uint64) { return far(5, 0x38, 0, 0, 0, 5) }, true},
		{"pointer beside its string", func() ([]byte, uint64) { return far(5, 0x20, 7) }, false},
		{"pointer behind the end", func() ([]byte, uint64) { return far(5, 0x20, 200) }, false},
		{"pointer that is cut off", func() ([]byte, uint64) { return far(5, 0x38, 0, 0) }, false},
		{"pointer to itself", at([]byte{0x20, 0}, 0), false},
		{"pointer to a pointer", at([]byte{0x41, 'k', 0x20, 0, 0x20, 2}, 4), false},
		{"key by pointer", at([]byte{0x41, 'k', 0xe1, 0x20, 0, 0x41, 'v'}, 2), true},
		{"key that points to itself", at([]byte{0xe1, 0x20, 1, 0x41, 'v'}, 0), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, offset := c.data()
			if got := sound(data, offset); got != c.want {
				t.Errorf("sound is %v, want %v", got, c.want)
			}
		})
	}
}
