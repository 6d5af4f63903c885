package pgkeys

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestDerive(t *testing.T) {
	secret := []byte("abc")
	var key [16]byte
	derive(&key, secret)
	// The first of the examples in FIPS 180-4 is "abc".
	if got, want := hex.EncodeToString(key[:]), "ba7816bf8f01cfea414140de5dae2223"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !bytes.Equal(secret, make([]byte, len(secret))) {
		t.Error("the secret was not wiped")
	}
}
