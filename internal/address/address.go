// Package address says whose address a request bears, and how much of an address may be kept.
//
// It stands at both ends of an address's short life: web asks Client who sent a request that came through proxies, and Mask cuts what a table
// for abuse defence may hold.
//
// Invariants: a header is believed only where a trusted proxy sent it, and of a list only what trusted proxies wrote: nothing left of the first
// address that is not trusted, seen from the right, can change the answer. The answer is the peer or an address that is written in the header
// section, never a guess. Every address that comes out is unmapped and has no zone. Nothing is allocated for what proxies write, and the work
// is bounded whatever is sent.
//
// It resolves no names, knows no location (geo does) and keeps nothing. No error of it holds what a visitor sent.
package address

import "net/netip"

// Mask returns the address with its last bits zero. The levels are Matomo's: 1 keeps 24 bits of an IPv4 and 64 of an IPv6 address, 2 keeps 16
// and 48, 3 keeps 8 and 24, and 4 keeps none, which is 0.0.0.0 or ::. Any other level, which the settings refuse, masks like 4. An IPv4-mapped
// IPv6 address is masked as the IPv4 address it holds and returned as that, zones are dropped, and an address that is none stays none.
func Mask(a netip.Addr, level int) netip.Addr {
	a = a.Unmap()
	var bits4, bits6 int
	switch level {
	case 1:
		bits4, bits6 = 24, 64
	case 2:
		bits4, bits6 = 16, 48
	case 3:
		bits4, bits6 = 8, 24
	}
	bits := bits6
	if a.Is4() {
		bits = bits4
	}
	kept, err := a.Prefix(bits)
	if err != nil {
		return netip.Addr{}
	}
	return kept.Addr()
}
