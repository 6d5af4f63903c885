package importer

import (
	"encoding/json"
	"hash/maphash"
	"strings"
	"time"
)

// orderVisitors is how many visitors one generation of order holds; there are two, of about 20 MB each.
const orderVisitors = 500_000

// order counts lines that are older than one before them of the same visitor, site and day (UTC): these may be put into a wrong visit. It knows the visitors
// that came last, so in a file with more of them it may miss some.
type order struct {
	seed       maphash.Seed
	young, old map[uint64]int64 // by visitor: the greatest time in seconds
	most       int              // orderVisitors but in tests
	count      uint64
}

func newOrder() order {
	return order{seed: maphash.MakeSeed(), young: map[uint64]int64{}, most: orderVisitors}
}

// add looks at a line that is good, or blank.
func (o *order) add(line []byte) {
	var l struct {
		Time       time.Time `json:"time"`
		IP         string    `json:"ip"`
		UA         string    `json:"ua"`
		Domain     string    `json:"domain"`
		ShortOfIt  string    `json:"d"`
		URL        string    `json:"url"`
		ShortOfURL string    `json:"u"`
	}
	if len(line) == 0 || json.Unmarshal(line, &l) != nil { // not every good line is one of these, and it is for a hint only
		return
	}
	var h maphash.Hash
	h.SetSeed(o.seed)
	site := l.Domain + l.ShortOfIt
	if site == "" {
		site = host(l.URL + l.ShortOfURL)
	}
	for _, s := range []string{site, l.IP, l.UA, l.Time.UTC().Format(time.DateOnly)} {
		_, _ = h.WriteString(s) // a hash returns no error
		_ = h.WriteByte(0)
	}
	who, at := h.Sum64(), l.Time.Unix()
	last, known := o.young[who]
	if !known {
		last, known = o.old[who]
	}
	if known && at < last {
		o.count++
		return
	}
	if len(o.young) >= o.most {
		o.young, o.old = map[uint64]int64{}, o.young
	}
	o.young[who] = at
}

// host cuts the host out of a URL, about.
func host(url string) string {
	_, rest, _ := strings.Cut(url, "//")
	return rest[:max(0, strings.IndexAny(rest+"/", "/?#"))]
}
