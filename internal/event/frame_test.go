package event_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
)

// encode returns the frame f, with e where it holds an event.
func encode(f event.Frame, e *event.Event) []byte {
	switch f.Type {
	case event.LiveFrame:
		return event.AppendEvent(nil, e)
	case event.ImportedFrame:
		return event.AppendImported(nil, f.Origin, f.Seq, e)
	default:
		return event.AppendEnd(nil, f.Origin)
	}
}

func TestFrame_golden(t *testing.T) {
	f := func(name string, frame event.Frame, e event.Event) {
		t.Helper()
		path := filepath.Join("testdata", name+".hex")
		b := encode(frame, &e)
		if *update {
			if err := os.WriteFile(path, []byte(hex.Dump(b)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), hex.Dump(b)); diff != "" {
			t.Errorf("%s: the bytes changed:\n%s", name, diff)
		}
	}
	f("imported-full", event.Frame{Type: event.ImportedFrame, Origin: 300, Seq: 1_000_000<<4 | 9}, full())
	f("imported-zero", event.Frame{Type: event.ImportedFrame, Origin: 1}, event.Event{})
	f("end", event.Frame{Type: event.EndFrame, Origin: 300}, event.Event{})
}

// An imported event is a live one behind its origin and its place.
func TestFrame_importedHoldsTheLiveBytes(t *testing.T) {
	e := full()
	live, imported := event.AppendEvent(nil, &e), event.AppendImported(nil, 1, 2, &e)
	if want := append([]byte{2, 1, 2}, live[1:]...); !bytes.Equal(imported, want) {
		t.Errorf("got\n%x, want\n%x", imported, want)
	}
}

func TestFrame_returnsWhatWasEncoded(t *testing.T) {
	f := func(want event.Frame, e event.Event) {
		t.Helper()
		b := encode(want, &e)
		frame := event.Frame{Type: event.EndFrame, Origin: 77, Seq: 78}
		got := event.Event{Name: "left over", PropKeys: []string{"left over"}}
		if want.Type == event.EndFrame {
			e = got
		}
		if err := frame.Decode(b, &got); err != nil {
			t.Fatal(err)
		}
		clear(b) // Nothing of it may be shared.
		if diff := cmp.Diff(want, frame) + cmp.Diff(e, got); diff != "" {
			t.Errorf("decoded frame differs (-want +got):\n%s", diff)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for _, origin := range []uint16{1, 127, 128, math.MaxUint16} {
		f(event.Frame{Type: event.EndFrame, Origin: origin}, event.Event{})
		for _, seq := range []uint64{0, 1, 127, 128, math.MaxUint64, rng.Uint64()} {
			f(event.Frame{Type: event.ImportedFrame, Origin: origin, Seq: seq}, random(rng))
		}
	}
	f(event.Frame{Type: event.LiveFrame}, random(rng))
}

func TestFrame_refuses(t *testing.T) {
	e := full()
	imported := event.AppendImported(nil, 1, 1, &e)
	f := func(b []byte, want string) {
		t.Helper()
		var frame event.Frame
		var got event.Event
		err := frame.Decode(b, &got)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%x: error %v, want one with %q", b, err, want)
		}
	}
	// with returns a frame of this type whose numbers are these bytes.
	with := func(kind event.FrameType, numbers ...byte) []byte {
		b := append([]byte{byte(kind)}, numbers...)
		if kind == event.ImportedFrame {
			b = append(b, imported[3:]...)
		}
		return b
	}
	for _, kind := range []event.FrameType{event.ImportedFrame, event.EndFrame} {
		f([]byte{byte(kind)}, "too early")
		f([]byte{byte(kind), 0x80}, "too early")
		f(with(kind, 0, 1), "number is 0")
		f(with(kind, 0x80, 0x80, 0x04, 1), "too large") // 65536
		f(with(kind, 0x81, 0x00, 1), "shortest form")
	}
	f(with(event.EndFrame, 1, 0), "behind the end")
	f(with(event.ImportedFrame, 1, 0x81, 0x00), "shortest form")
	f(with(event.ImportedFrame, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2), "too large") // over 64 bits
	f(append(bytes.Clone(imported), 0), "behind the end")
	for n := range len(imported) {
		f(imported[:n], "cannot decode frame")
	}
	f([]byte{1}, "too early")
}

func TestFrame_allocations(t *testing.T) {
	e := full()
	room := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { room = event.AppendImported(room[:0], math.MaxUint16, math.MaxUint64, &e) }); n != 0 {
		t.Errorf("AppendImported allocates %v times, want 0", n)
	}
	var got event.Event
	var frame event.Frame
	if n := testing.AllocsPerRun(100, func() { _ = frame.Decode(room, &got) }); n > 2 {
		t.Errorf("Decode of an imported event with properties allocates %v times, want at most 2", n)
	}
}

func FuzzDecode(f *testing.F) {
	e := full()
	for _, e := range []*event.Event{&e, {}} {
		f.Add(event.AppendEvent(nil, e))
		f.Add(event.AppendImported(nil, 1, 1, e))
		f.Add(event.AppendImported(nil, math.MaxUint16, math.MaxUint64, e))
	}
	f.Add(event.AppendEnd(nil, 300))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var frame event.Frame
		var e event.Event
		if err := frame.Decode(b, &e); err != nil || frame.Type == event.VoidFrame {
			return
		}
		if again := encode(frame, &e); !bytes.Equal(b, again) {
			t.Errorf("a frame has two encodings:\n%x\n%x", b, again)
		}
	})
}

// A frame that was erased is no event, whatever follows its first byte.
func TestFrame_erased(t *testing.T) {
	for _, b := range [][]byte{{0}, make([]byte, 300), {0, 1, 2, 3}} {
		frame := event.Frame{Type: event.EndFrame, Origin: 77, Seq: 78}
		e := full()
		if err := frame.Decode(b, &e); err != nil || frame != (event.Frame{Type: event.VoidFrame}) {
			t.Errorf("%x: %+v, %v", b, frame, err)
		}
		if diff := cmp.Diff(full(), e); diff != "" {
			t.Errorf("the event was touched: %s", diff)
		}
	}
}

// What was decoded stays as it is, however much is decoded after it, and whatever becomes of the bytes.
func TestRoom_keepsWhatWasTaken(t *testing.T) {
	var room event.Room
	var frame event.Frame
	rng := rand.New(rand.NewPCG(5, 6))
	want, got := make([]event.Event, 3000), make([]event.Event, 3000)
	var b []byte
	for i := range want {
		want[i] = random(rng)
		b = event.AppendEvent(b[:0], &want[i])
		if err := frame.DecodeText(room.Text(b), &got[i], &room); err != nil {
			t.Fatal(err)
		}
		clear(b)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	large := bytes.Repeat([]byte("x"), 1<<20)
	if room.Text(large) != string(large) || room.Text([]byte("a")) != "a" {
		t.Error("a text that is longer than a piece came back differently")
	}
}

func BenchmarkDecode(b *testing.B) {
	e := full()
	e.PropKeys, e.PropValues = nil, nil
	bytes := event.AppendEvent(nil, &e)
	var frame event.Frame
	var room event.Room
	b.ReportAllocs()
	for b.Loop() {
		if frame.DecodeText(room.Text(bytes), &e, &room) != nil {
			b.Fatal("it does not decode")
		}
	}
}
