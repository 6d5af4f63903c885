package store_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/daysalt/daysalt/internal/event"
)

// traffic makes rows as ship would: visits that overlap in time, pages and sources and agents of which few are common, 60 % pageviews,
// 30 % engagement and 10 % custom events with two properties. Equal seeds make equal rows.
type traffic struct {
	rng    *rand.Rand
	now    float64 // seconds since 1970-01-01
	step   float64 // mean seconds between two events of all sites
	zipf   func(n int) int
	visits []event.Row // the next row of each visit that is going on
	left   []int       // how many rows it still has
}

const (
	trafficStart = 1_793_491_200 // 2026-11-01
	visitGap     = 45.0          // mean seconds between two events of a visit
)

func newTraffic(seed uint64, step float64) *traffic {
	rng := rand.New(rand.NewPCG(seed, 1))
	open := max(1, int(visitGap/step)) // visits that are going on
	g := &traffic{rng: rng, now: trafficStart, step: step, visits: make([]event.Row, open), left: make([]int, open)}
	tables := map[int]*rand.Zipf{}
	g.zipf = func(n int) int {
		if tables[n] == nil {
			tables[n] = rand.NewZipf(rng, 1.1, 2, uint64(n-1))
		}
		return int(tables[n].Uint64())
	}
	return g
}

// rows returns the next n rows.
func (g *traffic) rows(n int) []event.Row {
	rows := make([]event.Row, n)
	for i := range rows {
		g.now += g.rng.ExpFloat64() * g.step
		v := g.rng.IntN(len(g.visits))
		if g.left[v] == 0 || g.visits[v].Day != event.Day(g.now/86400) {
			g.begin(v)
		}
		g.next(&g.visits[v])
		g.left[v]--
		rows[i] = g.visits[v]
		g.visits[v].Seq++
	}
	return rows
}

func pick(rng *rand.Rand, of ...string) string { return of[rng.IntN(len(of))] }

// begin starts a visit. Its mean number of rows is 4.
func (g *traffic) begin(v int) {
	rng := g.rng
	g.left[v] = 1 + min(int(rng.ExpFloat64()*3.5), 40)
	site := g.zipf(6)
	agent := g.zipf(60)
	place := g.zipf(800)
	country := []string{"DE", "US", "FR", "GB", "AT", "CH", "NL", "PL", "ES", "IT", "BR", "IN", "JP"}[place%13]
	r := event.Row{VisitStart: int64(g.now), Event: event.Event{
		SiteID: uint32(site + 1), Day: event.Day(g.now / 86400), Visitor: rng.Uint64(), Hostname: fmt.Sprintf("site%d.example", site),
		Country: country, Region: fmt.Sprintf("%s-%02d", country, place%40), City: uint32(2_000_000 + place*7919%1_000_000),
		Browser: []string{"Chrome", "Safari", "Firefox", "Edge", "Samsung Internet", "Opera"}[agent%6], BrowserVersion: fmt.Sprintf("%d.0", 110+agent/6+agent%6),
		OS: []string{"Windows", "iOS", "Android", "macOS", "Linux"}[agent%5], OSVersion: strconv.Itoa(10 + agent%7), Device: []string{"Desktop", "Mobile", "Tablet"}[agent%3],
		Screen: []string{"Large", "Small", "Medium", "Extra large"}[agent%4], Language: []string{"de", "en", "fr", "es", "pl", "it", "nl", "pt", "ja"}[(place%13+agent%2)%9],
		RetentionDays: 730,
	}}
	r.EntryHost, r.EntryPage = r.Hostname, g.page(site)
	g.acquire(&r)
	g.visits[v] = r
}

func (g *traffic) page(site int) string {
	p := g.zipf(400)
	if p == 0 {
		return "/"
	}
	return fmt.Sprintf("/%s/%s-%d", []string{"blog", "docs", "products", "help"}[p%4], []string{"how-to-begin", "release-notes", "a-longer-title-of-a-page", "faq", "pricing"}[(p+site)%5], p)
}

func (g *traffic) acquire(r *event.Row) {
	rng := g.rng
	switch n := rng.IntN(100); {
	case n < 50:
		r.Channel = "Direct"
	case n < 80:
		r.Channel, r.Source = "Organic Search", []string{"Google", "Bing", "DuckDuckGo", "Ecosia"}[g.zipf(4)]
		r.Referrer = map[string]string{"Google": "google.com/", "Bing": "bing.com/", "DuckDuckGo": "duckduckgo.com/", "Ecosia": "ecosia.org/"}[r.Source]
	case n < 92:
		p := g.zipf(500)
		r.Channel, r.Source = "Referral", fmt.Sprintf("partner%d.example", p%40)
		r.Referrer = fmt.Sprintf("%s/article/%d", r.Source, p)
	default:
		p := g.zipf(30)
		r.Channel, r.Source, r.Referrer = "Paid Search", "Google", "google.com/"
		r.ClickID = pick(rng, "gclid", "")
		r.UTMSource, r.UTMMedium, r.UTMCampaign = "google", "cpc", fmt.Sprintf("campaign-%d", p)
		r.UTMContent, r.UTMTerm = fmt.Sprintf("ad-%d", rng.IntN(5)), fmt.Sprintf("keyword %d", p*3%17)
	}
}

// next makes r the visit's next row: a page, time on the page before, or something that was done there.
func (g *traffic) next(r *event.Row) {
	rng := g.rng
	r.Time = int64(g.now)
	r.Scroll, r.EngagedMS, r.PropKeys, r.PropValues, r.Amount, r.Currency = event.NoScroll, 0, nil, nil, 0, ""
	n := rng.IntN(100)
	if r.Seq == 0 {
		n = rng.IntN(51)
	}
	switch {
	case n < 48: // with the first rows of visits 60 % of all
		r.Kind, r.Interactive, r.Name = event.Pageview, true, "pageview"
		if r.Path = r.EntryPage; r.Seq > 0 {
			r.Path = g.page(int(r.SiteID) - 1)
		}
	case n < 89 && r.Seq > 0:
		r.Kind, r.Interactive, r.Name = event.Engagement, false, "engagement"
		r.Scroll, r.EngagedMS = uint8(rng.IntN(101)), uint32(500+rng.ExpFloat64()*20_000)
	default:
		r.Kind, r.Interactive, r.Name = event.Custom, true, pick(rng, "Signup", "Outbound Link: Click", "File Download", "Purchase")
		if r.Path == "" {
			r.Path = r.EntryPage
		}
		r.PropKeys, r.PropValues = []string{"plan", "url"}, []string{pick(rng, "free", "pro", "team"), fmt.Sprintf("https://partner%d.example/x", g.zipf(200))}
		if r.Name == "Purchase" {
			r.Amount, r.Currency = int64(rng.IntN(20))*4_990+9_990, "EUR"
		}
	}
}
