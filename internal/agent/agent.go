// Package agent turns a User-Agent and the low-entropy client hints into browser, operating system and device class.
//
// It stands in the enrichment step of the write line: ingest asks it once for every hit, with the headers as they came, and keeps only
// the answer. An agent is read word by word against closed tables (browsers.tsv, systems.tsv, devices.tsv, hints.tsv);
// mssola/useragent is asked only where they know nothing. Answers are kept in a bounded cache, because a few hundred agents are nearly
// all traffic.
//
// Invariants: every name in an answer is written in a table, else it is Other. A version is at most two numbers of at most three
// digits, written anew from the numbers. So no piece of an agent comes out, whatever the agent says. Nothing here holds on to an agent
// or a hint: the cache knows them by two seeded hashes. Answers are shared and are never changed. Nothing locks.
//
// It does not decide what a program is (bot does) and asks for no high-entropy hints. It cannot tell an iPad that says Macintosh.
package agent

// Other stands for what is in no table.
const Other = "Other"

// The device classes; Other is the fifth.
const (
	Desktop = "Desktop"
	Mobile  = "Mobile"
	Tablet  = "Tablet"
	TV      = "TV"
)

// MobileApp is the name of a browser that an app carries to show pages in, where the app does not say its own name.
const MobileApp = "Mobile App"

// How much of the headers is read, in bytes. Agents that are alike so far are alike.
const (
	maxAgent    = 512
	maxBrands   = 256
	maxPlatform = 32
	maxMobile   = 4
)

// Hints are the client hint headers that browsers send unasked, as they came. Any may be empty.
type Hints struct {
	Brands   string // Sec-CH-UA
	Platform string // Sec-CH-UA-Platform
	Mobile   string // Sec-CH-UA-Mobile
}

// Agent is what is known of a browser. It is shared between callers and must not be changed.
type Agent struct {
	Browser        string // a name, or Other
	BrowserVersion string // "131", "18.3", or ""
	OS             string // a name, or Other
	OSVersion      string // as BrowserVersion; "" wherever browsers are known not to tell the truth
	Device         string // Desktop, Mobile, Tablet, TV or Other
	Bot            string // what Config.Bot answered; "" is a person
}

// Config bounds the cache and says how programs are told.
type Config struct {
	// CacheEntries is how many answers are kept at most; 0 or less is 4096.
	CacheEntries int
	// CacheBytes is how much memory the cache takes at most; 0 or less is 1 MiB.
	CacheBytes int
	// Bot names the program that sent an agent, and answers "" for a person. It must answer from a closed list and keep nothing. It may be
	// nil: then everybody is a person.
	Bot func(ua string) string
}

// Parser answers for agents. It is safe for concurrent use.
type Parser struct {
	bot   func(ua string) string
	cache *cache
}

// New returns a Parser with an empty cache.
func New(cfg Config) *Parser {
	p := &Parser{bot: cfg.Bot, cache: newCache(cfg.CacheEntries, cfg.CacheBytes)}
	if p.bot == nil {
		p.bot = func(string) string { return "" }
	}
	return p
}

// Parse returns what ua and h say. It allocates nothing for an agent that is in the cache, and keeps neither ua nor h.
func (p *Parser) Parse(ua string, h Hints) *Agent {
	ua = ua[:min(len(ua), maxAgent)]
	h.Brands = h.Brands[:min(len(h.Brands), maxBrands)]
	h.Platform = h.Platform[:min(len(h.Platform), maxPlatform)]
	h.Mobile = h.Mobile[:min(len(h.Mobile), maxMobile)]

	k := p.cache.key(ua, h)
	if a := p.cache.get(k); a != nil {
		return a
	}
	a := parse(ua, h)
	a.Bot = p.bot(ua)
	return p.cache.put(k, a)
}
