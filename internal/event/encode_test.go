package event_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
)

var update = flag.Bool("update", false, "write the golden files anew; only for a new type of frame")

// decode returns the event of a live frame.
func decode(b []byte, e *event.Event) error {
	var f event.Frame
	err := f.Decode(b, e)
	if err == nil && f != (event.Frame{Type: event.LiveFrame}) {
		err = fmt.Errorf("frame %+v is not live", f)
	}
	return err
}

// full has another value in every field.
func full() event.Event {
	return event.Event{
		SiteID: 7, Day: 20_779, Time: 1_795_305_600, Visitor: 0x0123456789abcdef,
		Kind: event.Custom, Interactive: true, Name: "Sign up", Hostname: "example.com", Path: "/pricing",
		Source: "Google", Channel: "Organic Search", Referrer: "google.com/", ClickID: "gclid",
		UTMSource: "us", UTMMedium: "um", UTMCampaign: "uc", UTMContent: "un", UTMTerm: "ut",
		Country: "DE", Region: "DE-BE", City: 2_950_159,
		Browser: "Firefox", BrowserVersion: "145.0", OS: "Linux", OSVersion: "6", Device: "Desktop", Screen: "Large", Language: "de",
		PropKeys: []string{"plan", "größe"}, PropValues: []string{"pro", ""},
		Scroll: 80, EngagedMS: 12_345, Amount: -1_999_000, Currency: "EUR", RetentionDays: 730,
	}
}

func TestGolden(t *testing.T) {
	f := func(name string, e event.Event) {
		t.Helper()
		path := filepath.Join("testdata", "v1-"+name+".hex")
		b := event.AppendEvent(nil, &e)
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
			t.Errorf("%s: the bytes of version 1 changed:\n%s", name, diff)
		}
	}
	f("full", full())
	f("pageview", event.Event{SiteID: 1, Day: 1, Time: 86_400, Visitor: 1, Name: "pageview", Hostname: "a.test", Path: "/", Scroll: event.NoScroll})
	f("zero", event.Event{})
}

func TestDecode_returnsWhatWasEncoded(t *testing.T) {
	f := func(e event.Event) {
		t.Helper()
		b := event.AppendEvent([]byte("before"), &e)[len("before"):]
		got := event.Event{Name: "left over", PropKeys: []string{"left over"}}
		if err := decode(b, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("decoded event differs (-want +got):\n%s", diff)
		}
		clear(b)
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("the event shares memory with the bytes:\n%s", diff)
		}
	}
	f(full())
	f(event.Event{})
	f(event.Event{Time: math.MinInt64, Amount: math.MaxInt64, Day: math.MaxUint16, SiteID: math.MaxUint32, City: math.MaxUint32, Visitor: math.MaxUint64})
	f(event.Event{Path: "/" + strings.Repeat("ü", 5000), PropKeys: []string{""}, PropValues: []string{""}})
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		f(random(rng))
	}
}

// random returns an event whose strings have random lengths, so that a mixed-up order would show.
func random(rng *rand.Rand) event.Event {
	e := full()
	text := func() string { return strings.Repeat("x", rng.IntN(3)*rng.IntN(80)) + string(rune('a'+rng.IntN(26))) }
	for _, s := range []*string{
		&e.Name, &e.Hostname, &e.Path, &e.Source, &e.Channel, &e.Referrer, &e.ClickID, &e.UTMSource, &e.UTMMedium, &e.UTMCampaign,
		&e.UTMContent, &e.UTMTerm, &e.Country, &e.Region, &e.Browser, &e.BrowserVersion, &e.OS, &e.OSVersion, &e.Device, &e.Screen, &e.Language, &e.Currency,
	} {
		*s = text()
	}
	e.PropKeys, e.PropValues = nil, nil
	for range rng.IntN(4) {
		e.PropKeys, e.PropValues = append(e.PropKeys, text()), append(e.PropValues, text())
	}
	e.Kind, e.Visitor, e.Time, e.Amount = event.Kind(rng.IntN(3)), rng.Uint64(), int64(rng.Uint64()), int64(rng.Uint64())
	return e
}

func TestDecode_refuses(t *testing.T) {
	e := full()
	good := event.AppendEvent(nil, &e)
	f := func(b []byte, want string) {
		t.Helper()
		var got event.Event
		err := decode(b, &got)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Decode: error %v, want one with %q", err, want)
		}
	}
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(good)
		return append(b[:at], append(to, b[at+1:]...)...)
	}

	f(nil, "too early")
	for n := 1; n < len(good); n++ {
		var got event.Event
		if err := decode(good[:n], &got); err == nil {
			t.Errorf("%d of %d bytes are an event", n, len(good))
		}
	}
	f(append(bytes.Clone(good), 0), "behind the end")
	f(change(0, 4), "type is unknown")
	f(change(1, 3), "unknown kind")
	f(change(1, 8), "unknown kind or flag")
	f(change(2, 0x87, 0), "shortest form")                                                   // SiteID 7 in two bytes
	f(change(2, 0xff, 0xff, 0xff, 0xff, 0x7f), "too large")                                  // SiteID over 32 bits
	f(change(2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), "too large") // SiteID over 64 bits

	var zero event.Event
	b := event.AppendEvent(nil, &zero)
	lengths := len(b) - 22                                                                 // The last 22 bytes are the lengths of empty strings.
	f(append(bytes.Clone(b[:lengths-1]), 0xff, 0xff, 0xff, 0xff, 0x07), "more properties") // 2^31-1 properties
	f(append(append(bytes.Clone(b[:lengths]), 0xff, 0xff, 0xff, 0xff, 0x07), b[lengths+1:]...), "points behind")
	f(append(append(bytes.Clone(b[:lengths]), 1), b[lengths+1:]...), "points behind")
}

func TestAppendEvent_cutsTheLongerPropertyList(t *testing.T) {
	e := event.Event{PropKeys: []string{"a", "b"}, PropValues: []string{"1"}}
	var got event.Event
	if err := decode(event.AppendEvent(nil, &e), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a"}, got.PropKeys); diff != "" {
		t.Error(diff)
	}
}

func TestAllocations(t *testing.T) {
	e := full()
	room := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { room = event.AppendEvent(room[:0], &e) }); n != 0 {
		t.Errorf("AppendEvent allocates %v times, want 0", n)
	}
	var got event.Event
	var frame event.Frame
	if n := testing.AllocsPerRun(100, func() { _ = frame.Decode(room, &got) }); n > 2 {
		t.Errorf("Decode of an event with properties allocates %v times, want at most 2", n)
	}
	var arena event.Room
	n := testing.AllocsPerRun(1000, func() { _ = frame.DecodeText(arena.Text(room), &got, &arena) })
	if n >= 0.5 { // A piece of text is enough for a thousand events.
		t.Errorf("DecodeText of an event with properties allocates %v times, want less than once in two", n)
	}
	e.PropKeys, e.PropValues = nil, nil
	room = event.AppendEvent(room[:0], &e)
	if n := testing.AllocsPerRun(100, func() { _ = frame.Decode(room, &got) }); n > 1 {
		t.Errorf("Decode of an event without properties allocates %v times, want at most 1", n)
	}
}
