package ship

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/visit"
)

var update = flag.Bool("update", false, "write the golden file anew; only for a new version of the checkpoint")

// undump returns the bytes that hex.Dump wrote to a file.
func undump(t *testing.T, path string) (b []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		columns, _, _ := strings.Cut(line[10:], "|")
		part, err := hex.DecodeString(strings.ReplaceAll(columns, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, part...)
	}
	return b
}

// A checkpoint of the version before imports is one without imports. The bytes were written by that version, after numbered(0, 4).
func TestCheckpoint_readsVersion1(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		b := undump(t, "testdata/checkpoint-v1.hex")
		l.append(numbered(0, 4)...)
		if got := binary.LittleEndian.Uint64(b[24:]); int64(got) != l.j.Head().Offset {
			t.Fatalf("the journal ends at %d, and the checkpoint's at %d", l.j.Head().Offset, got)
		}
		nonce, _ := l.j.Nonce(1)
		binary.LittleEndian.PutUint64(b[32:], nonce)
		if err := os.MkdirAll(l.cfg.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(checkpointPath(l.cfg.Dir), resum(b), 0o600); err != nil {
			t.Fatal(err)
		}
		l.append(numbered(4, 2)...)
		l.start()
		if st := l.s.Stats(); st.OpenVisits != 4 {
			t.Errorf("%d visits are open, want 4", st.OpenVisits)
		}
		l.end()
		if diff := cmp.Diff(joined(numbered(0, 6))[4:], l.sink.stored()); diff != "" {
			t.Error(diff)
		}
		if strings.Contains(l.logs.String(), "checkpoint") {
			t.Errorf("log: %s", l.logs)
		}
		c, err := readCheckpoint(checkpointPath(l.cfg.Dir))
		if err != nil || c.version != 3 {
			t.Errorf("%+v is written, want version 3; %v", c, err)
		}
	})
}

func TestCheckpoint_golden(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.append(numbered(0, 2)...)
		old := numbered(9, 2)
		l.frames(
			event.AppendImported(nil, 300, 1<<4, &old[0]), event.AppendImported(nil, 7, 70_000<<4|9, &old[1]),
			event.AppendImported(nil, 8, 0, &event.Event{}), event.AppendImported(nil, 300, 0, &old[0]),
		)
		l.start()
		l.end()
		b, err := os.ReadFile(checkpointPath(l.cfg.Dir))
		if err != nil {
			t.Fatal(err)
		}
		clear(b[32:40]) // The nonce.
		resum(b)
		path := filepath.Join("testdata", "checkpoint-v3.hex")
		if *update {
			if err := os.WriteFile(path, []byte(hex.Dump(b)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(hex.Dump(undump(t, path)), hex.Dump(b)); diff != "" {
			t.Errorf("the bytes of version 3 changed:\n%s", diff)
		}
	})
}

func TestCheckpoint_refusesAnotherVersion(t *testing.T) {
	for _, version := range []byte{0, 4} {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			l.append(numbered(0, 3)...)
			l.start()
			l.end()
			b, err := os.ReadFile(checkpointPath(l.cfg.Dir))
			if err != nil {
				t.Fatal(err)
			}
			b[8] = version
			if err := os.WriteFile(checkpointPath(l.cfg.Dir), resum(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := New(l.cfg, l.j, visit.New(), l.sink, nil); !errors.Is(err, errCheckpointVersion) {
				t.Errorf("New: %v", err)
			}
		})
	}
}

// A checkpoint of version 2 is one of which nobody knows when it was written, and by which database. Its bytes were written by that version.
func TestCheckpoint_readsVersion2(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		b := undump(t, "testdata/checkpoint-v2.hex")
		l.append(numbered(0, 2)...)
		nonce, _ := l.j.Nonce(1)
		binary.LittleEndian.PutUint64(b[24:], uint64(l.j.Head().Offset))
		binary.LittleEndian.PutUint64(b[32:], nonce)
		if err := os.MkdirAll(l.cfg.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(checkpointPath(l.cfg.Dir), resum(b), 0o600); err != nil {
			t.Fatal(err)
		}
		l.append(numbered(2, 2)...)
		l.start()
		if st := l.s.Stats(); st.OpenVisits == 0 {
			t.Errorf("%+v", st)
		}
		l.end()
		if diff := cmp.Diff(joined(numbered(0, 4))[2:], l.sink.stored()); diff != "" {
			t.Error(diff)
		}
		if c, err := readCheckpoint(checkpointPath(l.cfg.Dir)); err != nil || c.version != 3 || c.written == 0 {
			t.Errorf("%+v is written, want version 3; %v", c, err)
		}
	})
}

// A state that verifies and makes no sense is no state: neither visits nor imports are taken from it.
func FuzzLoadState(f *testing.F) {
	tr := visit.New()
	m := newImports()
	for i, e := range numbered(0, 3) {
		row := event.Row{Event: e}
		tr.Join(&row.Event, &row)
		m.join(&event.Frame{Type: event.ImportedFrame, Origin: uint16(1 + i), Seq: 1}, &row)
	}
	good := m.appendState(appendVisits(nil, tr))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(good[:len(good):len(good)], 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &Shipper{visits: visit.New(), imports: newImports()}
		err := s.loadState(&checkpoint{version: 2, state: b})
		if err != nil && (s.openVisits() != 0 || len(s.imports.all) != 0) {
			t.Errorf("after an error there are %d visits and %d imports", s.openVisits(), len(s.imports.all))
		}
		if len(s.imports.all) > maxImports {
			t.Errorf("%d imports", len(s.imports.all))
		}
	})
}
