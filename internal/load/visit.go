package load

import "strconv"

// visit is one under way: some pages of a site, one after the other.
type visit struct {
	visitor    int
	site       int
	referrer   string
	query      string // of the first page's address
	page, from int    // places of the page and of the one before it; from is -1 on the first
	left       int    // pages to come
	depth      int    // percent of the page that was seen
	next       step
}

// step is what a visit does next.
type step uint8

const (
	view   step = iota // open a page
	act                // do something on it
	read               // leave it, or the tab
	reread             // come back to the tab and leave it again
)

// Chances of one visit's steps, in percent. Together they make about 44 % pageviews, 46 % engagement and 10 % custom events.
const (
	acts    = 23
	reads   = 90
	rereads = 17
)

// pagesOf says how many pages visits have, each as often as it stands there.
var pagesOf = [...]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6}

// begin lets somebody come.
func (g *Generator) begin(v *visit) {
	r := g.random
	from := &g.data.sources[g.data.source.pick(r)]
	*v = visit{visitor: r.IntN(len(g.visitors)), site: r.IntN(len(g.sites)), referrer: from.referrer, query: from.query, from: -1, page: -1}
	if v.referrer == "https://*/" {
		v.referrer = g.small[g.few.pick(r)]
	}
	v.left = pagesOf[r.IntN(len(pagesOf))]
	g.open(v)
}

// open goes to the next page.
func (g *Generator) open(v *visit) {
	v.from, v.page, v.next, v.depth = v.page, g.pages.pick(g.random), view, 0
	v.left--
}

// advance decides what a visit does after what it has just done.
func (g *Generator) advance(v *visit) {
	r := g.random
	if v.next == view && r.IntN(100) < acts {
		v.next = act
		return
	}
	if v.next <= act && r.IntN(100) < reads {
		v.next = read
		return
	}
	if v.next == read && r.IntN(100) < rereads {
		v.next = reread
		return
	}
	if v.left > 0 {
		g.open(v)
		return
	}
	g.begin(v)
}

// event writes the next body, and returns whose it is, the site's place and the id.
func (g *Generator) event() (visitor, site int, id uint64) {
	v := &g.visits[g.random.IntN(len(g.visits))]
	g.last++
	id = g.cfg.Seed<<numberBits | g.last
	visitor, site = v.visitor, v.site
	g.body, g.props = append(g.body[:0], `{"n":"`...), 0
	switch v.next {
	case view:
		g.pageview(v)
	case act:
		g.custom(v)
	default:
		g.engagement(v)
	}
	if g.cfg.IDs {
		g.property("id")
		g.body = append(AppendID(g.body, id), '"')
	}
	if g.props > 0 {
		g.body = append(g.body, '}')
	}
	g.body = append(g.body, '}')
	g.advance(v)
	return visitor, site, id
}

// about writes what every event says: its name, its page and its site.
func (g *Generator) about(v *visit, name string) {
	site := &g.sites[v.site]
	g.body = append(append(append(g.body, name...), `","u":"`...), site.pages[v.page]...)
	if v.from < 0 && v.query != "" {
		g.body = append(append(g.body, '?'), v.query...)
	}
	g.body = append(g.body, site.tail...)
}

// pageview says where somebody came from: at first from elsewhere, then from the page before.
func (g *Generator) pageview(v *visit) {
	g.about(v, "pageview")
	referrer := v.referrer
	if v.from >= 0 {
		referrer = g.sites[v.site].pages[v.from]
	}
	g.body = append(append(append(g.body, `,"r":"`...), referrer...), '"')
}

// engagement says how much of the page was seen and for how long. Most pages are left soon.
func (g *Generator) engagement(v *visit) {
	g.about(v, "engagement")
	r := g.random
	v.depth = min(100, max(v.depth, 8+r.IntN(60))+r.IntN(40))
	milliseconds := 700 + r.IntN(1<<(9+r.IntN(9)))
	g.body = strconv.AppendInt(append(g.body, `,"sd":`...), int64(v.depth), 10)
	g.body = strconv.AppendInt(append(g.body, `,"e":`...), int64(milliseconds), 10)
}

func (g *Generator) custom(v *visit) {
	c := &g.data.customs[g.data.custom.pick(g.random)]
	g.about(v, c.name)
	for i, key := range c.keys {
		g.property(key)
		value := c.values[i][g.random.IntN(len(c.values[i]))]
		g.body = append(append(g.body, value...), '"')
	}
}

// property begins a property: what follows is its value and a quote.
func (g *Generator) property(key string) {
	before := `,"`
	if g.props == 0 {
		before = `,"p":{"`
	}
	g.props++
	g.body = append(append(append(g.body, before...), key...), `":"`...)
}
