package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writtenAt is when the segments of these tests say that they were made.
var writtenAt = time.Unix(1_790_000_000, 0)

// written returns the file of one segment with these frames, and the end of each frame.
func written(tb testing.TB, frames []string) (file []byte, ends []int64) {
	tb.Helper()
	cfg := small(tb.TempDir())
	cfg.SegmentBytes, cfg.Now = 1<<20, func() time.Time { return writtenAt }
	j := mustOpen(tb, cfg)
	for _, f := range frames {
		mustAppend(tb, j, f)
		ends = append(ends, j.Head().Offset)
	}
	mustClose(tb, j)
	file, err := os.ReadFile(segmentPath(cfg.Dir, 1))
	if err != nil {
		tb.Fatal(err)
	}
	return file, ends
}

// reopen opens a journal whose only segment is file, and returns its frames, and how many bytes were skipped. It checks that each of them is shown.
func reopen(tb testing.TB, dir string, file []byte) (frames []string, stats Stats) {
	tb.Helper()
	if err := os.WriteFile(segmentPath(dir, 1), file, 0o600); err != nil {
		tb.Fatal(err)
	}
	cfg := small(dir)
	cfg.SegmentBytes, cfg.Interval = 1<<20, time.Hour
	j, err := Open(cfg, nil)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := j.Reader(Position{})
	if err != nil {
		tb.Fatal(err)
	}
	shown := uint64(0)
	r.OnSkip(func(s Skipped) {
		want := file[min(s.From.Offset, int64(len(file))):min(s.To.Offset, int64(len(file)))]
		if s.From.Segment != 1 || s.To.Segment != 1 || !bytes.Equal(want, s.Bytes[:len(want)]) || !isZero(s.Bytes[len(want):]) || len(s.Bytes) > MaxFrame {
			tb.Errorf("%d bytes are shown as what is from %v to %v", len(s.Bytes), s.From, s.To)
		}
		shown += uint64(len(s.Bytes))
	})
	frames = readOn(tb, r)
	r.Close()
	if stats = j.Stats(); shown != stats.Skipped {
		tb.Errorf("%d bytes are shown, %d counted", shown, stats.Skipped)
	}
	mustClose(tb, j)
	return frames, stats
}

func TestDamage_everyByteFlipped(t *testing.T) {
	frames := []string{"a", "frame with some bytes", strings.Repeat("b", 40), "\x00\x00zeros\x00\x00\x00\x00", "last"}
	file, ends := written(t, frames)
	dir := t.TempDir()
	for at := range file {
		if at < headerBytes && at%headerCopy >= recordBytes && at%64 != 0 {
			continue // Nobody reads these zeros: a few of them will do.
		}
		damaged := bytes.Clone(file)
		damaged[at] ^= 1 << (at % 8)
		got, stats := reopen(t, dir, damaged)

		touched := -1
		if at >= headerBytes {
			touched = slices.IndexFunc(ends, func(end int64) bool { return int64(at) < end })
		}
		want := frames
		if touched >= 0 && !cmp.Equal(frames, got) { // A flipped byte of padding costs nothing.
			want = slices.Delete(slices.Clone(frames), touched, touched+1)
			if size := uint64(frameBytes(len(frames[touched]))); stats.Skipped != size {
				t.Errorf("byte %d: %d bytes skipped, want %d", at, stats.Skipped, size)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("byte %d of %d flipped (-want +got):\n%s", at, len(file), diff)
		}
	}
}

func TestDamage_truncatedEverywhere(t *testing.T) {
	frames := []string{"a", "frame with some bytes", strings.Repeat("b", 40), "\x00\x00zeros\x00\x00\x00\x00", "last"}
	file, ends := written(t, frames)
	for n := range len(file) + 1 {
		if n < headerBytes && n%64 != 0 {
			continue
		}
		got, _ := reopen(t, t.TempDir(), file[:n])
		whole := 0
		for whole < len(ends) && ends[whole] <= int64(n) {
			whole++
		}
		if !slices.Equal(frames[:whole], got) {
			t.Errorf("%d of %d bytes: %d frames, want %d", n, len(file), len(got), whole)
		}
	}
}

func TestDamage_holes(t *testing.T) {
	frames := numbered(0, 40)
	file, ends := written(t, frames)
	rng := rand.New(rand.NewPCG(5, 5))
	f := func(what string, fill func(hole []byte)) {
		t.Helper()
		for range 20 {
			first := rng.IntN(38)
			last := first + 1 + rng.IntN(38-first)
			damaged := bytes.Clone(file)
			start := int64(headerBytes)
			if first > 0 {
				start = ends[first-1]
			}
			fill(damaged[start:ends[last-1]])
			got, stats := reopen(t, t.TempDir(), damaged)
			if want := slices.Concat(frames[:first], frames[last:]); !slices.Equal(want, got) {
				t.Errorf("%s over frames %d to %d: %d frames left, want %d", what, first, last, len(got), len(want))
			}
			if want := uint64(ends[last-1] - start); stats.Skipped != want {
				t.Errorf("%s over frames %d to %d: %d bytes skipped, want %d", what, first, last, stats.Skipped, want)
			}
		}
	}
	f("zeros", func(hole []byte) { clear(hole) })
	f("noise", func(hole []byte) {
		for i := range hole {
			hole[i] = byte(rng.Uint32())
		}
	})
	f("lengths that point far", func(hole []byte) {
		for i := range hole {
			hole[i] = []byte{0xf0, 0xff, 0x03, 0x00}[i%4]
		}
	})
}

// Damage that is longer than a frame can be is shown in pieces, and none of it is left out.
func TestDamage_longerThanAFrame(t *testing.T) {
	frames := []string{"first", strings.Repeat("a", 200<<10), strings.Repeat("b", 200<<10), strings.Repeat("c", 200<<10), "last"}
	file, ends := written(t, frames)
	for at := ends[0]; at < ends[3]; at += 16 {
		file[at] ^= 1
	}
	got, stats := reopen(t, t.TempDir(), file)
	if diff := cmp.Diff([]string{"first", "last"}, got); diff != "" || stats.Skipped != uint64(ends[3]-ends[0]) {
		t.Errorf("%d bytes skipped, want %d; %s", stats.Skipped, ends[3]-ends[0], diff)
	}
}

func TestDamage_tornTailIsCutAndCounted(t *testing.T) {
	frames := numbered(0, 5)
	file, ends := written(t, frames)
	// Killed while the last frame was written, in a segment with room behind it.
	torn := append(bytes.Clone(file[:ends[3]+20]), make([]byte, 5000)...)
	dir := t.TempDir()
	got, stats := reopen(t, dir, torn)
	if diff := cmp.Diff(frames[:4], got); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	if stats.Skipped != 32 || info.Size() != ends[3]+32 {
		t.Errorf("%d bytes skipped of a file of %d, want 32 of %d", stats.Skipped, info.Size(), ends[3]+32)
	}
}

func TestDamage_contentOfOtherSegmentsIsNoFrame(t *testing.T) {
	old, _ := written(t, numbered(0, 20))
	frames := numbered(100, 3)
	file, ends := written(t, frames)
	// The disk gives a page of another segment back, at the same offset.
	stale := append(bytes.Clone(file[:ends[2]]), old[ends[2]:]...)
	got, _ := reopen(t, t.TempDir(), stale)
	if diff := cmp.Diff(frames, got); diff != "" {
		t.Errorf("stale content: %s", diff)
	}
	// A frame of this very segment, at another offset.
	moved := append(bytes.Clone(file), file[headerBytes:ends[0]]...)
	if got, _ = reopen(t, t.TempDir(), moved); !slices.Equal(frames, got) {
		t.Errorf("a moved frame is read: %d frames", len(got))
	}
	// A payload that is a whole frame, in a frame that is damaged.
	planted := appendFrame(make([]byte, align-frameHeader), seedOf(1), headerBytes+align, []byte("planted"))
	outer, _ := written(t, []string{string(planted), "after"})
	outer[headerBytes] ^= 1
	if got, _ = reopen(t, t.TempDir(), outer); !slices.Equal([]string{"after"}, got) {
		t.Errorf("a planted frame is read: %q", got)
	}
}

func TestDamage_segmentWithoutHeader(t *testing.T) {
	frames := numbered(0, 3)
	file, _ := written(t, frames)
	clear(file[:headerBytes])
	dir := t.TempDir()
	got, stats := reopen(t, dir, file)
	if len(got) != 0 || stats.BadSegments != 1 || stats.Skipped != uint64(len(file)-headerBytes) {
		t.Errorf("%d frames, %d bad segments, %d bytes skipped", len(got), stats.BadSegments, stats.Skipped)
	}
	// The journal goes on behind it.
	j := mustOpen(t, small(dir))
	mustAppend(t, j, "next")
	if got := readAll(t, j, Position{}); !slices.Equal([]string{"next"}, got) {
		t.Errorf("read %q", got)
	}
}

func TestOpen_keepsSegmentsOfAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	head := encodeHeader(header{1, 2, 4096, 3})
	for _, at := range []int{0, headerCopy} {
		rec := head[at:][:recordBytes]
		rec[8] = 3
		copy(rec[recordBytes-4:], checksumOf(rec[:recordBytes-4]))
	}
	if err := os.WriteFile(segmentPath(dir, 1), head, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(small(dir), nil); err == nil || !strings.Contains(err.Error(), "format 3, this one knows 1 to 2") {
		t.Errorf("Open: %v", err)
	}
	if _, err := os.Stat(segmentPath(dir, 1)); err != nil {
		t.Error(err)
	}
}

// FuzzScan reads arbitrary bytes as the frames of a segment: it must end, not panic, and find only frames that were appended as such.
func FuzzScan(f *testing.F) {
	var good []byte
	for _, p := range []string{"a", "bb", strings.Repeat("c", 50)} {
		good = appendFrame(good, seedOf(7), headerBytes+int64(len(good)), []byte(p))
	}
	f.Add(good)
	f.Add(good[3:])
	f.Add(bytes.Repeat([]byte{0xf0, 0xff, 3, 0}, 200))
	f.Fuzz(func(t *testing.T, b []byte) {
		sc := newScanner(bytes.NewReader(append(make([]byte, headerBytes), b...)), &segment{id: 1, nonce: 7, seed: seedOf(7)})
		skipped := int64(0)
		sc.skipped = func(from, to int64) { skipped += to - from }
		limit := int64(headerBytes + len(b))
		last := int64(headerBytes)
		var read int64
		for {
			fr, ok, err := sc.next(limit)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if fr.Start.Offset < last || fr.End.Offset > limit {
				t.Fatalf("frame from %v to %v, behind %d, in %d bytes", fr.Start, fr.End, last, limit)
			}
			again := appendFrame(nil, seedOf(7), fr.Start.Offset, fr.Payload)
			if n := frameHeader + len(fr.Payload); !bytes.Equal(again[:n], b[fr.Start.Offset-headerBytes:][:n]) {
				t.Fatal("a frame was read that nobody writes like this")
			}
			last = fr.End.Offset
			read += int64(len(again))
		}
		sc.end()
		if read+skipped > int64(len(b)) {
			t.Fatalf("%d bytes read and %d skipped of %d", read, skipped, len(b))
		}
	})
}

// FuzzOpen opens a directory with arbitrary bytes as a segment: it must be opened or refused, and be read to its end without a panic, and what is appended
// behind it must be found.
func FuzzOpen(f *testing.F) {
	head := encodeHeader(header{1, 7, 8192, 3})
	good := appendFrame(bytes.Clone(head), seedOf(7), headerBytes, []byte("good"))
	f.Add(good)
	f.Add(good[:headerBytes])
	f.Add(append(bytes.Clone(good), make([]byte, 3000)...))
	f.Add(head[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(segmentPath(dir, 1), file, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := Open(small(dir), nil)
		if errors.Is(err, ErrVersion) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		mustAppend(t, j, "behind")
		if got := readAll(t, j, Position{}); got[len(got)-1] != "behind" {
			t.Errorf("read %q", got)
		}
		if _, err := j.Erase(1, func([]byte) bool { return true }); err != nil {
			t.Error(err)
		}
	})
}
