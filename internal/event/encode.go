package event

import (
	"encoding/binary"
	"errors"
	"math"
)

// The first byte of an event: the kind in the two low bits, Interactive in the third. The others are zero.
const (
	kindMask       = 0x03
	interactiveBit = 0x04
)

// texts is how many string fields an event has.
const texts = 22

// Why bytes are no event. The texts hold nothing of the bytes themselves, because they are written beside a quarantined frame.
var (
	errShort    = errors.New("the bytes end too early")
	errTrailing = errors.New("there are bytes behind the end")
	errNumber   = errors.New("a number is too large or not in its shortest form")
	errFlags    = errors.New("unknown kind or flag")
	errProps    = errors.New("there are more properties than bytes for them")
	errLength   = errors.New("a length points behind the end")
)

// strings returns the string fields in the order in which they are encoded. The order is part of the format.
func (e *Event) strings() [texts]*string {
	return [texts]*string{
		&e.Name, &e.Hostname, &e.Path,
		&e.Source, &e.Channel, &e.Referrer, &e.ClickID,
		&e.UTMSource, &e.UTMMedium, &e.UTMCampaign, &e.UTMContent, &e.UTMTerm,
		&e.Country, &e.Region,
		&e.Browser, &e.BrowserVersion, &e.OS, &e.OSVersion, &e.Device, &e.Screen, &e.Language,
		&e.Currency,
	}
}

// append appends the encoding of e to dst and returns the longer slice.
//
// The layout: a byte of kind and flags; SiteID, Day and Time as varints (Time zigzag); Visitor in 8 bytes, little endian; Scroll in one; EngagedMS, City,
// Amount (zigzag) and RetentionDays as varints; the number of properties; the length of every string; then all strings one after the other,
// so that a reader can take them as one. An event has exactly one encoding.
//
// Of PropKeys and PropValues, which have the same length by contract, the longer one is cut.
func (e *Event) append(dst []byte) []byte {
	flags := byte(e.Kind) & kindMask
	if e.Interactive {
		flags |= interactiveBit
	}
	props := min(len(e.PropKeys), len(e.PropValues))

	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(e.SiteID))
	dst = binary.AppendUvarint(dst, uint64(e.Day))
	dst = binary.AppendVarint(dst, e.Time)
	dst = binary.LittleEndian.AppendUint64(dst, e.Visitor)
	dst = append(dst, e.Scroll)
	dst = binary.AppendUvarint(dst, uint64(e.EngagedMS))
	dst = binary.AppendUvarint(dst, uint64(e.City))
	dst = binary.AppendVarint(dst, e.Amount)
	dst = binary.AppendUvarint(dst, uint64(e.RetentionDays))
	dst = binary.AppendUvarint(dst, uint64(props))

	all := e.strings()
	for _, s := range &all {
		dst = binary.AppendUvarint(dst, uint64(len(*s)))
	}
	for i := range props {
		dst = binary.AppendUvarint(dst, uint64(len(e.PropKeys[i])))
		dst = binary.AppendUvarint(dst, uint64(len(e.PropValues[i])))
	}
	for _, s := range &all {
		dst = append(dst, *s...)
	}
	for i := range props {
		dst = append(dst, e.PropKeys[i]...)
		dst = append(dst, e.PropValues[i]...)
	}
	return dst
}

// decode sets e to the event that the rest of d encodes. Its strings are pieces of d's text; the list of its properties is taken from room, or made where that is nil.
func (e *Event) decode(d *decoder, room *Room) error {
	*e = Event{}
	flags := d.byte()
	e.Kind = Kind(flags & kindMask)
	e.Interactive = flags&interactiveBit != 0
	e.SiteID = uint32(d.uint(math.MaxUint32))
	e.Day = Day(d.uint(math.MaxUint16))
	e.Time = d.int()
	e.Visitor = d.uint64()
	e.Scroll = d.byte()
	e.EngagedMS = uint32(d.uint(math.MaxUint32))
	e.City = uint32(d.uint(math.MaxUint32))
	e.Amount = d.int()
	e.RetentionDays = uint16(d.uint(math.MaxUint16))
	props := d.uint(math.MaxInt32)
	if d.err != nil {
		return d.err
	}
	if flags&^(kindMask|interactiveBit) != 0 || e.Kind > Custom {
		return errFlags
	}
	// Every property has two lengths of at least one byte: a larger count must not make us allocate.
	if props > uint64(len(d.b)/2) {
		return errProps
	}
	return e.decodeStrings(d, int(props), room)
}

// decodeStrings sees that the lengths fill the rest of the bytes exactly before it cuts that up.
func (e *Event) decodeStrings(d *decoder, props int, room *Room) error {
	var lengths [texts]int
	var total uint64
	for i := range lengths {
		n := d.uint(math.MaxInt32)
		if total += n; total > uint64(len(d.b)) {
			return errLength
		}
		lengths[i] = int(n)
	}
	propLengths := *d
	for range 2 * props {
		n := d.uint(math.MaxInt32)
		if total += n; total > uint64(len(d.b)) {
			return errLength
		}
	}
	switch {
	case d.err != nil:
		return d.err
	case total < uint64(len(d.b)):
		return errTrailing
	}

	rest := d.b
	all := e.strings()
	for i, s := range &all {
		*s, rest = rest[:lengths[i]], rest[lengths[i]:]
	}
	if props == 0 {
		return nil
	}
	next := func() (s string) {
		n := propLengths.uint(math.MaxInt32)
		s, rest = rest[:n], rest[n:]
		return s
	}
	both := room.list(2 * props)
	e.PropKeys, e.PropValues = both[:props:props], both[props:]
	for i := range props {
		e.PropKeys[i] = next()
		e.PropValues[i] = next()
	}
	return nil
}

// decoder takes values off the front of b. After its first error every value is zero.
type decoder struct {
	b   string
	err error
}

func (d *decoder) byte() byte {
	if d.err == nil && d.b == "" {
		d.err = errShort
	}
	if d.err != nil {
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) uint64() (v uint64) {
	if d.err == nil && len(d.b) < 8 {
		d.err = errShort
	}
	if d.err != nil {
		return 0
	}
	for i := range 8 {
		v |= uint64(d.b[i]) << (8 * i)
	}
	d.b = d.b[8:]
	return v
}

// uint takes a varint of at most limit, which is 127 or more.
func (d *decoder) uint(limit uint64) uint64 {
	if d.err == nil && d.b != "" && d.b[0] < 0x80 { // Nearly all are like this.
		v := d.b[0]
		d.b = d.b[1:]
		return uint64(v)
	}
	return d.longUint(limit)
}

func (d *decoder) longUint(limit uint64) (v uint64) {
	if d.err != nil {
		return 0
	}
	for i := range len(d.b) {
		c := d.b[i]
		switch {
		case i == binary.MaxVarintLen64-1 && c > 1: // over 64 bits
			d.err = errNumber
			return 0
		case c >= 0x80:
			v |= uint64(c&0x7f) << (7 * i)
			continue
		}
		v |= uint64(c) << (7 * i)
		if v > limit || i > 0 && c == 0 { // A last byte of zero adds nothing: there is a shorter form.
			d.err = errNumber
			return 0
		}
		d.b = d.b[i+1:]
		return v
	}
	d.err = errShort
	return 0
}

// int takes a zigzag varint.
func (d *decoder) int() int64 {
	v := d.uint(math.MaxUint64)
	return int64(v>>1) ^ -int64(v&1)
}
