// Package load makes events as real visitors do, and sends them to a server faster than visitors do.
//
// It stands before the line, where browsers are: a Generator makes requests, a Driver sends them over keep-alive connections and keeps what became of
// each. bench measures a server with it, and the tests of a server's death count with it.
//
// Invariants: the n-th request of a generator is a function of its Config alone. Every event has an id of its own, which survives redaction; the driver
// sends an id at most once, whatever happens to the connection. Each sent id is accepted, refused, dropped or unknown, and is in one of these alone.
// Latency counts from when an event was due, so that a server that stalls is not asked less for it.
//
// It imports nothing of daysalt: what a request must look like it knows from the tracker's wire format, not from the code that reads it. It judges nothing.
package load

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// Config says what a generator makes. Zero values stand for the defaults.
type Config struct {
	Seed     uint64   // the same seed makes the same requests; the low 24 bits are the high bits of all ids
	Sites    []string // domains of the sites that are visited, each as often as the others; load.example by default
	Visitors int      // how many people there are, each with an address and an agent of their own; 50,000 by default
	Pages    int      // pages of each site, of which few have most of the pageviews, at most 10,000; 500 by default
	Active   int      // visits that are under way at once; an eighth of the visitors, at most 4096, by default
	IDs      bool     // whether events have their id as their property "id"
}

func (c *Config) setDefaults() {
	if len(c.Sites) == 0 {
		c.Sites = []string{"load.example"}
	}
	if c.Visitors < 1 {
		c.Visitors = 50_000
	}
	if c.Pages < 1 {
		c.Pages = 500
	}
	c.Pages = min(c.Pages, 10_000)
	if c.Active < 1 {
		c.Active = min(max(c.Visitors/8, 1), 4096)
	}
}

// Event is one request in parts, for who needs no HTTP.
type Event struct {
	ID       uint64
	Address  netip.Addr // of the visitor
	Agent    string     // User-Agent
	Brands   string     // Sec-CH-UA, "" for none
	Platform string     // Sec-CH-UA-Platform, "" for none
	Mobile   string     // Sec-CH-UA-Mobile, "" for none
	Language string     // Accept-Language
	Body     []byte
}

// Generator makes requests. It is safe for concurrent use.
type Generator struct {
	cfg   Config
	data  *data
	pages picker
	small []string // referrers that stand for "*"
	few   picker   // of small
	sites []place
	heads []string // by agent: the request up to the visitor's address

	mu       sync.Mutex
	random   *rand.Rand
	visitors []visitor
	visits   []visit // under way
	last     uint64  // number of the newest event
	body     []byte  // the newest
	props    int     // in body
}

// visitor is somebody with an address and an agent.
type visitor struct {
	address  netip.Addr
	text     string // of the address
	agent    uint16
	language uint16
}

// New returns a generator.
func New(cfg Config) *Generator {
	cfg.setDefaults()
	g := &Generator{cfg: cfg, data: readData(), random: rand.New(rand.NewPCG(cfg.Seed, 0x6c6f6164))} //nolint:gosec // the same seed must make the same load
	g.pages = newPicker(falling(cfg.Pages))
	for range 300 {
		g.small = append(g.small, "https://www."+g.word()+g.word()+".example/")
	}
	g.few = newPicker(falling(len(g.small)))
	for _, domain := range cfg.Sites {
		g.sites = append(g.sites, g.newPlace(domain))
	}
	for _, a := range g.data.agents {
		g.heads = append(g.heads, head(a))
	}
	g.visitors = make([]visitor, cfg.Visitors)
	for i := range g.visitors {
		address := g.address()
		g.visitors[i] = visitor{address, address.String(), uint16(g.data.agent.pick(g.random)), uint16(g.data.language.pick(g.random))}
	}
	g.visits = make([]visit, cfg.Active)
	for i := range g.visits {
		g.begin(&g.visits[i])
		for range g.random.IntN(2 * len(pagesOf)) { // so that not all of them begin at once
			g.advance(&g.visits[i])
		}
	}
	return g
}

// falling returns weights of n things of which the k-th is chosen 1/k as often as the first.
func falling(n int) []int {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 1_000_000 / (i + 1)
	}
	return weights
}

func (g *Generator) word() string { return g.data.words[g.random.IntN(len(g.data.words))] }

// address returns one that could be anybody's: of every eight visitors one has IPv6.
func (g *Generator) address() netip.Addr {
	r := g.random
	if r.IntN(8) == 0 {
		first := [...][2]byte{{0x2a, 0x00}, {0x2a, 0x01}, {0x2a, 0x02}, {0x24, 0x09}, {0x26, 0x00}, {0x26, 0x07}, {0x28, 0x04}}[r.IntN(7)]
		a := [16]byte{first[0], first[1]}
		for i := 2; i < len(a); i++ {
			a[i] = byte(r.Uint32())
		}
		a[15] |= 1
		return netip.AddrFrom16(a)
	}
	for {
		a := netip.AddrFrom4([4]byte{byte(1 + r.IntN(223)), byte(r.IntN(256)), byte(r.IntN(256)), byte(1 + r.IntN(254))})
		switch a.As4()[0] {
		case 10, 100, 127, 169, 172, 192, 198, 203: // parts of these are nobody's
		default:
			return a
		}
	}
}

// place is a site that is visited.
type place struct {
	domain string
	middle string   // the headers that name the site, up to the body's length
	tail   string   // of every body: the site
	pages  []string // addresses
}

// newPlace makes a site's pages. A path is a folder and words, as people name their pages.
func (g *Generator) newPlace(domain string) place {
	origin := "https://www." + domain
	p := place{
		domain: domain,
		middle: "Origin: " + origin + "\r\nReferer: " + origin + "/\r\nContent-Length: ",
		tail:   `","d":"` + domain + `"`,
		pages:  []string{origin + "/"},
	}
	folders := []string{"/blog/", "/blog/", "/docs/", "/products/", "/", "/help/", "/shop/"}
	known := map[string]bool{"/": true}
	for len(p.pages) < g.cfg.Pages {
		words := []string{g.word(), g.word(), g.word(), g.word()}
		path := folders[g.random.IntN(len(folders))] + strings.Join(words[:1+g.random.IntN(len(words))], "-")
		if known[path] {
			continue
		}
		known[path] = true
		from := origin
		if g.random.IntN(10) == 0 {
			from = "https://shop." + domain
		}
		p.pages = append(p.pages, from+path)
	}
	return p
}

// head returns a request's begin, up to the value of X-Forwarded-For.
func head(a agent) string {
	var b strings.Builder
	b.WriteString("POST /api/event HTTP/1.1\r\nHost: stats.example\r\nUser-Agent: " + a.text + "\r\n")
	if a.brands != "" {
		b.WriteString("sec-ch-ua-platform: " + a.platform + "\r\nsec-ch-ua: " + a.brands + "\r\nsec-ch-ua-mobile: " + a.mobile + "\r\n")
	}
	b.WriteString("Content-Type: text/plain;charset=UTF-8\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nX-Forwarded-For: ")
	return b.String()
}

// Next appends a whole HTTP/1.1 request for POST /api/event to buf, and returns the longer slice and the event's id.
func (g *Generator) Next(buf []byte) ([]byte, uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	who, site, id := g.event()
	v := &g.visitors[who]
	buf = append(append(buf, g.heads[v.agent]...), v.text...)
	buf = append(append(buf, "\r\nAccept-Language: "...), g.data.languages[v.language]...)
	buf = append(append(buf, "\r\n"...), g.sites[site].middle...)
	buf = append(strconv.AppendInt(buf, int64(len(g.body)), 10), "\r\n\r\n"...)
	return append(buf, g.body...), id
}

// NextEvent sets e to what the next request would have said. It reuses e.Body.
func (g *Generator) NextEvent(e *Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	who, _, id := g.event()
	v := &g.visitors[who]
	a := &g.data.agents[v.agent]
	*e = Event{
		ID: id, Address: v.address, Agent: a.text, Brands: a.brands, Platform: a.platform, Mobile: a.mobile,
		Language: g.data.languages[v.language], Body: append(e.Body[:0], g.body...),
	}
}
