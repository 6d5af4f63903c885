package salt

import (
	"encoding/binary"
	"net/netip"

	"github.com/dchest/siphash"
)

// maxAgent bounds how much of a user agent is hashed, in bytes. Real ones are shorter; two that differ only beyond it are one visitor.
const maxAgent = 512

// message has room for what is hashed.
type message [4 + 1 + 16 + 2 + maxAgent]byte

// visitor is what a number is made of.
type visitor struct {
	siteID  uint32
	address netip.Addr
	agent   string
}

// append writes the length before each part: "1.2.3.4" and an agent can never be cut in two ways that hash alike.
func (v *visitor) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, v.siteID)
	raw, size := v.address.Unmap().As16(), byte(16)
	if v.address.Unmap().Is4() {
		size = 4
	}
	dst = append(dst, size)
	dst = append(dst, raw[16-size:]...)
	agent := v.agent[:min(len(v.agent), maxAgent)]
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(agent)))
	return append(dst, agent...)
}

// number hashes a visitor under the slot's key, as long as the slot is in the given state. If it is not, ok is false and nothing was hashed.
//
// The words of the key are arguments of siphash.Hash, which takes them on the stack, and the message holds address and agent: all of it is gone
// when erasing returns.
func (s *slot) number(state uint64, v *visitor) (number uint64, ok bool) {
	erasing(func() {
		var buf message
		b := v.append(buf[:0])
		k0, k1 := s.key[0].Load(), s.key[1].Load()
		if s.state.Load() != state {
			return
		}
		number, ok = siphash.Hash(k0, k1, b), true
	})
	if number == 0 {
		number = 1 // 0 says that no number was made
	}
	return number, ok
}
