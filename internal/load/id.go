package load

// IDLetters is how long the text of an id is.
const IDLetters = 16

// numberBits is how many bits of an id count a generator's events; the others are its seed's.
const numberBits = 40

// AppendID appends the text of an id: sixteen of the letters a to p, each for four bits, highest first. Letters alone, fewer than twenty side by side, are
// what redaction never takes for somebody's number or token.
func AppendID(dst []byte, id uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, 'a'+byte(id>>shift&15))
	}
	return dst
}

// ParseID reads what AppendID wrote; ok is false for anything else.
func ParseID(text string) (id uint64, ok bool) {
	if len(text) != IDLetters {
		return 0, false
	}
	for i := range len(text) {
		c := text[i] - 'a'
		if c > 15 {
			return 0, false
		}
		id = id<<4 | uint64(c)
	}
	return id, true
}

// NumberOf returns the place of an id among those of its generator, from 1.
func NumberOf(id uint64) uint64 { return id & (1<<numberBits - 1) }

// SeedOf returns the low 24 bits of the seed of an id's generator.
func SeedOf(id uint64) uint64 { return id >> numberBits }
