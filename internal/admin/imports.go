package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/importer"
)

// Imports is what the socket may do with imports; importer.Service does it.
type Imports interface {
	Begin(ctx context.Context, start importer.Start) (importer.Progress, error)
	Lines(ctx context.Context, id uint16, from uint64, text []byte) (importer.Progress, error)
	End(ctx context.Context, id uint16) (importer.Progress, error)
	Remove(ctx context.Context, id uint16) (importer.Progress, error)
	List(ctx context.Context) ([]importer.Progress, error)
}

// importRoutes is called once; without Imports there are none.
func (s *Socket) importRoutes() {
	if s.imports == nil {
		return
	}
	s.mux.HandleFunc("GET /imports", s.listImports)
	s.mux.HandleFunc("POST /imports", s.beginImport)
	s.mux.HandleFunc("POST /imports/{id}/lines", s.importLines)
	s.mux.HandleFunc("POST /imports/{id}/end", s.endImport)
	s.mux.HandleFunc("DELETE /imports/{id}", s.removeImport)
}

func (s *Socket) listImports(w http.ResponseWriter, r *http.Request) {
	list, err := s.imports.List(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, http.StatusOK, list)
}

func (s *Socket) beginImport(w http.ResponseWriter, r *http.Request) {
	var start importer.Start
	if !s.read(w, r, &start) {
		return
	}
	progress, err := s.imports.Begin(r.Context(), start)
	s.progress(w, progress, err)
}

// importLines reads the whole chunk first: one that did not arrive whole changes nothing.
func (s *Socket) importLines(w http.ResponseWriter, r *http.Request) {
	id, ok := s.importID(w, r)
	if !ok {
		return
	}
	from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
	if err != nil {
		s.fail(w, fault.Invalidf("from", "must be the number of the chunk's first line"))
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, importer.MaxChunk))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		s.fail(w, fault.Invalidf("lines", "may be %d bytes at a time", importer.MaxChunk))
		return
	}
	if err != nil {
		s.fail(w, fault.Unavailablef(err, "the lines did not arrive"))
		return
	}
	progress, err := s.imports.Lines(r.Context(), id, from, text)
	s.progress(w, progress, err)
}

func (s *Socket) endImport(w http.ResponseWriter, r *http.Request) {
	if id, ok := s.importID(w, r); ok {
		progress, err := s.imports.End(r.Context(), id)
		s.progress(w, progress, err)
	}
}

func (s *Socket) removeImport(w http.ResponseWriter, r *http.Request) {
	if id, ok := s.importID(w, r); ok {
		progress, err := s.imports.Remove(r.Context(), id)
		s.progress(w, progress, err)
	}
}

func (s *Socket) importID(w http.ResponseWriter, r *http.Request) (uint16, bool) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 16)
	if err != nil {
		s.fail(w, fault.NotFoundf("id", "is not one of the imports"))
		return 0, false
	}
	return uint16(id), true
}

func (s *Socket) progress(w http.ResponseWriter, progress importer.Progress, err error) {
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, http.StatusOK, progress)
}
