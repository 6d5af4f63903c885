package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/daysalt/daysalt/internal/fault"
)

// reply is a complete HTTP answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP speaks ClickHouse's HTTP interface. There is no authentication: serve it on a loopback port only. What a web page could make a
// browser send to that port is refused with 403, or cannot write: a request with an Origin, or with a Sec-Fetch-Site that is not none, is for a page;
// a Host that is no loopback name is a name that somebody has pointed here; and a GET or HEAD, which an old browser sends for an image
// with neither header, only reads, whatever readonly its URL asks for. RoundTripper has none of these rules.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if reason := forbidden(r); reason != "" {
		http.Error(w, reason, http.StatusForbidden)
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		r = readOnly(r)
	}
	rep, err := e.handle(r)
	if err != nil {
		// The client is gone; the status is for whoever reads the access log.
		rep = &reply{status: http.StatusServiceUnavailable, header: http.Header{}, body: []byte("cancelled\n")}
		if f, ok := errors.AsType[*fault.Error](err); ok {
			rep.body = []byte(f.Message + "\n")
		}
	}
	for name, values := range rep.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(rep.body)))
	w.WriteHeader(rep.status)
	if r.Method != http.MethodHead {
		w.Write(rep.body)
	}
}

// handle answers one request. Exceptions are replies; an error means that nothing can be said any more: the caller's context has ended, or
// the engine is closing (a fault, Unavailable).
func (e *Engine) handle(r *http.Request) (*reply, error) {
	text := r.URL.Query().Get("query")
	switch {
	case r.URL.Path == "/ping", r.URL.Path == "/" && text == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return &reply{status: http.StatusOK, header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}}, body: []byte("Ok.\n")}, nil
	case r.URL.Path != "/" && r.URL.Path != "":
		return &reply{status: http.StatusNotFound, header: http.Header{}, body: []byte("There is nothing here. Use / or /ping.\n")}, nil
	}
	q, err := readRequest(r)
	if err != nil {
		return failed(&request{}, err)
	}
	if q.hello {
		return succeeded(q, answer{data: helloBlock(e.version, zone)}), nil
	}
	a, err := e.run(r.Context(), q)
	if err != nil {
		return failed(q, err)
	}
	return succeeded(q, a), nil
}

func succeeded(q *request, a answer) *reply {
	rep := &reply{status: http.StatusOK, header: header(q), body: a.data}
	rep.header.Set("Content-Type", contentType(q.format))
	rep.header.Set("X-Clickhouse-Format", q.format)
	rep.header.Set("X-Clickhouse-Summary", fmt.Sprintf(`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d"}`, a.rowsRead, a.bytesRead, a.rowsWritten))
	return rep
}

// failed makes a reply of an exception and passes other ends on.
func failed(q *request, err error) (*reply, error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || fault.KindOf(err) == fault.Unavailable {
		return nil, err
	}
	x, ok := errors.AsType[*exception](err)
	if !ok {
		x = newException(codeNetwork, "NETWORK_ERROR", err.Error())
	}
	rep := &reply{status: x.status(), header: header(q), body: []byte(x.text + "\n")}
	rep.header.Set("Content-Type", "text/plain; charset=UTF-8")
	rep.header.Set("X-Clickhouse-Exception-Code", strconv.Itoa(x.code))
	return rep, nil
}

// header returns what every answer to a query carries.
func header(q *request) http.Header {
	return http.Header{
		"X-Clickhouse-Query-Id":            {headerText(q.queryID)},
		"X-Clickhouse-Server-Display-Name": {"daysalt"},
		"X-Clickhouse-Timezone":            {zone},
		"X-Content-Type-Options":           {"nosniff"},
	}
}

// headerText keeps a caller's text from breaking the header it is sent back in.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

func contentType(format string) string {
	switch {
	case strings.HasPrefix(format, "TabSeparated"), strings.HasPrefix(format, "TSV"):
		return "text/tab-separated-values; charset=UTF-8"
	case strings.HasPrefix(format, "CSV"):
		return "text/csv; charset=UTF-8"
	case strings.HasPrefix(format, "JSON"):
		return "application/json; charset=UTF-8"
	case format == "Native", strings.HasPrefix(format, "RowBinary"):
		return "application/octet-stream"
	default:
		return "text/plain; charset=UTF-8"
	}
}
