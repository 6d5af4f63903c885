package importer_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/importer"
)

// handler is the admin socket's, as it is in a server.
func handler(w *world, s *importer.Service) http.Handler {
	return admin.NewSocket(admin.Services{Imports: s}, 90, w.Now, slog.New(slog.DiscardHandler))
}

// serve listens at path until the returned function is called, which cuts off what is under way.
func serve(t *testing.T, path string, h http.Handler) (stop func()) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: h, ReadHeaderTimeout: time.Second}}
	server.Start()
	return func() {
		server.CloseClientConnections()
		server.Close()
	}
}

func dial(t *testing.T, path string) *admin.Client {
	t.Helper()
	c, err := admin.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func read(t *testing.T, content []byte, cfg importer.Config) *importer.File {
	t.Helper()
	loaded, err := importer.Read(t.Context(), write(t, content), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// inThree is how many lines threeChunks has; most of them are empty.
const inThree = 2*importer.MaxChunkLines + 10

func threeChunks() ([]byte, []string) {
	empty := bytes.Repeat([]byte("\n"), importer.MaxChunkLines-10)
	content := append(append(append(append(text(1, 10), empty...), text(11, 20)...), empty...), text(21, 30)...)
	return content, pagesOf(1, 30)
}

// A file over the real socket and without one; the same file again; compressed; with wrong lines; then removed.
func TestSend(t *testing.T) {
	f := func(w *world, c *admin.Client) {
		t.Helper()
		content, pages := threeChunks()
		result, err := read(t, content, config()).Send(t.Context(), c)
		if err != nil || result.Known || result.ID != 1 || result.From != 1 || result.Kept != 30 || result.Lines != inThree || result.NextLine != inThree+1 {
			t.Errorf("%+v, %v", result, err)
		}
		stored(t, w, 1, pages)
		for _, form := range [][]byte{content, zip(string(content)), zip(string(content[:99]), string(content[99:]))} {
			again, err := read(t, form, config()).Send(t.Context(), c)
			if err != nil || !again.Known || !cmp.Equal(again.Progress, result.Progress) {
				t.Errorf("again: %+v, %v", again, err)
			}
		}
		cfg := config()
		cfg.SkipInvalid = true
		result, err = read(t, []byte(line(1, 1)+"secret\n"+line(2, 1)), cfg).Send(t.Context(), c)
		if err != nil || result.ID != 2 || result.Lines != 3 || result.Kept != 2 || result.LeftOut != 1 {
			t.Errorf("%+v, %v", result, err)
		}
		list, err := c.Imports(t.Context())
		if err != nil || len(list) != 2 || !cmp.Equal(list[1], result.Progress) {
			t.Error(list, err)
		}
		if removed, err := c.RemoveImport(t.Context(), 2); err != nil || removed.ID != 2 || len(w.paths(2)) != 0 {
			t.Error(removed, err)
		}
		_, err = c.RemoveImport(t.Context(), 2)
		kind(t, err, fault.NotFound, "id")
		stored(t, w, 1, pages)
		if len(w.keys) != 0 || len(w.frames) != 0 {
			t.Error("keys or frames are left")
		}
	}
	w := newWorld(t)
	f(w, admin.Local(handler(w, w.service())))
	w = newWorld(t)
	path := filepath.Join(w.dir, "s")
	defer serve(t, path, handler(w, w.service()))()
	f(w, dial(t, path))
}

// lossy is a connection on which every second answer to a chunk or an end is lost.
type lossy struct {
	http.Handler
	n atomic.Int64
}

func (l *lossy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/imports/") && l.n.Add(1)%2 == 1 {
		l.Handler.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	l.Handler.ServeHTTP(w, r)
}

// What the server did is not done again because nobody heard of it.
func TestSend_lostAnswers(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.dir, "s")
	l := &lossy{Handler: handler(w, w.service())}
	defer serve(t, path, l)()
	content, pages := threeChunks()
	result, err := read(t, content, config()).Send(t.Context(), dial(t, path))
	if err != nil || result.Kept != 30 {
		t.Errorf("%+v, %v", result, err)
	}
	if l.n.Load() != 8 {
		t.Errorf("%d requests for 3 chunks and an end, each twice", l.n.Load())
	}
	stored(t, w, 1, pages)
}

// The server dies with a chunk under way and another one takes over; the command goes on by itself, and where it was cut off too, it does so when it is given again.
func TestSend_serverDies(t *testing.T) {
	f := func(survives bool) {
		t.Helper()
		w := newWorld(t)
		path := filepath.Join(w.dir, "s")
		w.entered, w.leave = make(chan struct{}), make(chan struct{})
		stop := serve(t, path, handler(w, w.service()))
		content, pages := threeChunks()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := dial(t, path)
		first := make(chan error, 1)
		go func() { first <- second(read(t, content, config()).Send(ctx, c)) }()
		<-w.entered
		w.leave <- struct{}{} // the first chunk is stored
		<-w.entered           // the second is in the journal
		if !survives {
			cancel()
		}
		stop()
		if !survives {
			err := <-first
			kind(t, err, fault.Unavailable, "")
			if !strings.Contains(err.Error(), "goes on at line 20001 of 40010") {
				t.Error(err)
			}
		}
		w.entered = nil
		defer serve(t, path, handler(w, w.service()))()
		if !survives {
			result, err := read(t, content, config()).Send(t.Context(), dial(t, path))
			if err != nil || result.From != importer.MaxChunkLines+1 || result.Kept != 30 {
				t.Errorf("%+v, %v", result, err)
			}
		} else if err := <-first; err != nil {
			t.Error(err)
		}
		stored(t, w, 1, pages)
		if w.dropped != 10 {
			t.Errorf("%d frames came twice, and 10 were in the journal", w.dropped)
		}
	}
	f(true)
	f(false)
}

// Who stops the command has the chunk under way stored.
func TestSend_stopped(t *testing.T) {
	w := newWorld(t)
	w.entered, w.leave = make(chan struct{}), make(chan struct{})
	c := admin.Local(handler(w, w.service()))
	content, pages := threeChunks()
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- second(read(t, content, config()).Send(ctx, c)) }()
	<-w.entered
	cancel()
	w.leave <- struct{}{}
	err := <-first
	kind(t, err, fault.Unavailable, "")
	if err == nil || !strings.Contains(err.Error(), "goes on at line 20001 of 40010") {
		t.Error(err)
	}
	w.entered = nil
	stored(t, w, 1, pages[:10])
	if _, err := read(t, content, config()).Send(t.Context(), c); err != nil {
		t.Error(err)
	}
	stored(t, w, 1, pages)
}

// A server that takes nothing is asked for a while, and no longer; one that comes back in time is not noticed.
func TestSend_patience(t *testing.T) {
	w := newWorld(t)
	c := admin.Local(handler(w, w.service()))
	w.set(func() { w.away = errors.New("refused") })
	cfg := config()
	cfg.Patience = time.Second
	content := text(1, 10)
	began := time.Now()
	_, err := read(t, content, cfg).Send(t.Context(), c)
	kind(t, err, fault.Unavailable, "")
	if took := time.Since(began); took < 500*time.Millisecond || took > 5*time.Second || !strings.Contains(err.Error(), "goes on at line 1 of 10") {
		t.Errorf("after %v: %v", took, err)
	}
	time.AfterFunc(300*time.Millisecond, func() { w.set(func() { w.away = nil }) })
	if _, err := read(t, content, cfg).Send(t.Context(), c); err != nil {
		t.Error(err)
	}
	stored(t, w, 1, pagesOf(1, 10))
	if w.dropped != 0 {
		t.Errorf("%d frames came twice", w.dropped)
	}
}

// scripted fails as it is told before it takes a chunk.
type scripted struct {
	taker
	errs []error
}

func (s *scripted) ImportLines(ctx context.Context, id uint16, from uint64, text []byte) (importer.Progress, error) {
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		return importer.Progress{}, err
	}
	return s.taker.ImportLines(ctx, id, from, text)
}

// What may pass is asked again, and nothing else is. Only after a lost answer the server may be busy with what this command asked.
func TestSend_asksAgain(t *testing.T) {
	away, busy, other := fault.Unavailablef(nil, "away"), fault.Conflictf(importer.Busy, "busy"), fault.Conflictf("import", "expired")
	f := func(want error, errs ...error) {
		t.Helper()
		if _, err := read(t, text(1, 10), config()).Send(t.Context(), &scripted{errs: errs}); !errors.Is(err, want) {
			t.Errorf("%v ended with %v", errs, err)
		}
	}
	f(nil, away, away)
	f(nil, away, busy)
	f(busy, busy)
	f(other, other)
	f(other, away, other)
	broken := errors.New("broken")
	f(broken, broken)
}

// A file that changes while it is imported is not said to be imported.
func TestSend_changed(t *testing.T) {
	content, _ := threeChunks()
	f := func(changed []byte) {
		t.Helper()
		w := newWorld(t)
		path := write(t, content)
		loaded, err := importer.Read(t.Context(), path, config())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		c := admin.Local(handler(w, w.service()))
		_, err = loaded.Send(t.Context(), c)
		kind(t, err, fault.Conflict, "file")
		if list, err := c.Imports(t.Context()); err != nil || len(list) != 1 || list[0].State != importer.Open {
			t.Error(list, err)
		}
	}
	f(content[:len(content)-len(line(30, 1))])
	f(append(bytes.Clone(content), line(31, 1)...))
	f(bytes.ReplaceAll(content, []byte("/p30"), []byte("/p99")))
	f(nil)
}

// Two commands with the same file: one may be refused, none stores anything twice, and one gets it done.
func TestSend_two(t *testing.T) {
	w := newWorld(t)
	c := admin.Local(handler(w, w.service()))
	content, pages := threeChunks()
	results := make(chan error, 2)
	for range 2 {
		loaded := read(t, content, config())
		go func() { results <- second(loaded.Send(t.Context(), c)) }()
	}
	done := 0
	for range 2 {
		switch err := <-results; fault.KindOf(err) {
		case fault.Conflict:
		default:
			if err != nil {
				t.Error(err)
			}
			done++
		}
	}
	if done == 0 {
		t.Error("each got into the other's way")
	}
	stored(t, w, 1, pages)
}

// Nothing of a line is in a file of the server's, whatever became of it.
func TestSend_leavesNothing(t *testing.T) {
	const marker = "Zq7Marker"
	w := newWorld(t)
	c := admin.Local(handler(w, w.service()))
	content := strings.ReplaceAll(string(text(1, 500)), "Mozilla/5.0", marker+"/5.0")
	if _, err := read(t, []byte(content), config()).Send(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	p, err := c.BeginImport(t.Context(), importer.Start{Digest: digest(3), Lines: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{marker, `{"ua":"` + marker + `"}`, `{"time":"` + marker + `"}`} {
		if _, err := c.ImportLines(t.Context(), p.ID, 1, []byte(l)); err == nil || strings.Contains(err.Error(), marker) {
			t.Errorf("%s: %v", l, err)
		}
	}
	found := 0
	err = filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		file, err := os.ReadFile(path)
		if bytes.Contains(file, []byte(marker)) || bytes.Contains(file, []byte("192.0.2.")) {
			t.Errorf("%s holds a line", path)
		}
		for _, known := range []string{digest(3), strings.Repeat("\x33", 32)} {
			if bytes.Contains(file, []byte(known)) {
				t.Errorf("%s holds the digest", path)
			}
		}
		if bytes.Contains(file, []byte("example.com")) {
			found++
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("the search does not find what is there; %v", err)
	}
}
