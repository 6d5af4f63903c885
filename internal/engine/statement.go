package engine

import "strings"

// statement is a query text taken apart as far as this package needs: an INSERT with data is run by other calls than everything else.
type statement struct {
	sql    string // without FORMAT and what follows, or without VALUES and what follows, where data is to come
	format string // the format named in the text; "" if none
	insert bool   // data follows: inline, in the body, or both
	inline string // data that stood in the text behind FORMAT or VALUES
	file   bool   // INTO OUTFILE or FROM INFILE: the library would open a file, a server does not
}

// parseStatement looks at the keywords outside of brackets, quotes and comments. It does not check the syntax: the engine does.
func parseStatement(text string) statement {
	st := statement{sql: text}
	var previous string
	first := true
	inserting := false
	for lex := (lexer{text: text}); lex.next(); {
		word := strings.ToUpper(lex.word())
		if first {
			inserting = word == "INSERT"
			first = false
		}
		switch {
		case word == "INFILE" && previous == "FROM", word == "OUTFILE" && previous == "INTO":
			st.file = true
		case inserting && (word == "SELECT" || word == "WITH" || word == "WATCH"):
			inserting = false
		case inserting && word == "VALUES":
			return statement{sql: text[:lex.start], format: "Values", insert: true, inline: text[lex.end:], file: st.file}
		case previous == "FORMAT" && inserting:
			return statement{sql: text[:lex.previous], format: lex.word(), insert: true, inline: text[lex.end:], file: st.file}
		case previous == "FORMAT":
			st.format = lex.word()
		}
		previous = word
	}
	if inserting {
		st.insert, st.format = true, "Values"
	}
	return st
}

// lexer walks over the words of a query text that stand outside of brackets, quotes and comments.
type lexer struct {
	text       string
	start, end int // the word
	previous   int // start of the word before
	depth      int // open brackets
}

func (l *lexer) word() string { return l.text[l.start:l.end] }

// next goes to the next word and says whether there is one.
func (l *lexer) next() bool {
	l.previous = l.start
	for i := l.end; i < len(l.text); {
		c := l.text[i]
		switch {
		case c == '\'' || c == '"' || c == '`':
			i = l.skipQuoted(i)
		case strings.HasPrefix(l.text[i:], "--"), strings.HasPrefix(l.text[i:], "# "), strings.HasPrefix(l.text[i:], "#!"):
			i = l.skipTo(i, "\n")
		case strings.HasPrefix(l.text[i:], "/*"):
			i = l.skipTo(i+2, "*/")
		case c == '$':
			i = l.skipHeredoc(i)
		case c == '(' || c == '[' || c == '{':
			l.depth++
			i++
		case c == ')' || c == ']' || c == '}':
			l.depth--
			i++
		case isWordByte(c):
			j := i + 1
			for j < len(l.text) && isWordByte(l.text[j]) {
				j++
			}
			if l.depth <= 0 {
				l.start, l.end = i, j
				return true
			}
			i = j
		default:
			i++
		}
	}
	return false
}

// skipQuoted returns the place behind the quoted text that begins at i; a backslash or a doubled quote does not end it.
func (l *lexer) skipQuoted(i int) int {
	quote := l.text[i]
	for i++; i < len(l.text); i++ {
		switch l.text[i] {
		case '\\':
			i++
		case quote:
			if i+1 >= len(l.text) || l.text[i+1] != quote {
				return i + 1
			}
			i++
		}
	}
	return len(l.text)
}

// skipHeredoc returns the place behind $tag$...$tag$, or behind the dollar where none begins at i.
func (l *lexer) skipHeredoc(i int) int {
	j := i + 1
	for j < len(l.text) && isWordByte(l.text[j]) {
		j++
	}
	if j >= len(l.text) || l.text[j] != '$' {
		return i + 1
	}
	tag := l.text[i : j+1]
	if !strings.Contains(l.text[j+1:], tag) {
		return j + 1
	}
	return l.skipTo(j+1, tag)
}

func (l *lexer) skipTo(i int, end string) int {
	n := strings.Index(l.text[min(i, len(l.text)):], end)
	if n < 0 {
		return len(l.text)
	}
	return i + n + len(end)
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
