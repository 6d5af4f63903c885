package importer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
)

// Config says how a file is imported.
type Config struct {
	Check       func(line []byte) error // returns *ingest.BadEvent for a wrong line; ingest.CheckLine by default
	Now         func() time.Time        // for durations; required
	SkipInvalid bool                    // leave wrong lines out
	Patience    time.Duration           // how long a server that does not take a chunk is asked again; a minute by default
	At          func(bytes int64)       // is told how much of the file was read, in each of the two readings; may be nil
}

// File is an operator's file that was read once.
type File struct {
	path    string
	cfg     Config
	digest  string
	lines   uint64
	leftOut uint64
	order   order
}

// FileSize returns how many bytes each reading of a file has, as Config.At counts them. It fails with Invalid for what is no regular file.
func FileSize(path string) (int64, error) { return fileSize(path) }

// Read reads a file and checks every line. It fails with Invalid where the file cannot be read twice, is damaged, or has a wrong line and those are not to be
// left out; the text names the first 20 of them by number, field and rule.
func Read(ctx context.Context, path string, cfg Config) (*File, error) {
	if cfg.Check == nil {
		cfg.Check = ingest.CheckLine
	}
	if cfg.Patience == 0 {
		cfg.Patience = time.Minute
	}
	r, err := openFile(path, cfg.At)
	if err != nil {
		return nil, err
	}
	defer r.close()
	f := &File{path: path, cfg: cfg, order: newOrder()}
	var wrong wrongLines
	for {
		line, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if r.number%1024 == 0 && ctx.Err() != nil {
			return nil, errors.New("interrupted while the file was checked; nothing was imported")
		}
		err = f.check(r.number, line)
		if err != nil && fault.KindOf(err) != fault.Invalid {
			return nil, err
		}
		if err != nil {
			wrong.add(err)
		} else {
			f.order.add(line)
		}
	}
	if err := wrong.fault(); err != nil && !cfg.SkipInvalid {
		return nil, err
	}
	f.digest, f.lines, f.leftOut = r.sum(), r.number, wrong.count
	return f, nil
}

// check returns what is wrong with a line as next returned it.
func (f *File) check(number uint64, line []byte) error {
	if line == nil {
		return wrongLine(number, tooLong())
	}
	if line = bytes.TrimSpace(line); len(line) == 0 {
		return nil
	}
	if err := f.cfg.Check(line); err != nil {
		return wrongLine(number, err)
	}
	return nil
}
