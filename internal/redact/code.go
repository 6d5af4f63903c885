package redact

// minGroup is the length of a code's groups, at least.
const minGroup = 4

// code is what was seen of groups of one length, such as 7GK2M-QW3RT-9XCVB-4HJKL.
type code struct {
	groups  int
	points  int       // what speaks for chance: about two for each group in a code, one at most in names of models and sizes
	turns   int       // groups that go from letters to digits and back, or the other way round
	letters int       // groups without a digit
	shapes  [3]uint64 // of the mixed, where they differ: where their digits are
	hex     bool      // all are hexadecimal
	small   bool      // there is a small letter
	capital bool      // there is a capital
}

// codeIn finds groups of one length, at least minToken characters with what is between them, that look like a licence key, a backup code or the like.
func codeIn(run string) (start, end int) {
	for from := 0; from < len(run); {
		to := pieceEnd(run, from)
		size := to - from
		last := from
		if size >= minGroup && twin(run, to, size) {
			c := code{hex: true}
			c.add(run[from:to])
			for twin(run, to, size) && c.add(run[to+1:to+1+size]) {
				last = to + 1
				to = last + size
			}
			if to-from >= minToken && c.chance(size) {
				return from, to
			}
		}
		if last > from {
			from = last // which may begin a code with another case
		} else {
			from += size + 1
		}
	}
	return -1, 0
}

// twin reports whether a group of a size is behind the one that ends at i.
func twin(run string, i, size int) bool {
	return i+1+size <= len(run) && pieceEnd(run, i+1) == i+1+size
}

// add reports whether a group may be of the same code as those before it, and adds what speaks for it. A code has capitals or small letters.
func (c *code) add(group string) bool {
	var shape uint64
	turns, odd := 0, 0
	hex, small, capital := c.hex, c.small, c.capital
	for i := range len(group) {
		b := group[i]
		hex = hex && isHex(b)
		digit := isDigit(b)
		small = small || b >= 'a'
		capital = capital || !digit && b < 'a'
		if digit {
			shape |= 1 << (i & 63)
		}
		if i == 0 {
			continue
		}
		a := group[i-1]
		switch {
		case digit != isDigit(a):
			turns++
		case !digit && a != b && pairs[a|0x20-'a']>>(b|0x20-'a')&1 == 0:
			odd++
		}
	}
	if small && capital {
		return false
	}
	c.hex, c.small, c.capital = hex, small, capital
	c.groups++
	switch {
	case turns >= 2:
		c.turns++
		c.points += 2 + min(odd, 1)
	case turns == 1:
		c.points++
	default:
		c.points += min(odd, 2)
	}
	if turns > 0 {
		c.remember(shape)
	} else if shape == 0 {
		c.letters++
	}
	return true
}

// remember adds the shape of a group with letters and digits.
func (c *code) remember(shape uint64) {
	for i, known := range c.shapes {
		if known == 0 {
			c.shapes[i] = shape
		}
		if known == 0 || known == shape {
			return
		}
	}
}

// chance reports whether groups of a size are a code. Lists of models, sizes and abbreviations have digits at the same places, or in one piece.
func (c *code) chance(size int) bool {
	switch {
	case c.hex && c.shapes[1] != 0:
		return true
	case c.points < c.groups, c.points == c.groups && !c.capital:
		return false
	case c.letters == c.groups:
		return c.capital && size > minGroup && c.groups > 3
	}
	return c.shapes[2] != 0 || c.shapes[1] != 0 && c.turns > 0
}
