package address

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/daysalt/daysalt/internal/fault"
)

// Proxies are the networks of the proxies whose word is believed. The zero value believes nobody. It never changes, so copies may be used at once.
type Proxies struct {
	networks []netip.Prefix // sorted, masked, unmapped; none overlaps another
}

// ParseProxies reads networks (10.0.0.0/8, 2001:db8::/32) and single addresses (192.0.2.7). IPv4 networks written as IPv4-mapped IPv6
// (::ffff:10.0.0.0/104) are the IPv4 networks they map; an IPv6 network holds no IPv4 address. An entry that is neither, bears a zone, sets bits
// beyond its prefix, holds every address or overlaps another is a fault.Invalid that names it, the setting, and what is allowed.
func ParseProxies(cidrs []string) (Proxies, error) {
	type entry struct {
		network netip.Prefix
		text    string
	}
	entries := make([]entry, 0, len(cidrs))
	for _, text := range cidrs {
		network, err := parseNetwork(text)
		if err != nil {
			return Proxies{}, err
		}
		entries = append(entries, entry{network, text})
	}
	// A network that overlaps any other also overlaps its neighbour in this order.
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(a.network.Addr().Compare(b.network.Addr()), cmp.Compare(a.network.Bits(), b.network.Bits()))
	})
	var p Proxies
	for i, e := range entries {
		if i > 0 && entries[i-1].network.Overlaps(e.network) {
			return Proxies{}, fault.Invalidf("web.trusted_proxies", "has %q and %q, which overlap: leave one of them out", entries[i-1].text, e.text)
		}
		p.networks = append(p.networks, e.network)
	}
	return p, nil
}

// parseNetwork reads one entry.
func parseNetwork(text string) (netip.Prefix, error) {
	var network netip.Prefix
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		network = netip.PrefixFrom(a, a.BitLen())
	} else if network, err = netip.ParsePrefix(text); err != nil {
		return netip.Prefix{}, fault.Invalidf("web.trusted_proxies", "has %q, and must be a list of addresses and networks such as 192.0.2.7, 10.0.0.0/8 and 2001:db8::/32", text)
	}
	mapped := network.Addr().Is4In6()
	const before = 128 - 32 // bits of an IPv4-mapped address that come before the IPv4 address
	if network.Bits() == 0 || mapped && network.Bits() <= before {
		return netip.Prefix{}, fault.Invalidf("web.trusted_proxies", "has %q, which would believe anybody: name the networks of your proxies", text)
	}
	if mapped {
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-before)
	}
	if network != network.Masked() {
		return netip.Prefix{}, fault.Invalidf("web.trusted_proxies", "has %q, where bits are set beyond the prefix: write %s for the network, or %s for the one address", text, network.Masked(), network.Addr())
	}
	return network, nil
}

// few networks are looked through one by one, which is faster.
const few = 8

// trusts says whether an address, unmapped and without a zone, is a proxy's.
func (p Proxies) trusts(a netip.Addr) bool {
	if len(p.networks) <= few {
		for i := range p.networks {
			if p.networks[i].Contains(a) {
				return true
			}
		}
		return false
	}
	// Of networks that do not overlap, only the last one that begins at a or before can hold it.
	i, begins := slices.BinarySearchFunc(p.networks, a, func(n netip.Prefix, a netip.Addr) int { return n.Addr().Compare(a) })
	return begins || i > 0 && p.networks[i-1].Contains(a)
}

// maxHeader bounds the length of a header's name, in bytes.
const maxHeader = 64

// CheckHeader says whether a header may be named as the one that bears the visitor's address: "" (none is named) or a header's name of at most 64
// bytes, but not one that has another meaning and that anybody may send. The error is a fault.Invalid for web.client_header.
func CheckHeader(name string) error {
	if name == "" {
		return nil
	}
	if len(name) > maxHeader || strings.ContainsFunc(name, notToken) {
		return fault.Invalidf("web.client_header", "is %q, and must be empty or the name of a header, such as CF-Connecting-IP, of at most %d letters, digits and hyphens", name, maxHeader)
	}
	if lower := strings.ToLower(name); hasMeaning(lower) {
		return fault.Invalidf("web.client_header", "is %q, which bears no address: name the header that your proxy writes the visitor's address in, such as CF-Connecting-IP, X-Real-IP or X-Forwarded-For", name)
	}
	return nil
}

// notToken says whether a character may not stand in a header's name.
func notToken(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// hasMeaning says whether a header, in lower case, is known to be about something else than addresses.
func hasMeaning(name string) bool {
	for _, family := range [...]string{"accept", "access-control-", "content-", "if-", "proxy-", "sec-"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	switch name {
	case "authorization", "cache-control", "connection", "cookie", "cookie2", "date", "dnt", "expect", "from", "host", "keep-alive", "link", "max-forwards",
		"origin", "pragma", "priority", "purpose", "range", "referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via",
		"x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto", "x-forwarded-server", "x-requested-with":
		return true
	}
	return false
}
