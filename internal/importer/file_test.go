package importer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/importer"
)

// taker is a server that takes everything and remembers it.
type taker struct {
	start importer.Start
	text  bytes.Buffer
	sizes []int // lines of each chunk
	next  uint64
}

func (s *taker) BeginImport(_ context.Context, start importer.Start) (importer.Progress, error) {
	s.start, s.next = start, max(s.next, 1)
	return s.progress(importer.Open), nil
}

func (s *taker) ImportLines(_ context.Context, _ uint16, from uint64, text []byte) (importer.Progress, error) {
	if from != s.next || len(text) > importer.MaxChunk {
		return importer.Progress{}, fmt.Errorf("%d bytes from line %d, and line %d is the next one", len(text), from, s.next)
	}
	n := bytes.Count(text, []byte("\n"))
	s.sizes = append(s.sizes, n)
	s.next += uint64(n)
	s.text.Write(text)
	return s.progress(importer.Open), nil
}

func (s *taker) EndImport(context.Context, uint16) (importer.Progress, error) {
	return s.progress(importer.Ended), nil
}

func (s *taker) progress(state importer.State) importer.Progress {
	return importer.Progress{ID: 7, State: state, Lines: s.start.Lines, NextLine: s.next}
}

func config() importer.Config { return importer.Config{Now: time.Now} }

func write(tb testing.TB, content []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func zip(parts ...string) []byte {
	var b bytes.Buffer
	for _, part := range parts {
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(part))
		_ = z.Close()
	}
	return b.Bytes()
}

// long is a good line of so many bytes, without its end.
func long(size int) string {
	l := strings.TrimSuffix(line(1, 1), "}\n") + `,"x":"`
	return l + strings.Repeat("x", size-len(l)-2) + `"}`
}

// What a file is made of and what is sent of it; the digest is that of the decompressed content.
func TestFile(t *testing.T) {
	a, b, c := line(1, 1), line(2, 1), line(3, 1)
	f := func(name string, file []byte, content, sent string) {
		t.Helper()
		loaded, err := importer.Read(t.Context(), write(t, file), config())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		var s taker
		result, err := loaded.Send(t.Context(), &s)
		if err != nil || result.State != importer.Ended || result.Known || result.LeftOut != 0 {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
		if diff := cmp.Diff(sent, s.text.String()); diff != "" {
			t.Errorf("%s: %.300s", name, diff)
		}
		sum := sha256.Sum256([]byte(content))
		if want := hex.EncodeToString(sum[:]); s.start.Digest != want && sent != "" {
			t.Errorf("%s: the digest is %s, want %s", name, s.start.Digest, want)
		}
		if n := uint64(strings.Count(sent, "\n")); result.Lines != n {
			t.Errorf("%s: %d lines, want %d", name, result.Lines, n)
		}
	}
	plain := func(name, content, sent string) {
		t.Helper()
		f(name, []byte(content), content, sent)
		f(name+", compressed", zip(content), content, sent)
	}
	plain("three lines", a+b+c, a+b+c)
	plain("no end of the last line", a+strings.TrimSpace(b), a+b)
	plain("nothing", "", "")
	plain("one empty line", "\n", "\n")
	plain("empty lines", "\n"+a+"\n \t\n"+b+"\r\n", "\n"+a+"\n \t\n"+b+"\n")
	plain("CRLF", strings.ReplaceAll(a+b, "\n", "\r\n"), a+b)
	plain("a mark of UTF-8", "\xef\xbb\xbf"+a+b, a+b)
	plain("blanks around", "  "+strings.TrimSpace(a)+" \n"+b, "  "+strings.TrimSpace(a)+" \n"+b)
	plain("the longest line", long(importer.MaxLine)+"\r\n"+b, long(importer.MaxLine)+"\n"+b)
	plain("the longest line is the last one", a+long(importer.MaxLine), a+long(importer.MaxLine)+"\n")
	plain("one byte that is no line", " ", " \n")
	f("two compressed parts", zip(a, b+c), a+b+c, a+b+c)
	f("nothing, compressed in two parts", zip("", ""), "", "")
}

func TestRead_refused(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(path, want string) {
		t.Helper()
		_, err := importer.Read(t.Context(), path, config())
		kind(t, err, fault.Invalid, "file")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "192.0.2") || strings.Contains(err.Error(), "Mozilla") {
			t.Errorf("%s: no %q in %v", path, want, err)
		}
	}
	f("-", "standard input")
	f(pipe, "pipe")
	f("/dev/null", "device")
	f(dir, "directory")
	f(filepath.Join(dir, "nothing"), "no such file")
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		f(write(t, []byte(mark+"{\x00}\x00")), "UTF-16")
		f(write(t, zip(mark+"{\x00}\x00")), "UTF-16")
	}
	good := zip(line(1, 1), strings.Repeat(line(2, 1), 1000))
	f(write(t, good[:len(good)/2]), "not whole")
	f(write(t, good[:2]), "not whole")
	f(write(t, append(good[:len(good):len(good)], "rest"...)), "damaged")
	for _, at := range []int{3, len(good) / 2, len(good) - 6} { // the header, the content, the checksum
		bad := bytes.Clone(good)
		bad[at] ^= 0xff
		f(write(t, bad), "damaged")
	}
}

// Every wrong line is named by its number, its fields and their rules, and no more than 20 of them.
func TestRead_wrongLines(t *testing.T) {
	f := func(content, want string) {
		t.Helper()
		_, err := importer.Read(t.Context(), write(t, []byte(content)), config())
		if want == "" {
			if err != nil {
				t.Error(err)
			}
			return
		}
		kind(t, err, fault.Invalid, "file")
		if _, got, _ := strings.Cut(err.Error(), ":\n"); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	good := line(1, 1)
	const at, ip = "time: must be a time such as 2026-11-22T10:20:30Z, from 1970-01-03 to 2106-02-05", "ip: must be an IPv4 or IPv6 address"
	f(good, "")
	f(good+strings.Replace(good, "2026-11-20T", "yesterday", 1), "  line 2: "+at)
	f("\n\r\n"+strings.Replace(good, "192.0.2.1", "192.0.2.256", 1)+good, "  line 3: "+ip)
	f(`{"ua":"secret","n":"pageview","u":"https://example.com/"}`, "  line 1: "+at+"; "+ip)
	f(strings.Replace(good, `"n":"pageview"`, `"n":7.5`, 1), "  line 1: name: must be a string")
	f(good+"secret\n"+good+"[]", "  line 2: it is not valid JSON\n  line 4: it is not valid JSON")
	f(long(importer.MaxLine+1)+"\n"+long(importer.MaxLine+40)+"\r\n"+good+strings.Repeat("x", 3*importer.MaxLine),
		"  line 1: must be at most 262144 bytes\n  line 2: must be at most 262144 bytes\n  line 4: must be at most 262144 bytes")
	var want []string
	for n := range 20 {
		want = append(want, fmt.Sprintf("  line %d: it is not valid JSON", n+1))
	}
	f(strings.Repeat("x\n", 21), strings.Join(want, "\n")+"\n  and 1 line more")
	f(strings.Repeat("x\n", 10_000), strings.Join(want, "\n")+"\n  and 9980 lines more")

	broken := errors.New("broken")
	cfg := config()
	cfg.Check = func([]byte) error { return broken }
	if _, err := importer.Read(t.Context(), write(t, []byte(good)), cfg); !errors.Is(err, broken) {
		t.Errorf("not the line's fault: %v", err)
	}
}

// Lines that are left out keep their numbers.
func TestRead_skipInvalid(t *testing.T) {
	a, b := line(1, 1), line(2, 1)
	cfg := config()
	cfg.SkipInvalid = true
	loaded, err := importer.Read(t.Context(), write(t, []byte(a+"secret\n"+strings.Repeat("x", importer.MaxLine+1)+"\n"+b+"{}")), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var s taker
	result, err := loaded.Send(t.Context(), &s)
	if err != nil || result.LeftOut != 3 || result.Lines != 5 {
		t.Errorf("%+v, %v", result, err)
	}
	if diff := cmp.Diff(a+"\n\n"+b+"\n", s.text.String()); diff != "" {
		t.Error(diff)
	}
}

// Chunks hold at most 20,000 lines and 4 MiB, and begin where the server is.
func TestSend_chunks(t *testing.T) {
	f := func(content string, next uint64, want []int) {
		t.Helper()
		loaded, err := importer.Read(t.Context(), write(t, []byte(content)), config())
		if err != nil {
			t.Fatal(err)
		}
		s := &taker{next: next}
		result, err := loaded.Send(t.Context(), s)
		if err != nil || result.From != next || result.NextLine != uint64(strings.Count(content, "\n"))+1 {
			t.Errorf("%+v, %v", result, err)
		}
		if diff := cmp.Diff(want, s.sizes); diff != "" {
			t.Error(diff)
		}
	}
	f(strings.Repeat("\n", 20_000), 1, []int{20_000})
	f(strings.Repeat("\n", 40_001), 1, []int{20_000, 20_000, 1})
	f(strings.Repeat("\n", 40_001), 30_000, []int{10_002})
	f(strings.Repeat("\n", 40_001), 40_001, []int{1})
	f(strings.Repeat("\n", 40_001), 40_002, nil)
	l := long(importer.MaxChunk/16-1) + "\n" // 16 of them fill a chunk to the byte
	f(strings.Repeat(l, 33), 1, []int{16, 16, 1})
}

// However long a line or a file is, no more than a line and a chunk of it is held.
func TestRead_memory(t *testing.T) {
	path := write(t, zip(strings.Repeat("x", 8<<20)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := importer.Read(t.Context(), path, config()); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 2<<20 {
		t.Errorf("%d bytes were allocated for one line", took)
	}
}

func TestRead_interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := importer.Read(ctx, write(t, text(1, 3000)), config())
	if err == nil || fault.KindOf(err) == fault.Invalid || !strings.Contains(err.Error(), "nothing was imported") {
		t.Error(err)
	}
}

// Progress goes from nothing to the file's size in each reading, as the file is on disk.
func TestConfig_at(t *testing.T) {
	for _, content := range [][]byte{text(1, 5000), zip(string(text(1, 5000)))} {
		path := write(t, content)
		var seen []int64
		cfg := config()
		cfg.At = func(read int64) { seen = append(seen, read) }
		loaded, err := importer.Read(t.Context(), path, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			size, err := importer.FileSize(path)
			if err != nil || len(seen) == 0 || seen[len(seen)-1] != size {
				t.Errorf("of %d bytes %v were read, %v", size, seen, err)
			}
			seen = nil
			if _, err := loaded.Send(t.Context(), &taker{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// BenchmarkFile is the command's part: reading, checking and sending, to a server that costs nothing. 5 million lines should need much less than 100 s.
func BenchmarkFile(b *testing.B) {
	const n = 100_000
	for name, content := range map[string][]byte{"plain": text(1, n), "gzip": zip(string(text(1, n)))} {
		b.Run(name, func(b *testing.B) {
			path := write(b, content)
			b.ResetTimer()
			for range b.N {
				loaded, err := importer.Read(b.Context(), path, config())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := loaded.Send(b.Context(), &taker{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
