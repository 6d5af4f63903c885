package importer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
)

// showWrong is how many wrong lines of a file are named.
const showWrong = 20

// wrongLine names the line in what ingest says about its fields. Any other error stays what it is.
func wrongLine(number uint64, err error) error {
	bad, ok := errors.AsType[*ingest.BadEvent](err)
	if !ok {
		return err
	}
	parts := make([]string, len(bad.Fields))
	for i, f := range bad.Fields {
		parts[i] = f.Field + ": " + f.Message
		if f.Field == "line" {
			parts[i] = f.Message
		}
	}
	return fault.Invalidf(fmt.Sprintf("line %d", number), "%s", strings.Join(parts, "; "))
}

// wrongLines collects what is wrong with a file.
type wrongLines struct {
	count uint64
	first []string
}

func (w *wrongLines) add(err error) {
	w.count++
	if len(w.first) < showWrong {
		w.first = append(w.first, err.Error())
	}
}

// fault says that a file is not imported, and why; or nil.
func (w *wrongLines) fault() error {
	if w.count == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "nothing was imported, %s wrong (--skip-invalid imports the others):", lines(w.count, "is", "are"))
	for _, text := range w.first {
		b.WriteString("\n  " + text)
	}
	if more := w.count - uint64(len(w.first)); more > 0 {
		fmt.Fprintf(&b, "\n  and %s more", lines(more, "", ""))
	}
	return fault.Invalidf("file", "%s", b.String())
}

// lines counts lines in words.
func lines(n uint64, one, many string) string {
	if n == 1 {
		return strings.TrimSpace("1 line " + one)
	}
	return strings.TrimSpace(fmt.Sprintf("%d lines %s", n, many))
}

func tooLong() error {
	return &ingest.BadEvent{Fields: []ingest.FieldError{{Field: "line", Message: fmt.Sprintf("must be at most %d bytes", MaxLine)}}}
}
