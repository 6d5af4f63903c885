package geo

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/oschwald/maxminddb-golang"
)

// The tree finds what the reader finds, whatever the file's own tree looks like.
func TestTree(t *testing.T) {
	files, near := treeFiles(t)
	for name, b := range files {
		db, err := maxminddb.FromBytes(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v4 := newTree(db.Metadata, b[:db.Metadata.NodeCount*db.Metadata.RecordSize/4])
		found := 0
		random := rand.New(rand.NewPCG(1, 2))
		for i := range 20000 {
			var ip [4]byte
			binary.BigEndian.PutUint32(ip[:], random.Uint32())
			if i%2 == 0 { // nearer to a network of 28 bits
				ip = near[random.IntN(len(near))]
				ip[3] = byte(random.Uint32()) & 0x3f
			}
			want, err := db.LookupOffset(ip[:])
			got, ok := v4.offset(ip)
			if has := err == nil && want != maxminddb.NotFound; has != ok || ok && got != want {
				t.Fatalf("%s: %s is at %d (%v), want %d (%v)", name, netip.AddrFrom4(ip), got, ok, want, err)
			}
			if ok {
				found++
			}
		}
		if found == 0 || found == 20000 {
			t.Errorf("%s: %d of 20000 were found, so that nothing was compared", name, found)
		}
	}
}

// A node of 28 bits has the first four of both records in one byte.
func TestTree_record(t *testing.T) {
	nodes := tree{nodes: []byte{1, 2, 3, 0xab, 4, 5, 6}, width: 7}
	if left, right := nodes.record(0, 0), nodes.record(0, 1); left != 0xa010203 || right != 0xb040506 {
		t.Errorf("%x, %x", left, right)
	}
}

// treeFiles are files for some thousand networks, in all sizes of nodes, for IPv4 and for both.
func treeFiles(t *testing.T) (files map[string][]byte, near [][4]byte) {
	t.Helper()
	files = map[string][]byte{}
	for _, version := range []uint16{4, 6} {
		networks := map[string]string{}
		random := rand.New(rand.NewPCG(3, 4))
		for i := range 3000 {
			ip := [4]byte{byte(i % 200), byte(random.Uint32()), byte(random.Uint32()), 16 * byte(i%2)}
			bits := 24 + 4*(i%2)
			if i < 200 && i%2 == 0 {
				ip[1], ip[2], ip[3], bits = 0, 0, 0, 9 // half of these /8 stay without a smaller one
			}
			if i >= 200 && ip[1] < 128 {
				continue
			}
			near = append(near, ip)
			networks[netip.PrefixFrom(netip.AddrFrom4(ip), bits).String()] = [...]string{"DE", "FR", "CH"}[i%3]
		}
		b := encode(version, "test", networks, flatShape)
		for _, size := range []uint16{24, 28, 32} {
			files[fmt.Sprintf("version %d, %d bits", version, size)] = widened(t, b, size)
		}
	}
	return files, near
}

// widened returns a file whose records have 24 bits with larger ones. What it says of their size stands at its end.
func widened(t *testing.T, b []byte, size uint16) []byte {
	t.Helper()
	db, err := maxminddb.FromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	nodes := int(db.Metadata.NodeCount)
	if size == 24 {
		return b
	}
	var out []byte
	for i := range nodes {
		left, right := b[6*i:6*i+3], b[6*i+3:6*i+6]
		if size == 32 {
			out = append(append(append(append(out, 0), left...), 0), right...)
		} else {
			out = append(append(append(out, left...), 0), right...)
		}
	}
	return binary.BigEndian.AppendUint16(append(out, b[6*nodes:len(b)-2]...), size)
}
