// Package fault names the kinds of failure a caller can do something about, and carries one with a sentence for that caller.
//
// It stands below everything else: any package may return a fault, and only the edges (web, admin, the command line) turn its Kind into
// a status or an exit code. An error that is no fault is internal: it is logged once and its text is shown to nobody outside.
//
// Invariants: a fault's Message is written for its reader, names the field that is wrong and what is allowed, and never holds an address, a
// user agent or any other text a visitor sent.
//
// It does not collect stack traces and it knows nothing of HTTP.
package fault

import (
	"errors"
	"fmt"
)

// Kind says what a caller can do about a failure.
type Kind uint8

// The kinds.
const (
	Internal    Kind = iota // nobody outside can do anything: log it
	Invalid                 // the request is wrong: change it
	NotFound                // what was named does not exist
	Conflict                // it exists already, or is in use
	Forbidden               // the asker may not
	Unavailable             // not now: try again later
)

// Error is a failure with a kind and a sentence for the reader.
type Error struct {
	Kind    Kind
	Field   string // what is wrong, as the caller spelled it ("date_range"); may be empty
	Message string // what is allowed, or what to do
	Err     error  // the cause, for the log only; may be nil
}

// Error returns the message, with the field before it and the cause behind it where they are known.
func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Invalidf says that a field of the request is wrong, and what is allowed there.
func Invalidf(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// NotFoundf says that what a field names does not exist.
func NotFoundf(field, format string, args ...any) *Error {
	return &Error{Kind: NotFound, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Conflictf says that what a field names exists already or is in use.
func Conflictf(field, format string, args ...any) *Error {
	return &Error{Kind: Conflict, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Unavailablef says that something cannot be done now, and why.
func Unavailablef(cause error, format string, args ...any) *Error {
	return &Error{Kind: Unavailable, Message: fmt.Sprintf(format, args...), Err: cause}
}

// KindOf returns the kind of the first fault in err's chain, and Internal where there is none.
func KindOf(err error) Kind {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Kind
	}
	return Internal
}
