package salt

import (
	"encoding/binary"
	"net/netip"

	"github.com/dchest/siphash"
)

// maxAgent bounds how much of a user agent is hashed, in bytes. Real ones are shorter; two that differ only beyond it are one visitor.
const maxAgent = 512

// usualAgent is the length that most user agents stay below, in bytes. To wipe the room for the longest would cost more than to hash these.
const usualAgent = 160

// message has room for what is hashed, and usual for what mostly is.
type (
	message [4 + 1 + 16 + 2 + maxAgent]byte
	usual   [4 + 1 + 16 + 2 + usualAgent]byte
)

// visitor is what a number is made of.
type visitor struct {
	siteID  uint32
	address netip.Addr
	agent   string
}

// append writes the length before each part: "1.2.3.4" and an agent can never be cut in two ways that hash alike.
func (v *visitor) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, v.siteID)
	if address := v.address.Unmap(); address.Is4() {
		raw := address.As4()
		dst = append(append(dst, 4), raw[:]...)
	} else {
		raw := address.As16()
		dst = append(append(dst, 16), raw[:]...)
	}
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
		if len(v.agent) <= usualAgent {
			var buf usual
			number, ok = s.hash(state, v.append(buf[:0]))
		} else {
			var buf message
			number, ok = s.hash(state, v.append(buf[:0]))
		}
	})
	if number == 0 {
		number = 1 // 0 says that no number was made
	}
	return number, ok
}

// hash hashes a message for number.
func (s *slot) hash(state uint64, message []byte) (number uint64, ok bool) {
	k0, k1 := s.key[0].Load(), s.key[1].Load()
	if s.state.Load() != state {
		return 0, false
	}
	return siphash.Hash(k0, k1, message), true
}
