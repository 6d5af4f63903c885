package journal

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The bytes of version 2 on the disk, whatever machine wrote them.
func TestGolden_bytes(t *testing.T) {
	f := func(what, want string, got []byte) {
		t.Helper()
		if h := hex.EncodeToString(got); h != want {
			t.Errorf("%s:\n got %s\nwant %s", what, h, want)
		}
	}
	b := encodeHeader(header{id: 3, nonce: 0x0102030405060708, size: 4096, created: 1_800_000_000})
	const record = "64617973616c744a020000003000000003000000000000000807060504030201001000000000000000d2496b0000000092b702f2"
	f("first copy of the header", record, b[:recordBytes])
	f("second copy of the header", record, b[headerCopy:][:recordBytes])
	if !isZero(b[recordBytes:headerCopy]) || !isZero(b[headerCopy+recordBytes:]) || len(b) != 1024 {
		t.Error("the header has more than two records")
	}
	f("frame", "0e000000efe8e8d46120676f6c64656e206672616d6500000000000000000000", appendFrame(nil, seedOf(0x0102030405060708), 1024, []byte("a golden frame")))
}

// What Append writes to a mapping is what appendFrame says.
func TestGolden_append(t *testing.T) {
	j := mustOpen(t, small(t.TempDir()))
	want := make([]byte, headerBytes)
	nonce := uint64(0)
	for _, p := range []string{"a", "seven b", "eight by", "nine byte", strings.Repeat("x", 500)} {
		mustAppend(t, j, p)
		nonce, _ = j.Nonce(1)
		want = appendFrame(want, seedOf(nonce), int64(len(want)), []byte(p))
	}
	mustClose(t, j)
	got, err := os.ReadFile(segmentPath(j.cfg.Dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	created, _ := j.Created(1)
	copy(want, encodeHeader(header{1, nonce, 4096, created}))
	if diff := cmp.Diff(hex.Dump(want), hex.Dump(got)); diff != "" {
		t.Error(diff)
	}
}

// TestGolden_files reads a segment of every version that was written once.
func TestGolden_files(t *testing.T) {
	frames := []string{"one", strings.Repeat("two ", 30), "\x00"}
	if *update {
		file, _ := written(t, frames)
		if err := os.WriteFile("testdata/v2.seg", file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mtime := time.Unix(1_700_000_000, 0)
	f := func(path string, created int64) {
		t.Helper()
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		got, stats := reopen(t, dir, file)
		if diff := cmp.Diff(frames, got); diff != "" || stats.Skipped != 0 {
			t.Errorf("%s: %d bytes skipped; frames differ:\n%s", path, stats.Skipped, diff)
		}
		if err := os.Chtimes(filepath.Join(dir, filepath.Base(segmentPath(dir, 1))), mtime, mtime); err != nil {
			t.Fatal(err)
		}
		j := mustOpen(t, small(dir))
		if got, ok := j.Created(1); got != created || !ok {
			t.Errorf("%s was made at %d, %t, want %d", path, got, ok, created)
		}
		if all := j.Segments(); len(all) != 1 || all[0].Created != created || !all[0].Sealed || all[0].Bytes != int64(len(file)) {
			t.Errorf("%s: %+v", path, all)
		}
	}
	f("testdata/v1.seg", mtime.Unix())
	f("testdata/v2.seg", writtenAt.Unix())
}
