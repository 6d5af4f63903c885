package visit

import (
	"encoding/binary"
	"math"

	"github.com/daysalt/daysalt/internal/event"
)

// facts is how many strings of the first event every row of a visit carries; its city comes with them.
const facts = 20

// carried returns where a row keeps what its visit began with. The order is that of the packed string and part of the state's format.
func carried(r *event.Row) [facts]*string {
	return [facts]*string{
		&r.EntryHost, &r.EntryPage,
		&r.Source, &r.Channel, &r.Referrer, &r.ClickID,
		&r.UTMSource, &r.UTMMedium, &r.UTMCampaign, &r.UTMContent, &r.UTMTerm,
		&r.Country, &r.Region, &r.Browser, &r.BrowserVersion, &r.OS, &r.OSVersion, &r.Device, &r.Screen, &r.Language,
	}
}

// pack makes the row's own page its entry and returns the facts as one string: the city, then the
// lengths as varints, then the bytes. One string, because a row's strings
// are pieces of a longer one that would be kept alive, and because string headers would be the larger part of an open visit.
func pack(r *event.Row) string {
	r.EntryHost, r.EntryPage = r.Hostname, r.Path
	var room [256]byte
	b := room[:0]
	b = binary.AppendUvarint(b, uint64(r.City))
	all := carried(r)
	for _, s := range &all {
		b = binary.AppendUvarint(b, uint64(len(*s)))
	}
	for _, s := range &all {
		b = append(b, *s...)
	}
	return string(b)
}

// unpack sets the facts of a row. It reports whether packed is what pack made; the row is of no use otherwise.
func unpack(packed string, r *event.Row) bool {
	var lengths [facts]uint64
	city, rest, ok := cutUvarint(packed)
	if !ok || city > math.MaxUint32 {
		return false
	}
	r.City = uint32(city)
	for i := range lengths {
		if rest != "" && rest[0] < 0x80 { // Nearly all are like this.
			lengths[i], rest = uint64(rest[0]), rest[1:]
			continue
		}
		if lengths[i], rest, ok = cutUvarint(rest); !ok {
			return false
		}
	}
	all := carried(r)
	for i, s := range &all {
		n := lengths[i]
		if n > uint64(len(rest)) {
			return false
		}
		*s, rest = rest[:n], rest[n:]
	}
	return rest == ""
}

// cutUvarint is binary.Uvarint for a string.
func cutUvarint(s string) (v uint64, rest string, ok bool) {
	for i := 0; i < len(s) && i < binary.MaxVarintLen64; i++ {
		v |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return v, s[i+1:], true
		}
	}
	return 0, "", false
}
