package ingest

import (
	"strings"

	"github.com/daysalt/daysalt/internal/event"
)

// own is what a hit's texts must not repeat: the visitor's own address and agent. A page that shows visitors their address has it in its properties.
type own struct {
	room    [48]byte
	address string // a view of room; "" for none
	upper   string // the same in capital letters, where there are letters
	capital [48]byte
	agent   string
}

// minAgent is the shortest agent that is looked for, in bytes: a shorter one is a word.
const minAgent = 8

// of notes the address and agent of a hit.
func (o *own) of(h *Hit) {
	o.address, o.upper, o.agent = "", "", ""
	if h.Address.IsValid() {
		text := h.Address.AppendTo(o.room[:0])
		o.address = view(text)
		if h.Address.Is6() {
			capital := o.capital[:len(text)]
			for i, c := range text {
				if c >= 'a' && c <= 'f' {
					c -= 'a' - 'A'
				}
				capital[i] = c
			}
			o.upper = view(capital)
		}
	}
	if len(h.Agent) >= minAgent {
		o.agent = h.Agent
	}
}

// withoutOwn returns a text with {ip} and {agent} where it repeats the visitor's address and agent.
func (w *work) withoutOwn(text string) string {
	if len(text) < len("::") {
		return text
	}
	text = w.replace(text, w.own.address, "{ip}")
	text = w.replace(text, w.own.upper, "{ip}")
	return w.replace(text, w.own.agent, "{agent}")
}

// replace returns a text in which every old is a new.
func (w *work) replace(text, old, to string) string {
	if old == "" || len(text) < len(old) || !strings.Contains(text, old) {
		return text
	}
	from := len(w.scratch)
	for {
		before, after, found := strings.Cut(text, old)
		w.scratch = append(w.scratch, before...)
		if !found {
			return view(w.scratch[from:])
		}
		w.scratch = append(w.scratch, to...)
		text = after
	}
}

// release makes work ready for the next hit, without a view of this one's. Only what was used is cleared: all of it is some kilobytes.
func (w *work) release() {
	used := min(w.payload.props+1, maxProps) // fillProps may have added one
	clear(w.keys[:used])
	clear(w.values[:used])
	w.payload.release()
	w.page, w.event, w.own = page{}, event.Event{}, own{}
	w.scratch, w.frame = w.scratch[:0], w.frame[:0]
}
