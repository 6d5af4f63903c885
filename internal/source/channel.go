package source

import "bytes"

// The channels.
const (
	CrossNetwork    = "Cross-network"
	Display         = "Display"
	PaidShopping    = "Paid Shopping"
	PaidSearch      = "Paid Search"
	PaidSocial      = "Paid Social"
	PaidVideo       = "Paid Video"
	PaidOther       = "Paid Other"
	OrganicShopping = "Organic Shopping"
	OrganicSocial   = "Organic Social"
	OrganicVideo    = "Organic Video"
	OrganicSearch   = "Organic Search"
	Email           = "Email"
	Affiliates      = "Affiliates"
	Audio           = "Audio"
	SMS             = "SMS"
	MobilePush      = "Mobile Push Notifications"
	AIAssistants    = "AI Assistants"
	Referral        = "Referral"
	Direct          = "Direct"
)

// campaign is all that the rules look at.
type campaign struct {
	origin
	medium
	title    []byte  // of the campaign, in lower case
	wordSays meaning // of utm_source, source or ref
	clickID  string
}

// medium is what utm_medium says.
type medium struct {
	says  meaning
	cp    bool // cpc, cpv, ppc, paid_social and their like
	video bool
	push  bool // a message on a handset
}

// mediumOf looks at utm_medium, in lower case and without blanks around it.
func mediumOf(text []byte) medium {
	return medium{
		cp:    bytes.Contains(text, []byte("cp")) || bytes.HasPrefix(text, []byte("paid")),
		video: bytes.Contains(text, []byte("video")),
		push:  bytes.HasSuffix(text, []byte("push")) || bytes.Contains(text, []byte("mobile")) || bytes.Contains(text, []byte("notification")),
	}
}

// readMedium returns what utm_medium says.
func readMedium(text string) medium {
	if text == "" {
		return medium{}
	}
	text = cut(text, maxSource)
	if isSqueezed(text) {
		if known.mediaStarts.may(text) {
			if m, ok := known.media[text]; ok {
				return m
			}
		}
		return mediumOf(bytesOf(text))
	}
	var room, squeezed [maxSource]byte
	m := mediumOf(bytes.TrimSpace(lower(room[:0], text)))
	m.says = known.says(view(squeeze(squeezed[:0], text)))
	return m
}

// meaningOf returns what a source's word says.
func meaningOf(word string) meaning {
	if isSqueezed(word) {
		return known.says(word)
	}
	var buf [maxSource]byte
	return known.says(view(squeeze(buf[:0], word)))
}

// channel returns the first channel whose rule holds. The order is the meaning: a paid visit from a search engine is no organic one.
func channel(src origin, in In) string {
	if in.UTMMedium == "" && in.UTMCampaign == "" && src.name == "" {
		return Direct
	}
	c := campaign{origin: src, medium: readMedium(in.UTMMedium), wordSays: meaningOf(src.word), clickID: in.ClickID}
	if in.UTMCampaign == "" {
		return c.channel()
	}
	var title [maxSource]byte
	c.title = lower(title[:0], cut(in.UTMCampaign, maxSource))
	return c.channel()
}

func (c *campaign) channel() string {
	if ch := c.bought(); ch != "" {
		return ch
	}
	return c.free()
}

// bought returns the channel of a visit that an advertisement brought, or "".
func (c *campaign) bought() string {
	paidMedium := c.paidMedium()
	switch {
	case bytes.Contains(c.title, []byte("cross-network")):
		return CrossNetwork
	case c.says == "display":
		return Display
	case paidMedium && c.shop():
		return PaidShopping
	case c.category == search && (paidMedium || c.paid || c.clicked()):
		return PaidSearch
	case c.category == social && (paidMedium || c.paid):
		return PaidSocial
	case c.category == video && (paidMedium || c.paid):
		return PaidVideo
	case paidMedium:
		return PaidOther
	}
	return ""
}

// free returns the channel of any other visit.
func (c *campaign) free() string {
	switch {
	case c.shop():
		return OrganicShopping
	case c.category == social || c.says == "social":
		return OrganicSocial
	case c.category == video || c.video:
		return OrganicVideo
	case c.category == search:
		return OrganicSearch
	case c.category == mail || c.says == "email" || c.wordSays == "email":
		return Email
	case c.says == "affiliate":
		return Affiliates
	case c.says == "audio":
		return Audio
	case c.says == "sms" || c.wordSays == "sms":
		return SMS
	case c.push || c.wordSays == "push":
		return MobilePush
	case c.category == ai:
		return AIAssistants
	case c.name != "" || c.says == "referral":
		return Referral
	}
	return Direct
}

// paidMedium reports whether the medium says that somebody paid.
func (c *campaign) paidMedium() bool { return c.says == "paid" || c.cp }

// clicked reports whether the advertisement's own parameter came along.
func (c *campaign) clicked() bool {
	return c.name == "Google" && c.clickID == "gclid" || c.name == "Bing" && c.clickID == "msclkid"
}

// shop reports whether the source sells things, or the campaign's name says so: "shopping", "summer-shop", "eshop", but not "workshop".
func (c *campaign) shop() bool {
	if c.category == shopping {
		return true
	}
	if bytes.Contains(c.title, []byte("shopping")) {
		return true
	}
	for title := c.title; ; {
		i := bytes.Index(title, []byte("shop"))
		if i < 0 {
			return false
		}
		if i == 0 || title[i-1] < 'a' || title[i-1] > 'z' || title[i-1] == 'e' && (i == 1 || title[i-2] < 'a' || title[i-2] > 'z') {
			return true
		}
		title = title[i+len("shop"):]
	}
}
