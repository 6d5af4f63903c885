package salt

import (
	"encoding/binary"
	"testing"

	"github.com/dchest/siphash"
)

func BenchmarkNumber(b *testing.B) {
	k, err := Open(Config{Storage: Memory}, newClock(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = k.Number(1, noon.Location(), noon, home, agent)
	}
}

func BenchmarkThrowaway_Number(b *testing.B) {
	k, err := OpenThrowaway(File{}, newClock(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = k.Number(1, noon.Location(), noon, home, agent)
	}
}

// browser is an agent of usual length.
const browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

// BenchmarkGuess is one try of somebody who has a key and a row, and looks for the address: what a live key allows.
func BenchmarkGuess(b *testing.B) {
	message := append(make([]byte, 4+1+4+2), browser...)
	var address uint32
	for b.Loop() {
		address++
		binary.BigEndian.PutUint32(message[5:], address)
		_ = siphash.Hash(1, 2, message)
	}
}
