package web

import (
	"bytes"

	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"

	"github.com/daysalt/daysalt/internal/address"
)

// head is what is read of an event's header section, in one pass. What it holds are views of the request.
type head struct {
	hosts, lengths, encodings int  // lines of Host, Content-Length, Transfer-Encoding
	folded                    bool // a line goes on in the next

	gpc, dnt                 []byte // Sec-GPC, DNT
	optedOut                 bool   // the opt-out cookie is there
	coding                   []byte // Content-Encoding
	language, purpose        []byte // Accept-Language, Sec-Purpose
	brands, platform, mobile []byte // client hints

	section []byte // from the first to the last line that may say who sent the request
}

// read reads the header section of a request. only is the one header that may say who sent it; "" for those that address knows.
func (h *head) read(header *fasthttp.RequestHeader, only string) {
	raw := header.RawHeaders()
	first, last := -1, 0
	for at := 0; at < len(raw); {
		end := at + bytes.IndexByte(raw[at:], '\n')
		if end < at {
			end = len(raw)
		}
		if line := raw[at:end]; h.take(line) || only != "" && named(line, only) {
			if first < 0 {
				first = at
			}
			last = end
		}
		at = end + 1
	}
	if h.folded {
		first, last = 0, len(raw)
	}
	if first >= 0 {
		h.section = raw[first:last]
	}
	if h.folded || h.encodings > 0 {
		h.peek(header) // it reads folded lines its own way, and adds the trailers behind a chunked body
	}
}

// take reads a line, and says whether it is one of those that address knows.
func (h *head) take(line []byte) bool {
	if len(line) == 0 {
		return false
	}
	switch line[0] {
	case 'h', 'H':
		h.hosts += one(named(line, "Host"))
	case 'c', 'C':
		switch {
		case named(line, "Content-Length"):
			h.lengths++
		case named(line, "Content-Encoding"):
			keepFirst(&h.coding, line, len("Content-Encoding"))
		case named(line, "Cookie"):
			h.optedOut = h.optedOut || hasOptOut(line[len("Cookie:"):])
		}
	case 'd', 'D':
		if named(line, "Dnt") {
			keepFirst(&h.dnt, line, len("Dnt"))
		}
	case 't', 'T':
		h.encodings += one(named(line, "Transfer-Encoding"))
	case 's', 'S':
		h.takeSec(line)
	case 'a', 'A':
		if named(line, "Accept-Language") {
			keepFirst(&h.language, line, len("Accept-Language"))
		}
	case 'x', 'X':
		return named(line, "X-Forwarded-For")
	case 'f', 'F':
		return named(line, "Forwarded")
	case ' ', '\t':
		h.folded = true
	}
	return false
}

// takeSec reads a line whose name may begin with Sec-.
func (h *head) takeSec(line []byte) {
	for _, f := range [...]struct {
		name string
		to   *[]byte
	}{
		{"Sec-Gpc", &h.gpc},
		{"Sec-Purpose", &h.purpose},
		{"Sec-Ch-Ua", &h.brands},
		{"Sec-Ch-Ua-Platform", &h.platform},
		{"Sec-Ch-Ua-Mobile", &h.mobile},
	} {
		if named(line, f.name) {
			keepFirst(f.to, line, len(f.name))
			return
		}
	}
}

// peek asks fasthttp for what the section was read for.
func (h *head) peek(header *fasthttp.RequestHeader) {
	h.gpc, h.dnt, h.coding = header.Peek("Sec-Gpc"), header.Peek("Dnt"), header.Peek("Content-Encoding")
	for _, cookies := range header.PeekAll("Cookie") {
		h.optedOut = h.optedOut || hasOptOut(cookies)
	}
	h.language, h.purpose = header.Peek("Accept-Language"), header.Peek("Sec-Purpose")
	h.brands, h.platform, h.mobile = header.Peek("Sec-Ch-Ua"), header.Peek("Sec-Ch-Ua-Platform"), header.Peek("Sec-Ch-Ua-Mobile")
}

// ambiguous says whether a proxy before us could have read the request in another way than fasthttp does: two bodies in one, several Hosts or none.
func (h *head) ambiguous() bool {
	return h.hosts != 1 || h.lengths+h.encodings > 1
}

// sender is what the request says about where it came from. The lines are as they came: fasthttp adds to the headers that it parsed the trailers
// behind a chunked body, which a proxy may pass on as the client wrote them.
func (h *head) sender(only string) address.Headers {
	return address.Headers{Section: utils.UnsafeString(h.section), Only: only}
}

// named says whether a line is one of a header.
func named(line []byte, name string) bool {
	return len(line) > len(name) && line[len(name)] == ':' && (string(line[:len(name)]) == name || bytes.EqualFold(line[:len(name)], []byte(name)))
}

// keepFirst sets a field, where nothing was before, to the value of a line whose name has n bytes, as fasthttp cuts it out.
func keepFirst(field *[]byte, line []byte, n int) {
	if *field != nil {
		return
	}
	value := line[n+1:]
	for len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	value = bytes.TrimSuffix(value, []byte("\r"))
	for len(value) > 0 && value[len(value)-1] == ' ' {
		value = value[:len(value)-1]
	}
	*field = value
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
