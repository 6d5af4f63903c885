package source

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFind_source(t *testing.T) {
	for _, c := range []struct {
		name string
		in   In
		want Found
	}{
		{"nothing", In{}, Found{"", Direct, "", false}},
		{"search", In{Referrer: "https://www.google.com/"}, Found{"Google", OrganicSearch, "google.com", false}},
		{"search of a country", In{Referrer: "https://www.google.co.uk/search?q=secret"}, Found{"Google", OrganicSearch, "google.co.uk/search", false}},
		{"search of two letters", In{Referrer: "https://google.de"}, Found{"Google", OrganicSearch, "google.de", false}},
		{"not the search engine", In{Referrer: "https://notgoogle.com/"}, Found{"notgoogle.com", Referral, "notgoogle.com", false}},
		{"name in front of another's domain", In{Referrer: "https://google.com.evil.example/"}, Found{"google.com.evil.example", Referral, "google.com.evil.example", false}},
		{"name under an odd domain", In{Referrer: "https://google.evil/"}, Found{"google.evil", Referral, "google.evil", false}},
		{"longer host wins", In{Referrer: "https://mail.google.com/mail/u/0"}, Found{"Gmail", Email, "mail.google.com/mail/u/0", false}},
		{"mobile host", In{Referrer: "https://m.facebook.com/"}, Found{"Facebook", OrganicSocial, "m.facebook.com", false}},
		{"link shim", In{Referrer: "https://l.instagram.com/?u=x"}, Found{"Instagram", OrganicSocial, "l.instagram.com", false}},
		{"other link shim", In{Referrer: "https://lm.facebook.com/l.php?u=x"}, Found{"Facebook", OrganicSocial, "lm.facebook.com/l.php", false}},
		{"out host", In{Referrer: "https://out.reddit.com/t3_x"}, Found{"Reddit", OrganicSocial, "out.reddit.com/t3_x", false}},
		{"short link", In{Referrer: "https://t.co/abc"}, Found{"X (Twitter)", OrganicSocial, "t.co/abc", false}},
		{"video", In{Referrer: "https://youtu.be/abc"}, Found{"YouTube", OrganicVideo, "youtu.be/abc", false}},
		{"shop", In{Referrer: "https://smile.amazon.com.au/dp/1"}, Found{"Amazon", OrganicShopping, "smile.amazon.com.au/dp/1", false}},
		{"assistant", In{Referrer: "https://chatgpt.com/"}, Found{"ChatGPT", AIAssistants, "chatgpt.com", false}},
		{"assistant below a search engine", In{Referrer: "https://gemini.google.com/app"}, Found{"Google Gemini", AIAssistants, "gemini.google.com/app", false}},
		{"assistant by parameter", In{UTMSource: "chatgpt.com"}, Found{"ChatGPT", AIAssistants, "", false}},
		{"app", In{Referrer: "android-app://com.google.android.gm/"}, Found{"Gmail", Email, "com.google.android.gm", false}},
		{"app in upper case", In{Referrer: "android-app://com.amazon.mShop.android.shopping"}, Found{"Amazon", OrganicShopping, "com.amazon.mshop.android.shopping", false}},
		{"unknown app", In{Referrer: "android-app://org.example.reader/x"}, Found{"org.example.reader", Referral, "org.example.reader/x", false}},
		{"app is no host", In{Referrer: "android-app://google.com/"}, Found{"google.com", Referral, "google.com", false}},
		{"federated", In{Referrer: "https://mastodon.social/@somebody/1"}, Found{"Mastodon", OrganicSocial, "mastodon.social/@somebody/1", false}},
		{"other site", In{Referrer: "https://www.Example.org:8443/Path/?q=1#f", PageHost: "shop.example"}, Found{"example.org", Referral, "example.org/Path", false}},
		{"own page", In{Referrer: "https://example.com/a", PageHost: "example.com"}, Found{"", Direct, "", false}},
		{"own page with www", In{Referrer: "https://www.example.com/a", PageHost: "example.com"}, Found{"", Direct, "", false}},
		{"own page the other way round", In{Referrer: "https://EXAMPLE.com:443/a", PageHost: "WWW.example.com."}, Found{"", Direct, "", false}},
		{"own page by address", In{Referrer: "http://[2001:db8::1]:80/a", PageHost: "[2001:db8::1]:80"}, Found{"", Direct, "", false}},
		{"own subdomain", In{Referrer: "https://blog.example.com/a", PageHost: "example.com"}, Found{"blog.example.com", Referral, "blog.example.com/a", false}},
		{"own page with a campaign", In{Referrer: "https://example.com/a", PageHost: "example.com", UTMSource: "Partner"}, Found{"Partner", Referral, "", true}},
		{"utm_source first", In{UTMSource: "a", SourceParam: "b", RefParam: "c"}, Found{"a", Referral, "", true}},
		{"source second", In{UTMSource: " ", SourceParam: "b", RefParam: "c"}, Found{"b", Referral, "", true}},
		{"ref third", In{RefParam: "ProductHunt"}, Found{"Product Hunt", OrganicSocial, "", false}},
		{"parameter over referrer", In{UTMSource: "Spring Flyer", Referrer: "https://www.google.com/"}, Found{"Spring Flyer", Referral, "google.com", true}},
		{"word", In{UTMSource: "FB"}, Found{"Facebook", OrganicSocial, "", false}},
		{"word with signs", In{UTMSource: "hacker_news"}, Found{"Hacker News", OrganicSocial, "", false}},
		{"word that is a host", In{UTMSource: "News.YCombinator.com"}, Found{"Hacker News", OrganicSocial, "", false}},
		{"word that is an address", In{RefParam: "https://www.example.org/blog?x=1"}, Found{"example.org", Referral, "", true}},
		{"word that is a known address", In{RefParam: "https://www.google.com/x"}, Found{"Google", OrganicSearch, "", false}},
		{"word for paid", In{UTMSource: "adwords"}, Found{"Google", PaidSearch, "", false}},
		{"word with ads", In{UTMSource: "Facebook-Ads"}, Found{"Facebook", PaidSocial, "", false}},
		{"word that only ends like ads", In{UTMSource: "Threads"}, Found{"Threads", OrganicSocial, "", false}},
		{"unknown word that ends like ads", In{UTMSource: "leads"}, Found{"leads", Referral, "", true}},
		{"unprintable word", In{UTMSource: " a\x00b\u202ec\n\xff "}, Found{"abc", Referral, "", true}},
		{"word of signs", In{UTMSource: "***"}, Found{"***", Referral, "", true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Find(c.in)); diff != "" {
				t.Errorf("Find(%+v) (-want +got):\n%s", c.in, diff)
			}
		})
	}
}

func TestFind_bounds(t *testing.T) {
	long := strings.Repeat("ä", 3000)
	if got := Find(In{UTMSource: long}).Source; len(got) != maxSource {
		t.Errorf("a long source has %d bytes, want %d", len(got), maxSource)
	}
	for _, path := range []string{"/" + long, "/x" + long, strings.Repeat("/x", 2000), "/x" + strings.Repeat("/x", 2000)} {
		got := Find(In{Referrer: "https://example.org" + path}).Referrer
		if len(got) > maxReferrer || len(got) < maxReferrer-1 || !printable(got) || strings.HasSuffix(got, "/") {
			t.Errorf("a long referrer has %d bytes and ends in %q", len(got), got[len(got)-2:])
		}
	}
	if got := Find(In{Referrer: "https://" + strings.Repeat("a", maxHost+1)}); got != (Found{Channel: Direct}) {
		t.Errorf("a host that is too long: %+v", got)
	}
	if got := Find(In{UTMMedium: long, UTMCampaign: long, ClickID: long}).Channel; got != Direct {
		t.Errorf("long parameters: %q", got)
	}
}

func TestTables(t *testing.T) {
	if n := len(known.hosts) + len(known.countries) + len(known.apps); n < 150 {
		t.Errorf("only %d hosts", n)
	}
	for host, e := range known.hosts {
		if got := Find(In{Referrer: "https://" + host + "/x"}); got.Source != e.name {
			t.Errorf("%s: source %q, want %q", host, got.Source, e.name)
		}
	}
	for label, e := range known.countries {
		if got := Find(In{Referrer: "https://www." + label + ".com.br/x"}); got.Source != e.name {
			t.Errorf("%s.com.br: source %q, want %q", label, got.Source, e.name)
		}
	}
	for pkg, e := range known.apps {
		if got := Find(In{Referrer: "android-app://" + pkg}); got.Source != e.name {
			t.Errorf("%s: source %q, want %q", pkg, got.Source, e.name)
		}
	}
	for w, e := range known.words {
		if got := Find(In{UTMSource: strings.ToUpper(w)}); got.Source != e.name {
			t.Errorf("utm_source %s: source %q, want %q", w, got.Source, e.name)
		}
	}
}

func TestTables_brokenFile(t *testing.T) {
	for name, file := range map[string]string{
		"columns":       "Google\tsearch\tgoogle.com\n",
		"category":      "Google\tnice\tgoogle.com\t-\n",
		"host twice":    "Google\tsearch\tgoogle.com google.com\t-\n",
		"no dot":        "Google\tsearch\tgoogle\t-\n",
		"upper case":    "Google\tsearch\tGoogle.com\t-\n",
		"word twice":    "Google\tsearch\tgoogle.com\tgoogle\n",
		"word of signs": "Google\tsearch\tgoogle.com\t*\n",
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("newTables took it")
				}
			}()
			newTables(file, "")
		})
	}
}

func TestFind_allocatesNothing(t *testing.T) {
	for name, in := range map[string]In{
		"direct":     {},
		"own page":   {Referrer: "https://www.example.com/a?b=c", PageHost: "example.com"},
		"known host": {Referrer: "https://www.google.com/", PageHost: "example.com"},
		"other host": {Referrer: "https://www.example.org/a/b?c=d", PageHost: "example.com"},
		"campaign":   {UTMSource: "google-ads", UTMMedium: "CPC", UTMCampaign: "Summer", ClickID: "gclid"},
		"word":       {UTMSource: "chatgpt.com"},
	} {
		if n := testing.AllocsPerRun(100, func() { Find(in) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	for _, c := range []struct {
		name string
		in   In
	}{
		{"direct", In{PageHost: "example.com"}},
		{"known host", In{Referrer: "https://www.google.com/", PageHost: "example.com"}},
		{"unknown host", In{Referrer: "https://www.example.org/a/b?c=d", PageHost: "example.com"}},
		{"campaign", In{UTMSource: "google-ads", UTMMedium: "CPC", UTMCampaign: "Summer", ClickID: "gclid"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Find(c.in)
			}
		})
	}
}
