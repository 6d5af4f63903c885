package geo

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"testing"
)

// shape makes the record for a country as a maker of databases would.
type shape func(country string) map[string]any

func maxMindShape(country string) map[string]any {
	return map[string]any{
		"continent": map[string]any{"code": "EU", "geoname_id": uint32(6255148)},
		"country":   map[string]any{"geoname_id": uint32(2921044), "iso_code": country, "names": map[string]any{"en": "Country"}},
	}
}

func flatShape(country string) map[string]any { return map[string]any{"country_code": country} }

func plainShape(country string) map[string]any { return map[string]any{"country": country} }

// write makes a database of the given kind at path, with the countries of networks in it, and returns path.
func write(t *testing.T, path, kind string, networks map[string]string, record shape) string {
	t.Helper()
	next := path + ".new"
	if err := os.WriteFile(next, encode(6, kind, networks, record), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func temp(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "test.mmdb")
}

// encode writes a database in MaxMind's format: a binary tree with 24 bits for each record, the data, and what it says of itself.
func encode(ipVersion uint16, kind string, networks map[string]string, record shape) []byte {
	const empty = -1
	tree := [][2]int{{empty, empty}} // a child is a node, or empty, or -2-offset of its data
	var data []byte
	cidrs := make([]string, 0, len(networks))
	for cidr := range networks {
		cidrs = append(cidrs, cidr)
	}
	sort.Strings(cidrs)
	for _, cidr := range cidrs {
		offset := len(data)
		data = appendValue(data, record(networks[cidr]))
		ip, n := treeBits(netip.MustParsePrefix(cidr), ipVersion)
		node := 0
		for i := range n {
			bit := ip[i/8] >> (7 - i%8) & 1
			if i == n-1 {
				tree[node][bit] = -2 - offset
				break
			}
			if tree[node][bit] == empty {
				tree[node][bit] = len(tree)
				tree = append(tree, [2]int{empty, empty})
			}
			node = tree[node][bit]
		}
	}
	var out []byte
	for _, node := range tree {
		for _, child := range node {
			switch {
			case child == empty:
				child = len(tree)
			case child < empty:
				child = len(tree) + 16 - 2 - child
			}
			out = append(out, byte(child>>16), byte(child>>8), byte(child))
		}
	}
	out = append(out, make([]byte, 16)...)
	out = append(out, data...)
	out = append(out, "\xAB\xCD\xEFMaxMind.com"...)
	return appendValue(out, map[string]any{
		"binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0), "build_epoch": uint32(1780000000),
		"database_type": kind, "description": map[string]any{}, "ip_version": ipVersion, "node_count": uint32(len(tree)), "record_size": uint16(24),
	})
}

// treeBits returns the way of a network through the tree. IPv4 stands at the start of IPv6.
func treeBits(p netip.Prefix, ipVersion uint16) ([]byte, int) {
	if p.Addr().Is6() || ipVersion == 4 {
		return p.Addr().AsSlice(), p.Bits()
	}
	return append(make([]byte, 12), p.Addr().AsSlice()...), 96 + p.Bits()
}

// appendValue appends a value of the data section. Strings are shorter than 285 bytes.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		if len(v) >= 29 {
			return append(append(b, 2<<5|29, byte(len(v)-29)), v...)
		}
		return append(append(b, 2<<5|byte(len(v))), v...)
	case uint16:
		return binary.BigEndian.AppendUint16(append(b, 5<<5|2), v)
	case uint32:
		return binary.BigEndian.AppendUint32(append(b, 6<<5|4), v)
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		b = append(b, 7<<5|byte(len(v)))
		for _, k := range keys {
			b = appendValue(appendValue(b, k), v[k])
		}
		return b
	}
	panic("not a value of the format")
}
