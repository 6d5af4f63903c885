package geo

import (
	"errors"
	"net/netip"

	"github.com/oschwald/maxminddb-golang"
)

// How much of a new file is read before it is used, for IPv4 and again for IPv6.
const (
	probes   = 64     // records
	maxSteps = 10_000 // networks on the way to them
)

// probe reads the first records of a file, and demands a country among them.
func (f *file) probe() error {
	countries, err := f.count(netip.IPv4Unspecified())
	if err == nil && f.db.Metadata.IPVersion == 6 {
		var more int
		more, err = f.count(netip.AddrFrom16([16]byte{0x20})) // where public addresses start
		countries += more
	}
	if err == nil && countries == 0 {
		err = errors.New("it holds no countries")
	}
	return err
}

// count reads records from addr on and returns how many of them have a country. (The reader's own walk through all networks would decode
// them before anybody could look whether they are sound.)
func (f *file) count(addr netip.Addr) (countries int, err error) {
	read := 0
	for step := 0; addr.IsValid() && read < probes && step < maxSteps; step++ {
		offset, err := f.db.LookupOffset(addr.AsSlice())
		if err != nil {
			return 0, errDamaged
		}
		if offset == maxminddb.NotFound {
			addr = f.afterGap(addr)
			continue
		}
		p, err := f.read(offset, addr)
		if err != nil {
			return 0, errDamaged
		}
		if p.country != "" {
			countries++
		}
		read++
		addr = after(addr, lookupBits(addr))
	}
	return countries, nil
}

// afterGap returns the first address after the network around addr that a file knows nothing of.
func (f *file) afterGap(addr netip.Addr) netip.Addr {
	var nothing struct{}
	network, _, err := f.db.LookupNetwork(addr.AsSlice(), &nothing)
	if err != nil {
		return netip.Addr{}
	}
	bits, all := network.Mask.Size()
	if all != addr.BitLen() {
		bits = 0 // all of IPv4 is one gap in IPv6
	}
	return after(addr, min(bits, lookupBits(addr)))
}

// after returns the first address after the network of so many bits around addr, and none after the last.
func after(addr netip.Addr, bits int) netip.Addr {
	b := addr.AsSlice()
	for i := range b {
		if keep := bits - 8*i; keep < 8 {
			b[i] |= 0xff >> max(keep, 0)
		}
	}
	last, _ := netip.AddrFromSlice(b)
	return last.Next()
}
