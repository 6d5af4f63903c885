package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strings"
)

const (
	// headBytes of a body are searched for an INSERT whose data follows in the body.
	headBytes = 256 << 10
	// textBytes is the longest query text taken; the engine itself stops at max_query_size (256 KiB) unless told otherwise.
	textBytes = 16 << 20
	// hello is the first query of clickhouse-go on each connection.
	hello = "SELECT displayName(), version(), revision(), timezone()"
)

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// request is one HTTP request, understood.
type request struct {
	queryID  string
	sql      string
	insert   bool
	data     io.Reader // of an INSERT
	format   string    // of the answer, or of the data
	database string
	settings map[string]string
	params   []param
	hello    bool // answer in the driver's own revision; see helloBlock
}

// insertSettings make one INSERT one block, so that one token stands for all of its rows: a block is what the engine deduplicates. What
// the caller sets wins. Bytes 0 means no limit; the number of rows is out of reach.
var insertSettings = [...]param{
	{"async_insert", "0"},
	{"max_insert_threads", "1"},
	{"min_insert_block_size_bytes", "0"},
	{"min_insert_block_size_rows", "1073741824"},
}

// notSettings are URL parameters of the HTTP interface that are not settings of the engine and change nothing here: there is one user, and
// every answer is complete before its first byte is sent. The log_comment is ours: queries are cancelled by it.
var notSettings = map[string]bool{
	"query": true, "query_id": true, "database": true, "default_format": true, "client_protocol_version": true, "wait_end_of_query": true,
	"buffer_size": true, "quota_key": true, "user": true, "password": true, "role": true, "stacktrace": true, "log_comment": true,
	"send_progress_in_http_headers": true, "http_headers_progress_interval_ms": true, "enable_http_compression": true,
	"network_compression_method": true, "network_zstd_compression_level": true, "add_http_cors_header": true,
}

// readRequest understands r. Errors are *exception, in ClickHouse's words.
func readRequest(r *http.Request) (*request, error) {
	values := r.URL.Query()
	if err := refuse(r, values); err != nil {
		return nil, err
	}
	q := &request{
		queryID: values.Get("query_id"), database: first(values.Get("database"), r.Header.Get("X-ClickHouse-Database")),
		settings: map[string]string{},
	}
	if err := q.readValues(values); err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		q.settings["readonly"] = first(q.settings["readonly"], "2")
	}
	st, data, err := readStatement(values.Get("query"), r.Body)
	if err != nil {
		return nil, err
	}
	if st.file {
		return nil, newException(codeNotImplemented, "NOT_IMPLEMENTED", "INTO OUTFILE and FROM INFILE are not for this interface")
	}
	q.sql, q.insert, q.data = st.sql, st.insert, data
	q.format = first(st.format, r.Header.Get("X-ClickHouse-Format"), values.Get("default_format"), "TabSeparated")
	q.hello = strings.TrimSpace(q.sql) == hello && values.Get("client_protocol_version") != ""
	if q.insert {
		for _, s := range insertSettings {
			q.settings[s.name] = first(q.settings[s.name], s.value)
		}
	}
	return q, nil
}

// refuse says what of the HTTP interface is not spoken here, instead of answering something else.
func refuse(r *http.Request, values url.Values) error {
	switch {
	case values.Get("compress") == "1", values.Get("decompress") == "1":
		return newException(codeNotImplemented, "NOT_IMPLEMENTED", "The embedded engine does not compress: set compression to none")
	case first(r.Header.Get("Content-Encoding"), "identity") != "identity":
		return newException(codeNotImplemented, "NOT_IMPLEMENTED", "The embedded engine takes no Content-Encoding: set compression to none")
	case strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/"):
		return newException(codeNotImplemented, "NOT_IMPLEMENTED", "The embedded engine takes no external tables")
	case values.Get("session_id") != "":
		return newException(codeNotImplemented, "NOT_IMPLEMENTED", "The embedded engine keeps no sessions")
	}
	return nil
}

// readValues sorts URL parameters into query parameters and settings.
func (q *request) readValues(values url.Values) error {
	for name, all := range values {
		value := all[len(all)-1]
		if p, ok := strings.CutPrefix(name, "param_"); ok {
			q.params = append(q.params, param{p, value})
			continue
		}
		if notSettings[name] || name == "compress" || name == "decompress" {
			continue
		}
		if !settingName.MatchString(name) {
			return newException(codeUnknownSetting, "UNKNOWN_SETTING", fmt.Sprintf("Unknown setting %q", name))
		}
		q.settings[name] = value
	}
	return nil
}

// readStatement puts the text in the URL and the body together. The data of an INSERT is returned as a reader, never read whole.
func readStatement(text string, body io.Reader) (statement, io.Reader, error) {
	if body == nil {
		body = http.NoBody
	}
	if st := parseStatement(text); st.insert {
		if inline := strings.TrimSpace(st.inline); inline != "" && inline != ";" {
			return st, io.MultiReader(strings.NewReader(st.inline+"\n"), body), nil
		}
		return st, body, nil
	}
	head := make([]byte, headBytes)
	n, err := fill(body, head)
	if err != nil && !errors.Is(err, io.EOF) {
		return statement{}, nil, newException(codeNetwork, "NETWORK_ERROR", "Cannot read the request: "+err.Error())
	}
	head = head[:n]
	if text == "" {
		if st := parseStatement(string(head)); st.insert {
			return st, io.MultiReader(strings.NewReader(afterFormat(st)), body), nil
		}
	}
	rest, err := io.ReadAll(io.LimitReader(body, textBytes))
	if err != nil {
		return statement{}, nil, newException(codeNetwork, "NETWORK_ERROR", "Cannot read the request: "+err.Error())
	}
	if len(rest) == textBytes {
		return statement{}, nil, newException(codeSyntax, "SYNTAX_ERROR", fmt.Sprintf("The query is longer than %d bytes", textBytes))
	}
	if text != "" && n > 0 {
		text += "\n"
	}
	return parseStatement(text + string(bytes.Join([][]byte{head, rest}, nil))), nil, nil
}

// afterFormat returns inline data without the spaces and the one newline that part it from FORMAT; a Native block may begin with a byte
// that looks like a newline.
func afterFormat(st statement) string {
	data := strings.TrimLeft(st.inline, " \r\f\v")
	return strings.TrimPrefix(data, "\n")
}

// setSQL is the statement that applies the request's settings; "" where there are none.
func (q *request) setSQL() string {
	if len(q.settings) == 0 {
		return ""
	}
	names := make([]string, 0, len(q.settings))
	for name := range q.settings {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString("SET ")
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name + " = " + quote(q.settings[name]))
	}
	return b.String()
}

// quote makes a string literal of ClickHouse.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// quoteName makes an identifier of ClickHouse.
func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

// first returns the first of its arguments that is not empty.
func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
