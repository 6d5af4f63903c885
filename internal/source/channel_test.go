package source

import "testing"

func TestFind_channel(t *testing.T) {
	const (
		google  = "https://www.google.com/"
		amazon  = "https://www.amazon.de/"
		youtube = "https://www.youtube.com/"
		reddit  = "https://www.reddit.com/"
		other   = "https://example.org/"
	)
	for _, c := range []struct {
		want string
		in   In
	}{
		{CrossNetwork, In{UTMCampaign: "Summer Cross-Network 1", UTMSource: "google", UTMMedium: "cpc"}},

		{Display, In{UTMMedium: "display", UTMSource: "google"}},
		{Display, In{UTMMedium: "Banner"}},
		{Display, In{UTMMedium: "expandable"}},
		{Display, In{UTMMedium: "interstitial"}},
		{Display, In{UTMMedium: "CPM", UTMSource: "facebook"}},

		{PaidShopping, In{UTMMedium: "cpc", Referrer: amazon}},
		{PaidShopping, In{UTMMedium: "ppc", UTMSource: "google", UTMCampaign: "shopping_de"}},
		{PaidShopping, In{UTMMedium: "cpc", UTMSource: "google", UTMCampaign: "winter-shop"}},

		{PaidSearch, In{UTMMedium: "cpc", Referrer: google}},
		{PaidSearch, In{UTMMedium: "cpc", UTMSource: "google", UTMCampaign: "workshops"}},
		{PaidSearch, In{UTMMedium: "paidsearch", UTMSource: "bing"}},
		{PaidSearch, In{UTMMedium: "retargeting", UTMSource: "ecosia"}},
		{PaidSearch, In{UTMSource: "googleads"}},
		{PaidSearch, In{UTMSource: "bing_ads"}},
		{PaidSearch, In{Referrer: google, ClickID: "gclid"}},
		{PaidSearch, In{Referrer: "https://www.bing.com/", ClickID: "msclkid"}},
		{OrganicSearch, In{Referrer: google, ClickID: "msclkid"}},
		{OrganicSearch, In{Referrer: "https://duckduckgo.com/", ClickID: "gclid"}},

		{PaidSocial, In{UTMMedium: "paid_social", UTMSource: "ig"}},
		{PaidSocial, In{UTMSource: "LinkedIn Ads"}},
		{PaidVideo, In{UTMMedium: "cpv", Referrer: youtube}},
		{PaidVideo, In{UTMSource: "youtube-ads"}},
		{PaidOther, In{UTMMedium: "cpc", UTMSource: "somebody"}},
		{PaidOther, In{UTMMedium: "ppc"}},

		{OrganicShopping, In{Referrer: amazon}},
		{OrganicShopping, In{UTMSource: "flyer", UTMCampaign: "eshop"}},
		{OrganicSocial, In{Referrer: reddit}},
		{OrganicSocial, In{UTMSource: "somebody", UTMMedium: "social"}},
		{OrganicSocial, In{UTMSource: "somebody", UTMMedium: "Social-Network"}},
		{OrganicSocial, In{UTMSource: "somebody", UTMMedium: "social media"}},
		{OrganicSocial, In{UTMSource: "somebody", UTMMedium: "sm"}},
		{OrganicVideo, In{Referrer: youtube}},
		{OrganicVideo, In{UTMSource: "somebody", UTMMedium: "in-video"}},
		{OrganicSearch, In{Referrer: google}},
		{OrganicSearch, In{Referrer: google, UTMMedium: "organic"}},

		{Email, In{Referrer: "https://outlook.live.com/mail/0/"}},
		{Email, In{UTMSource: "E-Mail"}},
		{Email, In{UTMSource: "somebody", UTMMedium: "e_mail"}},
		{Email, In{UTMSource: "somebody", UTMMedium: "E mail"}},
		{Email, In{UTMSource: "newsletter"}},
		{Affiliates, In{UTMSource: "somebody", UTMMedium: "affiliate"}},
		{Audio, In{UTMSource: "somebody", UTMMedium: "audio"}},
		{SMS, In{UTMSource: "sms"}},
		{SMS, In{UTMSource: "somebody", UTMMedium: "SMS"}},
		{MobilePush, In{UTMSource: "somebody", UTMMedium: "web-push"}},
		{MobilePush, In{UTMSource: "somebody", UTMMedium: "mobile-app"}},
		{MobilePush, In{UTMSource: "somebody", UTMMedium: "Notifications"}},
		{MobilePush, In{UTMSource: "firebase"}},

		{AIAssistants, In{Referrer: "https://claude.ai/chat/1"}},
		{AIAssistants, In{UTMSource: "perplexity"}},
		{AIAssistants, In{UTMSource: "chatgpt.com", UTMMedium: "referral"}},
		{PaidOther, In{UTMSource: "perplexity", UTMMedium: "cpc"}},

		{Referral, In{Referrer: other}},
		{Referral, In{Referrer: "https://en.wikipedia.org/wiki/X"}},
		{Referral, In{UTMSource: "somebody"}},
		{Referral, In{UTMMedium: "referral"}},
		{Referral, In{UTMMedium: "app"}},
		{Referral, In{UTMMedium: "Link"}},

		{Direct, In{}},
		{Direct, In{UTMMedium: "leaflet"}},
		{Direct, In{UTMCampaign: "spring"}},
		{Direct, In{ClickID: "gclid"}},
	} {
		if got := Find(c.in).Channel; got != c.want {
			t.Errorf("channel of %+v is %q, want %q", c.in, got, c.want)
		}
	}
}

func TestCampaign_shop(t *testing.T) {
	for title, want := range map[string]bool{
		"": false, "shop": true, "myshop": false, "my shop": true, "my_shop-1": true, "eshop": true, "e-shop": true, "the-eshop": true,
		"workshop": false, "workshop and shop": true, "bikeshop": false, "shopping": true, "windowshopping": true, "sho": false,
	} {
		c := campaign{title: []byte(title)}
		if got := c.shop(); got != want {
			t.Errorf("shop of %q is %v", title, got)
		}
	}
}
