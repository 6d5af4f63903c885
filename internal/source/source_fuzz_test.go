package source

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzFind holds what the package promises of a referrer, a source and a channel, whatever comes in.
func FuzzFind(f *testing.F) {
	channels := map[string]bool{}
	for _, ch := range []string{
		CrossNetwork, Display, PaidShopping, PaidSearch, PaidSocial, PaidVideo, PaidOther, OrganicShopping, OrganicSocial, OrganicVideo,
		OrganicSearch, Email, Affiliates, Audio, SMS, MobilePush, AIAssistants, Referral, Direct,
	} {
		channels[ch] = true
	}
	f.Add("https://user:pw@www.Example.org:80/a?b#c", "example.com", "", "cpc", "", "gclid")
	f.Add(`http:\\[::1]\@x`, "", "https://x/y", "", "shop", "")
	f.Add("android-app://com.google.android.gm/", "", "Google-Ads", "", "", "")
	f.Fuzz(func(t *testing.T, referrer, page, source, medium, campaign, click string) {
		in := In{Referrer: referrer, PageHost: page, UTMSource: source, UTMMedium: medium, UTMCampaign: campaign, ClickID: click}
		got := Find(in)
		if plain, ok := parsePlain(referrer); ok {
			if want, is := parse(referrer); !is || plain != want {
				t.Errorf("parsePlain(%q) = %+v, want %+v", referrer, plain, want)
			}
		}
		if host, ok := hostOf(page); plainHost(page) && (!ok || host != page) {
			t.Errorf("plainHost(%q), but it is the host %q", page, host)
		}
		if !channels[got.Channel] {
			t.Errorf("Find(%+v): channel %q", in, got.Channel)
		}
		if len(got.Referrer) > maxReferrer || len(got.Source) > maxSource {
			t.Errorf("Find(%+v): %d bytes of referrer, %d of source", in, len(got.Referrer), len(got.Source))
		}
		host, _, _ := strings.Cut(got.Referrer, "/")
		if strings.Contains(host, "@") || strings.ContainsAny(got.Referrer, "?#") {
			t.Errorf("Find(%+v): referrer %q", in, got.Referrer)
		}
		for _, s := range []string{got.Referrer, got.Source} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("Find(%+v): %q cannot be shown", in, s)
			}
		}
		if strings.HasSuffix(got.Referrer, "/") {
			t.Errorf("Find(%+v): referrer %q ends in a slash", in, got.Referrer)
		}
	})
}
