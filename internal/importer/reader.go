package importer

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/daysalt/daysalt/internal/fault"
)

// reader hands out the lines of a file, whether it is compressed or not. It holds no more than one line.
type reader struct {
	file   *os.File
	digest hash.Hash // of the content read so far
	lines  *bufio.Reader
	number uint64 // of the line that next returned last
}

// openFile opens an operator's file. It fails with Invalid for anything that cannot be read twice. at, if not nil, is told how many bytes of the file itself were read.
func openFile(path string, at func(read int64)) (*reader, error) {
	if _, err := fileSize(path); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fault.Invalidf("file", "cannot be opened: %v", err)
	}
	raw := bufio.NewReaderSize(&meter{file: file, at: at}, 1<<17)
	var content io.Reader = raw
	if magic, _ := raw.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // a file of one byte is not compressed
		if content, err = gzip.NewReader(raw); err != nil {
			return nil, errors.Join(unreadable(err), file.Close())
		}
	}
	r := &reader{file: file, digest: sha256.New()}
	r.lines = bufio.NewReaderSize(io.TeeReader(content, r.digest), MaxLine+len("\xef\xbb\xbf\r\n"))
	if mark, _ := r.lines.Peek(2); bytes.Equal(mark, []byte{0xff, 0xfe}) || bytes.Equal(mark, []byte{0xfe, 0xff}) { // next says what cannot be read
		return nil, errors.Join(fault.Invalidf("file", "is in UTF-16, and must be in UTF-8"), file.Close())
	}
	return r, nil
}

// fileSize returns the size of a regular file in bytes.
func fileSize(path string) (int64, error) {
	const twice = "it is read twice, to be checked before anything is imported"
	if path == "-" {
		return 0, fault.Invalidf("file", "must be a file and not standard input: %s", twice)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return 0, fault.Invalidf("file", "cannot be opened: %v", err)
	case info.IsDir():
		return 0, fault.Invalidf("file", "is a directory")
	case !info.Mode().IsRegular():
		return 0, fault.Invalidf("file", "must be a regular file and no pipe or device: %s", twice)
	}
	return info.Size(), nil
}

// meter counts what is read of a file.
type meter struct {
	file *os.File
	done int64
	at   func(read int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.file.Read(p)
	m.done += int64(n)
	if m.at != nil {
		m.at(m.done)
	}
	return n, err
}

// next returns a line without its end, which is good until the next call, and io.EOF after the last one. A line that is too long comes as nil.
func (r *reader) next() ([]byte, error) {
	line, err := r.lines.ReadSlice('\n')
	tooLong := errors.Is(err, bufio.ErrBufferFull)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.lines.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(err)
	}
	if len(line) == 0 && !tooLong {
		return nil, io.EOF
	}
	r.number++
	if tooLong {
		return nil, nil
	}
	if r.number == 1 {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")) // some programs mark UTF-8 with it
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if len(line) > MaxLine {
		return nil, nil
	}
	return line[:len(line):len(line)], nil
}

// sum returns the digest of what was read.
func (r *reader) sum() string { return hex.EncodeToString(r.digest.Sum(nil)) }

func (r *reader) close() { _ = r.file.Close() } // it was only read

// unreadable says whether a file is damaged or the disk is at fault.
func unreadable(err error) error {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	if corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fault.Invalidf("file", "is damaged or not whole: %v", err)
	}
	return fmt.Errorf("cannot read the file: %w", err)
}
