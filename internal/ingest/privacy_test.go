package ingest_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/bot"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/geo"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/redact"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/testkit"
)

// The page's host is kept as it is only where it is the site's own and can hold nobody's data.
func TestIngest_hosts(t *testing.T) {
	var j frames
	in, sites := newIngester(t, &j)
	for _, domain := range []string{"192.0.2.77.example", "4f9a1c2e7b8d3f60a1b2c3d4.example"} {
		if _, err := sites.Add(t.Context(), domain, "UTC", 30); err != nil {
			t.Fatal(err)
		}
	}
	f := func(host, domain, ua, want string) {
		t.Helper()
		h := hit(`{"n":"pageview","u":"https://` + host + `/","d":"` + domain + `"}`)
		h.Agent = ua
		if verdict, err := in.Ingest(h); err != nil || verdict.Kept != 1 {
			t.Fatalf("%s: %+v, %v", host, verdict, err)
		}
		if got := j.take(t)[0].Hostname; got != want {
			t.Errorf("%s on %s by %q: %q, want %q", host, domain, ua, got, want)
		}
	}
	f("www.example.com", "example.com", chrome, "example.com")
	f("192.0.2.77", "example.com", chrome, "{ip}")
	f("192.0.2.77.example", "192.0.2.77.example", chrome, "{ip}.example")
	f("4f9a1c2e7b8d3f60a1b2c3d4.example", "4f9a1c2e7b8d3f60a1b2c3d4.example", chrome, "{token}.example")
	f("bob.example.com", "example.com", chrome, "bob.example.com")
	in.Agents = agent.New(agent.Config{}) // all are people
	f("shop.example.com", "shop.example.com", "example.com", "shop.{agent}")
}

// A person's data sits in every place that a client can put it, and none of it is kept, whatever the event.
func TestIngest_redacts(t *testing.T) {
	var j frames
	in, _ := newIngester(t, &j)
	f := func(body string, want event.Event) {
		t.Helper()
		if verdict, err := in.Ingest(hit(body)); err != nil || verdict.Kept != 1 {
			t.Fatalf("%s: %+v, %v", body, verdict, err)
		}
		e := j.take(t)[0]
		got := event.Event{
			Name: e.Name, Path: e.Path, Source: e.Source, Referrer: e.Referrer, UTMSource: e.UTMSource, UTMMedium: e.UTMMedium,
			UTMCampaign: e.UTMCampaign, UTMContent: e.UTMContent, UTMTerm: e.UTMTerm, PropKeys: e.PropKeys, PropValues: e.PropValues,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	f(`{"n":"pageview","u":"https://bob:pw@example.com/u/bob%40example.org/orders/123456789?email=bob@example.org#bob@example.org","d":"example.com"}`,
		event.Event{Name: "pageview", Path: "/u/{email}/orders/{number}"})
	f(`{"n":"pageview","h":1,"u":"https://example.com/app#/u/bob@example.org?x=bob@example.org","d":"example.com"}`,
		event.Event{Name: "pageview", Path: "/app#/u/{email}"})
	f(`{"n":"pageview","u":"https://example.com/?utm_source=bob@example.org&utm_medium=123456789&utm_campaign=550e8400-e29b-41d4-a716-446655440000&utm_content=DE89370400440532013000&utm_term=call+%2B49+170+1234567","d":"example.com"}`,
		event.Event{Name: "pageview", Path: "/", Source: "{email}", UTMSource: "{email}", UTMMedium: "{number}", UTMCampaign: "{id}", UTMContent: "{number}", UTMTerm: "call {number}"})
	f(`{"n":"pageview","u":"https://example.com/?ref=bob@example.org","d":"example.com"}`, event.Event{Name: "pageview", Path: "/", Source: "{email}"})
	f(`{"n":"pageview","u":"https://example.com/","r":"https://me:pw@news.example/people/bob@example.org/4f9a1c2e7b8d3f60a1b2c3d4?q=bob@example.org#x","d":"example.com"}`,
		event.Event{Name: "pageview", Path: "/", Source: "news.example", Referrer: "news.example/people/{email}/{token}"})
	f(`{"n":"Sign-up of bob@example.org","u":"https://example.com/","d":"example.com","p":{"bob@example.org":"+49 170 1234567","to":"https://u:p@shop.example/cart/bob@example.org?session=x#y","plan":"pro"}}`,
		event.Event{Name: "Sign-up of {email}", Path: "/", PropKeys: []string{"{email}", "to", "plan"}, PropValues: []string{"{number}", "https://shop.example/cart/{email}", "pro"}})
	// Web addresses in campaigns and properties, also without a scheme.
	f(`{"n":"pageview","u":"https://example.com/?utm_source=https%3A%2F%2Fjane%3Apw%40shop.example%2Forders%3Fcustomer%3Djane%26code%3Dhunter&utm_term=www.google.com%2Fsearch%3Fq%3Djane%2Bdoe&utm_content=C%23+or+what%3F","d":"example.com"}`,
		event.Event{Name: "pageview", Path: "/", Source: "shop.example", UTMSource: "https://shop.example/orders", UTMTerm: "www.google.com/search", UTMContent: "C# or what?"})
	f(`{"n":"pageview","u":"https://example.com/?ref=x.example%2Fp%3Fq%3Djane","d":"example.com"}`, event.Event{Name: "pageview", Path: "/", Source: "x.example/p"})
	f(`{"n":"pageview","u":"https://example.com/?source=%2Fsearch%3Fq%3Djane%2Bdoe","d":"example.com"}`, event.Event{Name: "pageview", Path: "/", Source: "/search"})
	f(`{"n":"Click","u":"https://example.com/","d":"example.com","p":{"a":" https://u:pw@x.example/a?token=secret","b":"//u:pw@x.example/b#c","c":"ftp://jane:secret@x.example/?y=z","d":"/u?email=jane&pw=x","e":"www.google.com/search?q=jane+doe","f":"is a=b? yes","g":"https://x.example?q=1"}}`,
		event.Event{Name: "Click", Path: "/", PropKeys: []string{"a", "b", "c", "d", "e", "f", "g"}, PropValues: []string{"https://x.example/a", "//x.example/b", "ftp://x.example/", "/u", "www.google.com/search", "is a=b? yes", "https://x.example"}})
	// A query that was escaped into the path, a query for a fragment, and addresses of pages in other forms.
	f(`{"n":"pageview","u":"https://example.com/reset%3Ftoken%3Dabc%26user%3Djane","d":"example.com"}`, event.Event{Name: "pageview", Path: "/reset"})
	f(`{"n":"pageview","h":1,"u":"https://example.com/in#access_token=abc&id=jane","d":"example.com"}`, event.Event{Name: "pageview", Path: "/in"})
	f(`{"n":"pageview","u":"view-source:https://jane:pw@example.com/x","d":"example.com"}`, event.Event{Name: "pageview", Path: "/x"})
	f(`{"n":"pageview","u":"//jane:pw@example.com/x","d":"example.com"}`, event.Event{Name: "pageview", Path: "/x"})
	// Hosts.
	f(`{"n":"pageview","u":"https://example.com/","r":"https://550e8400-e29b-41d4-a716-446655440000.preview.example.org/a","d":"example.com"}`,
		event.Event{Name: "pageview", Path: "/", Source: "{id}.preview.example.org", Referrer: "{id}.preview.example.org/a"})
	// The visitor's own address and agent, wherever the page repeats them.
	f(`{"n":"pageview","u":"https://example.com/from/192.0.2.77?utm_term=192.0.2.77","d":"example.com","p":{"ip":"192.0.2.77","other":"192.0.2.78","ua":"`+chrome+` x"}}`,
		event.Event{Name: "pageview", Path: "/from/{ip}", UTMTerm: "{ip}", PropKeys: []string{"ip", "other", "ua"}, PropValues: []string{"{ip}", "192.0.2.78", "{agent} x"}})
	f(`{"n":"404","u":"https://example.com/bob@example.org","d":"example.com"}`,
		event.Event{Name: "404", Path: "/{email}", PropKeys: []string{"path"}, PropValues: []string{"/{email}"}})
}

// One site's rules and settings are for that site, also where a body names two.
func TestIngest_sitesOwnRules(t *testing.T) {
	var j frames
	in, sites := newIngester(t, &j)
	rules := []redact.Rule{{Field: "path", Match: "^/customers/([^/]+)", As: "{customer}"}, {Field: "props", Match: "gold|silver", As: "{level}"}}
	if _, err := sites.Set(t.Context(), "example.com", site.Change{Redact: &rules}); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Ingest(hit(`{"n":"404","u":"https://example.com/customers/jane-doe/x","d":"example.com,shop.example.com","p":{"level":"gold"}}`)); err != nil {
		t.Fatal(err)
	}
	events := j.take(t)
	if e := events[0]; e.Path != "/customers/{customer}/x" || !slices.Equal(e.PropValues, []string{"{level}", "/customers/{customer}/x"}) {
		t.Errorf("with rules: %+v", e)
	}
	if e := events[1]; e.Path != "/customers/jane-doe/x" || !slices.Equal(e.PropValues, []string{"gold", "/customers/jane-doe/x"}) {
		t.Errorf("without rules: %+v", e)
	}
}

// hashed is a Keys that says which addresses it saw, and when.
type hashed struct {
	seen []netip.Addr
	at   []time.Time
}

func (h *hashed) Number(_ uint32, _ *time.Location, t time.Time, from netip.Addr, _ string) (event.Day, uint64, error) {
	h.seen, h.at = append(h.seen, from), append(h.at, t)
	return 20000, uint64(len(h.seen)), nil
}

// recorded is an Abuse in memory.
type recorded []string

func (r *recorded) Record(siteID uint32, _ time.Time, masked netip.Addr, reason string) {
	*r = append(*r, strings.Repeat("i", int(siteID))+" "+masked.String()+" "+reason)
}

// What the hash, the location and the table of addresses see of an address is what the site's settings say.
func TestIngest_addresses(t *testing.T) {
	var j frames
	_, sites := newIngester(t, &j)
	places, err := geo.Open(testkit.Places(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, notes := &hashed{}, &recorded{}
	in := ingest.New(ingest.Deps{Sites: sites, Keys: keys, Agents: agent.New(agent.Config{Bot: bot.Detect}), Journal: &j, Geo: places, Abuse: notes, Now: noon})
	f := func(mask int, hash, place, from, wantHashed, wantNoted string, wantCountry bool) {
		t.Helper()
		if _, err := sites.Set(t.Context(), "example.com", site.Change{AddressMask: &mask, HashAddress: &hash, GeoFrom: &place}); err != nil {
			t.Fatal(err)
		}
		h := hit(`{"n":"pageview","u":"https://example.com/","d":"example.com"}`)
		h.Address = netip.MustParseAddr(from)
		if _, err := in.Ingest(h); err != nil {
			t.Fatal(err)
		}
		e := j.take(t)[0]
		if got := keys.seen[len(keys.seen)-1]; got.String() != wantHashed || (e.Country != "") != wantCountry {
			t.Errorf("%d %s %s %s: hashed %s, country %q", mask, hash, place, from, got, e.Country)
		}
		if got := (*notes)[len(*notes)-1]; got != "i "+wantNoted+" kept" {
			t.Errorf("%d %s: noted %q", mask, from, got)
		}
	}
	f(2, "full", "cut", "8.8.8.8", "8.8.8.8", "8.8.0.0", true)
	f(2, "masked", "cut", "8.8.8.8", "8.8.0.0", "8.8.0.0", true)
	f(1, "masked", "masked", "8.8.8.8", "8.8.8.0", "8.8.8.0", true)
	f(4, "masked", "masked", "8.8.8.8", "0.0.0.0", "0.0.0.0", false)
	f(4, "full", "cut", "8.8.8.8", "8.8.8.8", "0.0.0.0", true)
	f(2, "full", "off", "8.8.8.8", "8.8.8.8", "8.8.0.0", false)
	f(2, "masked", "cut", "2001:4860:4860:1:2:3:4:8888", "2001:4860:4860::", "2001:4860:4860::", true)
	f(3, "masked", "off", "2001:4860:4860:1:2:3:4:8888", "2001:4800::", "2001:4800::", false)

	h := hit(`{"n":"pageview","u":"https://unknown.example/","d":"unknown.example"}`)
	h.Address = netip.MustParseAddr("8.8.8.8")
	if _, err := in.Ingest(h); err != nil || (*notes)[len(*notes)-1] != " 8.8.0.0 unknown_site" {
		t.Errorf("an unknown site: %v, %v", *notes, err)
	}
	h = hit(`{"n":"pageview","u":"https://example.com/","d":"example.com","b":1}`)
	if _, err := in.Ingest(h); err != nil || !strings.HasSuffix((*notes)[len(*notes)-1], " bot") {
		t.Errorf("a bot: %v, %v", *notes, err)
	}
}

func TestImport(t *testing.T) {
	var j frames
	in, _ := newIngester(t, &j)
	keys := &hashed{}
	im := &ingest.Import{Origin: 7, Keys: keys}
	f := func(line uint64, text string, wantKept, wantDropped int) {
		t.Helper()
		if err := ingest.CheckLine([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		verdict, err := in.Import(im, line, []byte(text))
		if err != nil || verdict != (ingest.Verdict{Kept: wantKept, Dropped: wantDropped}) {
			t.Errorf("%s: %+v, %v", text, verdict, err)
		}
	}
	f(5, `{"time":"2026-11-20T23:30:00+01:00","ip":"::ffff:192.0.2.7","ua":"`+chrome+`","n":"pageview","u":"https://example.com/bob@example.org","d":"unknown.example,example.com,shop.example.com"}`, 2, 1)
	var seqs []uint64
	for _, frame := range j.all {
		var one event.Frame
		var e event.Event
		if err := one.Decode(frame, &e); err != nil || one.Origin != 7 {
			t.Fatalf("%+v, %v", one, err)
		}
		seqs = append(seqs, one.Seq)
		if e.Time != time.Date(2026, 11, 20, 22, 30, 0, 0, time.UTC).Unix() || e.Path != "/{email}" || e.Browser != "Chrome" {
			t.Errorf("%+v", e)
		}
	}
	if !slices.Equal(seqs, []uint64{5<<4 | 1, 5<<4 | 2}) || keys.seen[0].String() != "192.0.2.7" {
		t.Errorf("numbers %v, address %s", seqs, keys.seen[0])
	}
	const rest = `","ip":"192.0.2.7","ua":"` + chrome + `","n":"pageview","u":"https://shop.example.com/","d":"shop.example.com"}`
	f(6, `{"time":"2026-11-22T12:00:01Z`+rest, 0, 1)
	f(7, `{"time":"2026-10-23T11:59:59Z`+rest, 0, 1) // this site keeps events for 30 days
	f(8, `{"time":"2026-10-23T12:00:00Z`+rest, 1, 0)
	f(9, `{"time":"2026-11-20T12:00:00Z","ip":"192.0.2.7","ua":"Googlebot/2.1","n":"pageview","u":"https://example.com/","d":"example.com"}`, 0, 1)
	kept, dropped := im.Counts()
	if want := map[string]uint64{"unknown_site": 1, "bot": 1, "prefetch": 0, "not_measured": 0, "expired": 1, "future": 1}; kept != 3 || !cmp.Equal(dropped, want) {
		t.Errorf("%d, %v", kept, dropped)
	}
	if live := in.Stats(); live.Kept != 0 || live.Dropped["bot"] != 0 {
		t.Errorf("an import is counted as live traffic: %+v", live)
	}
	// A host with commas is one name, and repeated and blank names take their places: no line reaches into the next one's numbers.
	before := len(j.all)
	f(11, `{"time":"2026-11-20T12:00:00Z","ip":"192.0.2.7","ua":"`+chrome+`","n":"pageview","u":"https://a.example`+strings.Repeat(",", 230)+`example.com/2"}`, 0, 1)
	f(12, `{"time":"2026-11-20T12:00:00Z","ip":"192.0.2.7","ua":"`+chrome+`","n":"pageview","u":"https://example.com/","d":"example.com,, ,example.com,EXAMPLE.com,,,,shop.example.com,shop.example.com"}`, 2, 0)
	var last event.Frame
	if err := last.Decode(j.all[len(j.all)-1], new(event.Event)); err != nil || last.Seq != 12<<4|8 || len(j.all) != before+2 {
		t.Errorf("the last of ten names is %+v, %v", last, err)
	}
	j.all = j.all[:before]
	if err := in.EndImport(7); err != nil || !slices.Equal(j.all[len(j.all)-1], event.AppendEnd(nil, 7)) {
		t.Errorf("the end: %v", err)
	}
	j.err = errors.New("full")
	_, counted := im.Counts()
	if _, err := in.Import(im, 13, []byte(`{"time":"2026-11-20T12:00:00Z","ip":"192.0.2.7","ua":"`+chrome+`","n":"pageview","u":"/","d":"unknown.example,example.com"}`)); !errors.Is(err, j.err) {
		t.Errorf("a full journal: %v", err)
	}
	if _, now := im.Counts(); !cmp.Equal(counted, now) {
		t.Errorf("a line that comes again was counted: %v, then %v", counted, now)
	}
	if _, err := in.Import(im, 10, []byte(`{"time":"2026-11-20T12:00:00Z`+rest)); !errors.Is(err, j.err) {
		t.Errorf("a full journal: %v", err)
	}
}

// What is wrong with a line is said by its fields, and never by what is in them.
func TestCheckLine(t *testing.T) {
	f := func(line string, want ...string) {
		t.Helper()
		var bad *ingest.BadEvent
		if err := ingest.CheckLine([]byte(line)); !errors.As(err, &bad) {
			t.Errorf("%s: %v", line, err)
			return
		}
		var fields []string
		for _, one := range bad.Fields {
			fields = append(fields, one.Field)
		}
		if !slices.Equal(fields, want) || strings.Contains(bad.Error(), "Zq7") {
			t.Errorf("%s: %v", line, bad)
		}
	}
	const event = `"n":"pageview","u":"https://example.com/"`
	f(`{}`, "name", "url", "time", "ip", "ua")
	f(`{"time":"x","p":{"a\u0001":"b"}}`, "props", "name", "url", "time", "ip", "ua")
	f(`{`+event+`}`, "time", "ip", "ua")
	f(`{`+event+`,"time":"Zq7","ip":"Zq7","ua":7}`, "ua", "time", "ip")
	f(`{`+event+`,"time":"2026-11-20 12:00:00","ip":"1.2.3.4:99","ua":""}`, "time", "ip")
	f(`{`+event+`,"time":"1969-12-31T23:59:59Z","ip":"192.0.2.7","ua":""}`, "time")
	f(`{`+event+`,"time":"2199-12-31T23:59:59Z","ip":"192.0.2.7","ua":""}`, "time")
	f(`{`+event+`,"time":"2026-11-20T12:00:00Z","time":"2026-11-20T12:00:00Z","ip":"192.0.2.7","ua":""}`, "time")
	f(`{"n":"pageview","u":"data:Zq7","time":"2026-11-20T12:00:00Z","ip":"192.0.2.7","ua":""}`, "url")
	f(`not JSON`, "line")
	f("\xff\xfe{\x00}\x00", "line")
	// In live traffic the three mean nothing.
	var j frames
	in, _ := newIngester(t, &j)
	if _, err := in.Ingest(hit(`{"n":"pageview","u":"https://example.com/","time":7,"ip":[],"ua":{}}`)); err != nil {
		t.Errorf("live: %v", err)
	}
	if got := time.Unix(j.take(t)[0].Time, 0); !got.Equal(noon()) {
		t.Errorf("an event of live traffic has the time %s", got)
	}
}
