package query

import "strings"

// quoteArray writes values as the text of an Array(String) parameter: a list of quoted strings, in which the engine reads backslash escapes. The text
// is what a parameter holds; a transport that puts it into SQL or a URL escapes it once more by its own rules.
func quoteArray(values []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\'')
		for j := range len(v) {
			switch c := v[j]; c {
			case '\\', '\'':
				b.WriteByte('\\')
				b.WriteByte(c)
			case 0:
				b.WriteString(`\0`)
			case '\n':
				b.WriteString(`\n`)
			case '\r':
				b.WriteString(`\r`)
			case '\t':
				b.WriteString(`\t`)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('\'')
	}
	b.WriteByte(']')
	return b.String()
}
