package ingest

import (
	"strconv"
	"strings"
)

// Limits of Plausible's wire format, in bytes where nothing else is said.
const (
	maxName      = 120 // characters
	maxURL       = 2000
	maxReferrer  = 2000
	maxProps     = 30
	maxPropKey   = 300
	maxPropValue = 2000
	maxDomains   = 10
	maxEngagedMS = 30 * 24 * 3600 * 1000
)

// BadEvent says which fields of a body are wrong. Its text names fields and rules, never what a visitor sent.
type BadEvent struct {
	Fields []FieldError
}

// FieldError is one wrong field.
type FieldError struct {
	Field   string // long name on the wire, or "request" for the body as a whole
	Message string
}

// Error lists the fields.
func (b *BadEvent) Error() string {
	parts := make([]string, len(b.Fields))
	for i, f := range b.Fields {
		parts[i] = f.Field + " " + f.Message
	}
	return strings.Join(parts, "; ")
}

// engagement is the name of the events that say how long and how far a page was read.
const engagement = "engagement"

// payload is a decoded body. Its strings are views of the body or the scanner's scratch.
type payload struct {
	members
	scan         scanner
	bad          BadEvent
	keys, values [maxProps]string // the first props of them; the others are empty
}

// members is what a body's members say, but for the properties.
type members struct {
	seen uint32 // one bit for each field

	name, url, domain, referrer string
	props                       int
	interactive                 bool
	hash                        bool
	automated                   bool
	hasScroll, hasEngaged       bool
	scroll                      uint8
	engagedMS                   uint32

	imported     bool // the body is a line of a file, and these are its own
	time, ip, ua string
}

// field is what a member means, whatever its spelling.
type field uint8

const (
	fieldUnknown field = iota
	fieldName
	fieldURL
	fieldDomain
	fieldReferrer
	fieldProps
	fieldInteractive
	fieldHash
	fieldScroll
	fieldEngaged
	fieldAutomated
	fieldTime // this one and those behind it are members of a file's lines only
	fieldIP
	fieldUA
)

var fieldNames = [...]string{"", "name", "url", "domain", "referrer", "props", "interactive", "hashMode", "scrollDepth", "engagementTime", "automated", "time", "ip", "ua"}

// fieldOf maps both spellings of a member. Revenue, version and screen width are accepted and not used yet.
func fieldOf(key []byte) field {
	switch string(key) {
	case "n", "name":
		return fieldName
	case "u", "url":
		return fieldURL
	case "d", "domain":
		return fieldDomain
	case "r", "referrer":
		return fieldReferrer
	case "p", "props", "m", "meta":
		return fieldProps
	case "i", "interactive":
		return fieldInteractive
	case "h", "hashMode":
		return fieldHash
	case "sd", "scrollDepth":
		return fieldScroll
	case "e", "engagementTime":
		return fieldEngaged
	case "b", "automated":
		return fieldAutomated
	case "time":
		return fieldTime
	case "ip":
		return fieldIP
	case "ua":
		return fieldUA
	}
	return fieldUnknown
}

// decode reads a body, or a line of a file. The error is nil, or *BadEvent naming every wrong field.
func (p *payload) decode(body []byte, imported bool) *BadEvent {
	p.release()
	p.interactive, p.imported = true, imported
	p.scan.data = body
	err := p.scan.object(p.member)
	if err == nil {
		err = p.scan.end()
	}
	if err != nil {
		p.bad.Fields = append(p.bad.Fields[:0], FieldError{"request", err.Error()})
		return &p.bad
	}
	p.check()
	if len(p.bad.Fields) > 0 {
		return &p.bad
	}
	return nil
}

// release forgets the body.
func (p *payload) release() {
	p.dropProps()
	p.members = members{}
	p.bad = BadEvent{}
	p.scan = scanner{scratch: p.scan.scratch[:0]}
}

func (p *payload) dropProps() {
	clear(p.keys[:p.props])
	clear(p.values[:p.props])
	p.props = 0
}

func (p *payload) wrong(f field, message string) {
	p.bad.Fields = append(p.bad.Fields, FieldError{fieldNames[f], message})
}

func (p *payload) member(key []byte) error {
	f := fieldOf(key)
	t, err := p.scan.value(2)
	if err != nil {
		return err
	}
	if f == fieldUnknown || t.kind == '0' || f >= fieldTime && !p.imported {
		return nil
	}
	if p.seen&(1<<f) != 0 {
		p.wrong(f, "is given twice")
		return nil
	}
	p.seen |= 1 << f
	switch f {
	case fieldName:
		if t.kind != 's' && !isInteger(t) {
			p.wrong(f, "must be a string")
			return nil
		}
		p.name = view(t.text)
	case fieldURL:
		p.url = p.string(f, t)
	case fieldDomain:
		p.domain = p.string(f, t)
	case fieldReferrer:
		p.referrer = cut(p.string(f, t), maxReferrer)
	case fieldProps:
		p.readProps(t)
	case fieldTime:
		p.time = p.string(f, t)
	case fieldIP:
		p.ip = p.string(f, t)
	case fieldUA:
		p.ua = p.string(f, t)
	default:
		p.scalar(f, t)
	}
	return nil
}

// scalar reads the members that are numbers or booleans.
func (p *payload) scalar(f field, t token) {
	number, isNumber := t.float()
	truth, isBool := t.kind == 't', t.kind == 't' || t.kind == 'f'
	switch f {
	case fieldInteractive:
		if !isBool {
			p.wrong(f, "must be true or false")
			return
		}
		p.interactive = truth
	case fieldHash, fieldAutomated:
		if !isBool && !isNumber {
			p.wrong(f, "must be true, false, 1 or 0")
			return
		}
		on := truth || number != 0
		if f == fieldHash {
			p.hash = on
		} else {
			p.automated = on
		}
	case fieldScroll:
		if !isNumber {
			p.wrong(f, "must be a number from 0 to 100")
			return
		}
		p.scroll, p.hasScroll = uint8(min(max(number, 0), 100)), true
	case fieldEngaged:
		if !isNumber {
			p.wrong(f, "must be a number of milliseconds")
			return
		}
		p.hasEngaged = true
		if number >= 0 && number <= maxEngagedMS {
			p.engagedMS = uint32(number)
		}
	default: // member reads the other fields
	}
}

func (p *payload) string(f field, t token) string {
	if t.kind != 's' {
		p.wrong(f, "must be a string")
		return ""
	}
	return view(t.text)
}

// readProps takes an object, or JSON text of one. Anything else is ignored, as Plausible does.
func (p *payload) readProps(t token) {
	if t.kind != '{' && t.kind != 's' {
		return
	}
	// Its own position, the shared scratch: the outer scanner must go on where it is.
	inner := scanner{data: t.text, scratch: p.scan.scratch}
	err := inner.object(func(key []byte) error {
		v, err := inner.value(3)
		if err == nil {
			p.addProp(key, v)
		}
		return err
	})
	p.scan.scratch = inner.scratch
	if err != nil || inner.end() != nil {
		p.dropProps()
	}
}

func (p *payload) addProp(key []byte, v token) {
	text := v.text
	switch v.kind {
	case 't':
		text = []byte("true")
	case 'f':
		text = []byte("false")
	case '0', '{', '[':
		return
	}
	value := view(text)
	switch {
	case strings.TrimSpace(value) == "" || p.props == maxProps:
	case len(key) > maxPropKey:
		p.wrong(fieldProps, "has a key longer than "+strconv.Itoa(maxPropKey)+" bytes")
	case len(value) > maxPropValue:
		p.wrong(fieldProps, "has a value longer than "+strconv.Itoa(maxPropValue)+" bytes")
	case hasControl(view(key)) || strings.Contains(value, "\x00"):
		p.wrong(fieldProps, "must not hold control characters")
	default:
		p.keys[p.props], p.values[p.props] = view(key), value
		p.props++
	}
}

// check applies the rules that need the whole body.
func (p *payload) check() {
	p.name = strings.TrimSpace(p.name)
	switch {
	case p.flagged(fieldName):
	case p.name == "":
		p.wrong(fieldName, "is required")
	case len(p.name) > maxName && runeCount(p.name) > maxName:
		p.wrong(fieldName, "must be at most "+strconv.Itoa(maxName)+" characters")
	case p.hasControl(p.name):
		p.wrong(fieldName, "must not hold control characters")
	case p.name == engagement && !p.hasScroll && !p.hasEngaged:
		p.wrong(fieldEngaged, "or scrollDepth is required with an engagement event")
	}
	switch {
	case p.flagged(fieldURL):
	case p.url == "":
		p.wrong(fieldURL, "is required")
	case len(p.url) > maxURL:
		p.wrong(fieldURL, "must be at most "+strconv.Itoa(maxURL)+" bytes")
	case p.hasControl(p.url):
		p.wrong(fieldURL, "must not hold control characters")
	}
	switch {
	case p.flagged(fieldDomain):
	case p.seen&(1<<fieldDomain) != 0 && blank(p.domain):
		p.wrong(fieldDomain, "must not be blank")
	case p.hasControl(p.domain):
		p.wrong(fieldDomain, "must not hold control characters")
	case strings.Count(p.domain, ",") >= maxDomains:
		p.wrong(fieldDomain, "must name at most "+strconv.Itoa(maxDomains)+" sites")
	}
	if !p.flagged(fieldReferrer) && p.hasControl(p.referrer) {
		p.wrong(fieldReferrer, "must not hold control characters")
	}
}

// hasControl says whether there is a control character in a member that was read from the body.
func (p *payload) hasControl(text string) bool { return p.scan.odd && hasControl(text) }

// blank says whether a list of sites names none.
func blank(domain string) bool {
	for i := range len(domain) {
		if domain[i] != ' ' && domain[i] != ',' {
			return false
		}
	}
	return true
}

func (p *payload) flagged(f field) bool {
	for _, e := range p.bad.Fields {
		if e.Field == fieldNames[f] {
			return true
		}
	}
	return false
}

func isInteger(t token) bool {
	return t.kind == 'n' && !strings.ContainsAny(view(t.text), ".eE")
}
