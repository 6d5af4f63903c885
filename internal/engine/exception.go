package engine

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Codes of ClickHouse that this package returns itself or answers with a status of its own.
const (
	codeUnsupportedMethod = 1
	codeNotImplemented    = 48
	codeUnknownTable      = 60
	codeSyntax            = 62
	codeUnknownDatabase   = 81
	codeUnknownSetting    = 115
	codeNetwork           = 210
	codeUnknown           = 1002
)

var codeStart = regexp.MustCompile(`Code: ([0-9]+)\.`)

// exception is an error that ClickHouse made. Its text may quote values of the statement: it is for the caller and is never logged here.
type exception struct {
	code int
	text string // "Code: N. DB::Exception: ... (NAME)"
}

// Error returns ClickHouse's text.
func (e *exception) Error() string { return e.text }

// newException makes an exception in ClickHouse's words for what this package refuses itself.
func newException(code int, name, message string) *exception {
	return &exception{code: code, text: "Code: " + strconv.Itoa(code) + ". DB::Exception: " + message + ". (" + name + ")"}
}

// parseException reads the code from an error text of the library.
func parseException(text string) *exception {
	at := codeStart.FindStringSubmatchIndex(text)
	if at == nil {
		return newException(codeUnknown, "UNKNOWN_EXCEPTION", strings.TrimRight(text, ". \n"))
	}
	code, err := strconv.Atoi(text[at[2]:at[3]])
	if err != nil {
		code = codeUnknown
	}
	return &exception{code: code, text: strings.TrimSpace(text[at[0]:])}
}

// status returns the HTTP status that goes with the exception.
func (e *exception) status() int {
	switch e.code {
	case codeUnknownTable, codeUnknownDatabase:
		return http.StatusNotFound
	case codeSyntax, codeUnknownSetting:
		return http.StatusBadRequest
	case codeUnsupportedMethod, codeNotImplemented:
		return http.StatusNotImplemented
	default:
		return http.StatusInternalServerError
	}
}
