package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unsafe"
)

// appendBytes is the piece in which INSERT data is handed to the library.
const appendBytes = 256 << 10

// param is a value for one {name:Type} of a query, in ClickHouse's escaped text form.
type param struct{ name, value string }

// session is one connection to the engine, used for one request by one goroutine and then closed.
//
// A connection is never used twice, because it remembers: SET, USE, temporary tables, and (seen on 26.7) the rows that a failed query had
// already written, which come out as the beginning of the next answer. Opening one costs 0.3 ms.
type session struct {
	lib    *library
	handle unsafe.Pointer // what the library returned, a pointer to the connection
	conn   unsafe.Pointer // the connection
}

// openSession connects. args are the library's command line without the program's name.
func openSession(lib *library, args []string) (*session, error) {
	handle := connect(lib, append([]string{"clickhouse"}, args...))
	// Both pointers are checked: the library dereferences a null connection.
	if handle == nil || target(handle) == nil {
		return nil, errNoConnection
	}
	return &session{lib: lib, handle: handle, conn: target(handle)}, nil
}

// close gives the connection back to the library. The last one closed shuts the engine down.
func (s *session) close() {
	s.lib.closeConn(s.handle)
}

// exec runs a statement whose answer is of no interest.
func (s *session) exec(sql string) error {
	_, err := s.query(sql, "Null", nil)
	return err
}

// query runs one statement and returns a copy of its answer in the given format. An error that ClickHouse made is an *exception.
func (s *session) query(sql, format string, params []param) (answer, error) {
	var call callArgs
	defer call.release()
	call.set(sql, format, params)
	result := s.lib.query(s.conn, call.sql, uintptr(len(sql)), call.format, uintptr(len(format)),
		call.names, call.nameLens, call.values, call.valueLens, uintptr(len(params)))
	return s.take(result)
}

// insert runs an INSERT statement with q.data, in q.format. When reading the data fails, nothing is stored: it would have been one block.
func (s *session) insert(ctx context.Context, q *request) (answer, error) {
	var call callArgs
	defer call.release()
	call.set(q.sql, q.format, q.params)
	stream := s.lib.insert(s.conn, call.sql, uintptr(len(q.sql)), call.format, uintptr(len(q.format)),
		call.names, call.nameLens, call.values, call.valueLens, uintptr(len(q.params)))
	if stream == nil {
		return answer{}, errors.New("the library opened no INSERT")
	}
	defer s.lib.insertFree(stream)
	if text := goString(s.lib.insertError(stream)); text != "" {
		return answer{}, parseException(text)
	}
	if err := s.feed(ctx, stream, q.data); err != nil {
		s.lib.insertCancel(stream)
		return answer{}, err
	}
	return s.take(s.lib.insertDone(stream))
}

// feed hands all of data to an open INSERT.
func (s *session) feed(ctx context.Context, stream unsafe.Pointer, data io.Reader) error {
	buf := make([]byte, appendBytes)
	for {
		n, err := fill(data, buf)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("cannot read the data: %w", err)
		}
		if n > 0 && s.lib.insertAppend(stream, pointer(&buf[0]), uintptr(n)) != 0 {
			return parseException(goString(s.lib.insertError(stream)))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// fill reads until buf is full. Unlike io.ReadFull it returns the reader's own error, so that a cut body does not look like an end.
func fill(r io.Reader, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		m, err := r.Read(buf[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// take copies a result and frees it.
func (s *session) take(result unsafe.Pointer) (answer, error) {
	if result == nil {
		return answer{}, errors.New("the library returned no result")
	}
	defer s.lib.freeResult(result)
	if text := goString(s.lib.resultError(result)); text != "" {
		return answer{}, parseException(text)
	}
	a := answer{rowsRead: s.lib.rowsRead(result), bytesRead: s.lib.bytesRead(result), rowsWritten: s.lib.rowsWritten(result)}
	if n := s.lib.resultLength(result); n > 0 {
		a.data = copyBytes(s.lib.resultBuffer(result), n)
	}
	return a, nil
}

// answer is what a statement returned: Go memory, nothing of the library's.
type answer struct {
	data                             []byte
	rowsRead, bytesRead, rowsWritten uint64
}
