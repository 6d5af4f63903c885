//go:build testclock

package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needles are the spellings under which secrets are looked for, by name.
type needles map[string][]byte

// add adds a secret in every spelling that keeps its bytes together: as it is, reversed, in lower and upper case, in hex, in base64 wherever
// it begins in a longer text, and percent-encoded.
func (n needles) add(name string, secret []byte) {
	put := func(how string, form []byte) {
		for known, other := range n {
			if bytes.Equal(form, other) && known != name {
				return
			}
		}
		n[name+how] = form
	}
	reversed := slices.Clone(secret)
	slices.Reverse(reversed)
	put("", secret)
	put(", reversed", reversed)
	put(", lower case", bytes.ToLower(secret))
	put(", upper case", bytes.ToUpper(secret))
	digits := hex.EncodeToString(secret)
	put(", hex", []byte(digits))
	put(", upper case hex", []byte(strings.ToUpper(digits)))
	put(", reversed hex", []byte(hex.EncodeToString(reversed)))
	for _, coding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			if text := base64Inside(coding, secret, shift); len(text) >= 6 {
				put(fmt.Sprintf(", base64 after %d", shift), []byte(text))
			}
		}
	}
	var percent strings.Builder
	for _, b := range secret {
		fmt.Fprintf(&percent, "%%%02X", b)
	}
	put(", percent-encoded", []byte(percent.String()))
	put(", lower case percent-encoded", []byte(strings.ToLower(percent.String())))
	put(", query-escaped", []byte(url.QueryEscape(string(secret))))
}

// long returns the needles of six bytes or more: shorter ones are found by chance in megabytes of compressed or random bytes.
func (n needles) long() needles {
	all := needles{}
	for name, form := range n {
		if len(form) >= 6 {
			all[name] = form
		}
	}
	return all
}

// base64Inside returns what a secret looks like in the base64 of a text in which it stands behind so many bytes: without the characters at both
// ends that its neighbours have a part in.
func base64Inside(coding *base64.Encoding, secret []byte, shift int) string {
	text := coding.EncodeToString(append(make([]byte, shift), secret...))
	from := (shift*8 + 5) / 6
	whole := (shift + len(secret)) * 8 / 6
	return text[from:whole]
}

// in reports every needle in a text.
func (n needles) in(t *testing.T, where string, text []byte) {
	t.Helper()
	for name, form := range n {
		if i := bytes.Index(text, form); i >= 0 {
			t.Errorf("%s holds the %s at %d: %.120q", where, name, i, text[max(0, i-40):])
		}
	}
}

// first returns the name of a needle that is in a text, "" for none.
func (n needles) first(text []byte) string {
	for name, form := range n {
		if bytes.Contains(text, form) {
			return name
		}
	}
	return ""
}

// inFiles looks through every file below directories and returns how many of them hold the control.
func (n needles) inFiles(t *testing.T, control string, dirs ...string) int {
	t.Helper()
	found := 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if os.IsNotExist(err) || err == nil && !entry.Type().IsRegular() {
				return nil // a merge may have taken it away
			}
			if err != nil {
				return err
			}
			text, err := os.ReadFile(path)
			if os.IsNotExist(err) {
				return nil
			}
			n.in(t, path, text)
			if bytes.Contains(text, []byte(control)) {
				found++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// inMemory returns the names of the needles in what a process can write to, and how many bytes that is.
func (n needles) inMemory(t *testing.T, pid int) (names []string, size int) {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	var places []string
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(mode, "rw") {
			continue
		}
		for at := from; at < to; at += memoryPiece {
			// Pieces overlap, so that a needle on their border is seen.
			piece := make([]byte, min(memoryPiece+256, to-at))
			got, err := memory.ReadAt(piece, int64(at))
			if err != nil && got == 0 {
				continue
			}
			size += got
			for name, form := range n {
				if bytes.Contains(piece[:got], form) {
					names = append(names, name)
					places = append(places, fmt.Sprintf("%s in %s", name, lines.Text()))
				}
			}
		}
	}
	if len(places) > 0 {
		t.Logf("%d places in memory: %v", len(places), places[:min(len(places), 8)])
	}
	slices.Sort(names)
	return slices.Compact(names), size
}

const memoryPiece = 16 << 20
