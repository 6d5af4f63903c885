package address

import (
	"net/netip"
	"strings"
)

// The headers that are lists of hops: each proxy adds, at the right end, the address it was asked from.
const (
	forwardedFor = "X-Forwarded-For"
	forwarded    = "Forwarded" // RFC 7239
)

// maxHops bounds how many entries of a list are looked at. Nobody has that many proxies; a client may send any number of entries.
const maxHops = 32

// Headers is what a request says about where it came from.
type Headers struct {
	// Section is the header section as it came over the wire: the lines between the request line and the empty line. Trailers, which follow the
	// body and which a proxy may pass on as the client wrote them, must not be in it.
	Section string
	// Only names the one header that is believed, in any case. Empty stands for X-Forwarded-For and Forwarded.
	Only string
}

// Client returns the address of who sent a request that came from peer. Where peer is no trusted proxy, that is peer, whatever the headers say.
//
// Else it is the right-most address in X-Forwarded-For or Forwarded that is not trusted. Several lines of a header are one list in their order.
// The list is walked from the right:
//   - a trusted address is passed by;
//   - an entry that is no address (empty, "unknown", "_hidden", anything malformed, an element of Forwarded without one "for", a folded line) ends
//     the walk, and so does the 33rd: the answer is the last trusted hop, which may be peer, and never what stands left of it;
//   - where all are trusted, the answer is the left-most.
//
// Where both headers are there and lead to different answers, neither is believed and the answer is peer: a proxy that adds to one of them passes
// the other on as the client wrote it.
//
// Where h.Only names a header, no other is looked at. X-Forwarded-For and Forwarded are lists as above. Any other must be there once and hold one
// address; else the answer is peer.
//
// An entry is an IPv4 address, an IPv6 address with or without brackets, each with or without a port (IPv6 then in brackets). Octets with leading
// zeros, hexadecimal or short IPv4 forms and bare numbers are no addresses, since programs read them differently.
//
// The answer is unmapped and has no zone. It is invalid only where peer is.
func (p Proxies) Client(peer netip.Addr, h Headers) netip.Addr {
	peer = peer.Unmap().WithZone("")
	if !p.trusts(peer) {
		return peer
	}
	switch {
	case h.Only == "":
		a, is := p.walk(peer, h.Section, forwardedFor)
		b, also := p.walk(peer, h.Section, forwarded)
		switch {
		case !also:
			return a
		case is && a != b:
			return peer
		}
		return b
	case strings.EqualFold(h.Only, forwardedFor):
		a, _ := p.walk(peer, h.Section, forwardedFor)
		return a
	case strings.EqualFold(h.Only, forwarded):
		a, _ := p.walk(peer, h.Section, forwarded)
		return a
	}
	return single(peer, h)
}

// walk returns where a list header leads, and whether it is there at all; where it is not, it leads to peer.
func (p Proxies) walk(peer netip.Addr, section, name string) (client netip.Addr, there bool) {
	client = peer
	if section == "" || section[0]|0x20 != name[0]|0x20 && strings.IndexByte(section, '\n') < 0 {
		return client, false // its only line is another
	}
	from := lines{section}
	for hops := 0; ; {
		list, is := from.last(name)
		if !is {
			return client, there
		}
		there = true
		for more := true; more; hops++ {
			if hops == maxHops {
				return client, true
			}
			var entry string
			if list, entry, more = cutLast(list, ','); name == forwarded {
				entry = forValue(entry)
			}
			hop := parse(entry)
			if !hop.IsValid() {
				return client, true
			}
			client = hop
			if !p.trusts(hop) {
				return client, true
			}
		}
	}
}

// single returns the one address in the one line of a header that is no list, else peer.
func single(peer netip.Addr, h Headers) netip.Addr {
	from := lines{h.Section}
	value, _ := from.last(h.Only)
	if _, again := from.last(h.Only); again {
		return peer
	}
	if a := parse(value); a.IsValid() {
		return a
	}
	return peer
}
