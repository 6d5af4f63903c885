package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// FrameType is the first byte of a frame of the journal. It stands for the layout of what follows too: a new layout gets a new type.
type FrameType uint8

// The types of frames.
const (
	VoidFrame     FrameType = 0 // was erased: zeros, of which nothing is known
	LiveFrame     FrameType = 1 // an event that was measured here
	ImportedFrame FrameType = 2 // an event of an import
	EndFrame      FrameType = 3 // nothing follows of an import
)

// Frame says what a frame of the journal is, beside the event that it may hold.
type Frame struct {
	Type   FrameType
	Origin uint16 // number of the import, from 1; 0 in a live frame
	Seq    uint64 // place of an imported event in its import; 0 in the other types
}

var (
	errType   = errors.New("the type is unknown")
	errOrigin = errors.New("the import's number is 0")
)

// AppendEvent appends the live frame of e to dst and returns the longer slice. It does not allocate where dst has room.
func AppendEvent(dst []byte, e *Event) []byte {
	return e.append(append(dst, byte(LiveFrame)))
}

// AppendImported appends the frame of an event that came with an import: the type, origin and seq as varints, then what follows the type in a live frame.
// It does not allocate where dst has room.
//
// origin is from 1; a frame with origin 0 is not decoded. Within an import, seq grows from event to event as they are first appended. An event that is appended
// again has the seq of the first time; it is dropped where one with that seq, or a larger one, is before it in the journal.
func AppendImported(dst []byte, origin uint16, seq uint64, e *Event) []byte {
	dst = append(dst, byte(ImportedFrame))
	dst = binary.AppendUvarint(dst, uint64(origin))
	dst = binary.AppendUvarint(dst, seq)
	return e.append(dst)
}

// AppendEnd appends the frame that ends an import: the type, and origin as a varint. What is known of the import's events is forgotten there, so that the
// number may be used again.
func AppendEnd(dst []byte, origin uint16) []byte {
	return binary.AppendUvarint(append(dst, byte(EndFrame)), uint64(origin))
}

// Decode sets f to the frame that b encodes and e to its event, and keeps nothing of b. It leaves e alone where the frame holds none: where it is the end of an
// import, or was erased. It allocates one string, which all string fields share, and one slice where there are properties.
//
// It is strict: bytes that no Append function of this package would have written (another type, origin 0, a length past the end, bytes left over, a number
// that is too large or longer than it has to be) are an error, and f and e are then of no use. The error's text holds nothing of b.
// What follows the type of an erased frame is not looked at.
func (f *Frame) Decode(b []byte, e *Event) error { return f.DecodeText(string(b), e, nil) }

// DecodeText does what Decode does, with strings that are pieces of text. The lists of properties come out of room. With a room that is not nil it does not
// allocate, but for a larger piece every thousand properties.
func (f *Frame) DecodeText(text string, e *Event, room *Room) error {
	if err := f.decode(text, e, room); err != nil {
		return fmt.Errorf("cannot decode frame: %w", err)
	}
	return nil
}

func (f *Frame) decode(text string, e *Event, room *Room) error {
	if text == "" {
		return errShort
	}
	*f = Frame{Type: FrameType(text[0])}
	d := decoder{b: text[1:]}
	switch f.Type {
	case VoidFrame:
		return nil
	case LiveFrame:
		return e.decode(&d, room)
	case ImportedFrame:
		f.Origin, f.Seq = d.origin(), d.uint(math.MaxUint64)
		if d.err != nil {
			return d.err
		}
		return e.decode(&d, room)
	case EndFrame:
		f.Origin = d.origin()
		if d.err == nil && d.b != "" {
			d.err = errTrailing
		}
		return d.err
	}
	return errType
}

func (d *decoder) origin() uint16 {
	v := d.uint(math.MaxUint16)
	if d.err == nil && v == 0 {
		d.err = errOrigin
	}
	return uint16(v)
}
