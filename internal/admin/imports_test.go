package admin_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/importer"
)

// imports notes what it is asked, and fails with err.
type imports struct {
	asked []string
	err   error
}

var progress = importer.Progress{ID: 3, State: importer.Open, Lines: 9, NextLine: 4, Kept: 2, Forgotten: 5, Dropped: map[string]uint64{"bot": 1}, Started: noon(), Ended: noon()}

func (i *imports) note(format string, args ...any) (importer.Progress, error) {
	i.asked = append(i.asked, fmt.Sprintf(format, args...))
	return progress, i.err
}

func (i *imports) Begin(_ context.Context, start importer.Start) (importer.Progress, error) {
	return i.note("begin %+v", start)
}

func (i *imports) Lines(_ context.Context, id uint16, from uint64, text []byte) (importer.Progress, error) {
	return i.note("lines %d from %d: %q", id, from, text)
}

func (i *imports) End(_ context.Context, id uint16) (importer.Progress, error) {
	return i.note("end %d", id)
}

func (i *imports) Remove(_ context.Context, id uint16) (importer.Progress, error) {
	return i.note("remove %d", id)
}

func (i *imports) List(context.Context) ([]importer.Progress, error) {
	p, err := i.note("list")
	return []importer.Progress{p}, err
}

func newImports(i *imports) *admin.Socket {
	return admin.NewSocket(admin.Services{Imports: i}, 90, noon, slog.New(slog.DiscardHandler))
}

// Every command about imports, in this process and over a socket, with its answer and its failure.
func TestImports(t *testing.T) {
	f := func(i *imports, c *admin.Client) {
		t.Helper()
		ctx := t.Context()
		all := func(check func(command string, p importer.Progress, err error)) {
			p, err := c.BeginImport(ctx, importer.Start{Digest: "d", Lines: 9})
			check("begin", p, err)
			p, err = c.ImportLines(ctx, 3, 1<<40, []byte("{}\n\n\xff"))
			check("lines", p, err)
			p, err = c.EndImport(ctx, 65535)
			check("end", p, err)
			p, err = c.RemoveImport(ctx, 3)
			check("remove", p, err)
		}
		all(func(command string, p importer.Progress, err error) {
			if diff := cmp.Diff(progress, p); diff != "" || err != nil {
				t.Errorf("%s: %v: %s", command, err, diff)
			}
		})
		if list, err := c.Imports(ctx); err != nil || !cmp.Equal(list, []importer.Progress{progress}) {
			t.Error(list, err)
		}
		want := []string{"begin {Digest:d Lines:9}", `lines 3 from 1099511627776: "{}\n\n\xff"`, "end 65535", "remove 3", "list"}
		if diff := cmp.Diff(want, i.asked); diff != "" {
			t.Error(diff)
		}
		i.err = fmt.Errorf("cannot do it: %w", fault.Conflictf("from", "is wrong"))
		all(func(command string, _ importer.Progress, err error) {
			if err == nil || err.Error() != "from: is wrong" || fault.KindOf(err) != fault.Conflict {
				t.Errorf("%s: %v", command, err)
			}
		})
		if _, err := c.Imports(ctx); fault.KindOf(err) != fault.Conflict {
			t.Error(err)
		}
	}
	i := &imports{}
	f(i, admin.Local(newImports(i)))
	i = &imports{}
	f(i, dial(t, newImports(i)))
}

func TestImports_badRequests(t *testing.T) {
	i := &imports{}
	socket := newImports(i)
	f := func(method, target, body string, status int, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		socket.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
		if w.Code != status || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
	}
	f("POST", "/imports", "no JSON", 400, `"field":"request"`)
	f("POST", "/imports", `{"digest":"d","lines":-1}`, 400, `"field":"request"`)
	for _, id := range []string{"65536", "-1", "x", "%20", "+3"} {
		f("POST", "/imports/"+id+"/lines?from=1", "", 400, `"field":"id"`)
		f("POST", "/imports/"+id+"/end", "", 400, `"field":"id"`)
		f("DELETE", "/imports/"+id, "", 400, `"field":"id"`)
	}
	for _, from := range []string{"", "?from=", "?from=-1", "?from=x", "?from=18446744073709551616"} {
		f("POST", "/imports/3/lines"+from, "", 400, `"field":"from"`)
	}
	f("POST", "/imports/3/lines?from=1", strings.Repeat("x", importer.MaxChunk+1), 400, `"field":"lines"`)
	f("PUT", "/imports/3", "", 405, "")
	if len(i.asked) != 0 {
		t.Errorf("asked: %q", i.asked)
	}
	f("POST", "/imports/3/lines?from=1", strings.Repeat("x", importer.MaxChunk), 200, `"id":3`)
}

// An answer that breaks off may be asked for again.
func TestImports_brokenAnswer(t *testing.T) {
	for name, c := range map[string]*admin.Client{"none": dial(t, abort("")), "half": dial(t, abort(`{"id":`))} {
		if _, err := c.ImportLines(t.Context(), 3, 1, nil); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := admin.Local(newSocket(newRegistry(t))) // a server without imports will have none the next time either
	if _, err := c.ImportLines(t.Context(), 3, 1, nil); err == nil || fault.KindOf(err) != fault.Internal {
		t.Error(err)
	}
}

// abort writes something and dies.
type abort string

func (a abort) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, string(a))
	panic(http.ErrAbortHandler)
}
