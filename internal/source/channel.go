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

// campaign is all that the rules look at, in lower case.
type campaign struct {
	origin
	medium     []byte
	title      []byte // of the campaign
	mediumSays meaning
	wordSays   meaning // of utm_source, source or ref
	clickID    string
}

// channel returns the first channel whose rule holds. The order is the meaning: a paid visit from a search engine is no organic one.
func channel(src origin, in In) string {
	if in.UTMMedium == "" && in.UTMCampaign == "" && src.name == "" {
		return Direct
	}
	var medium, title, squeezed [maxSource]byte
	c := campaign{
		origin:  src,
		medium:  bytes.TrimSpace(lower(medium[:0], cut(in.UTMMedium, maxSource))),
		title:   lower(title[:0], cut(in.UTMCampaign, maxSource)),
		clickID: in.ClickID,
	}
	c.mediumSays = known.media[string(squeeze(squeezed[:0], cut(in.UTMMedium, maxSource)))]
	c.wordSays = known.media[string(squeeze(squeezed[:0], src.word))]
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
	case c.mediumSays == "display":
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
	case c.category == social || c.mediumSays == "social":
		return OrganicSocial
	case c.category == video || bytes.Contains(c.medium, []byte("video")):
		return OrganicVideo
	case c.category == search:
		return OrganicSearch
	case c.category == mail || c.mediumSays == "email" || c.wordSays == "email":
		return Email
	case c.mediumSays == "affiliate":
		return Affiliates
	case c.mediumSays == "audio":
		return Audio
	case c.mediumSays == "sms" || c.wordSays == "sms":
		return SMS
	case c.push():
		return MobilePush
	case c.category == ai:
		return AIAssistants
	case c.name != "" || c.mediumSays == "referral":
		return Referral
	}
	return Direct
}

// paidMedium reports whether the medium says that somebody paid: cpc, cpv, ppc, paid_social and their like.
func (c *campaign) paidMedium() bool {
	return c.mediumSays == "paid" || bytes.Contains(c.medium, []byte("cp")) || bytes.HasPrefix(c.medium, []byte("paid"))
}

// clicked reports whether the advertisement's own parameter came along.
func (c *campaign) clicked() bool {
	return c.name == "Google" && c.clickID == "gclid" || c.name == "Bing" && c.clickID == "msclkid"
}

// push reports whether a message on a handset brought the visit.
func (c *campaign) push() bool {
	return bytes.HasSuffix(c.medium, []byte("push")) || bytes.Contains(c.medium, []byte("mobile")) ||
		bytes.Contains(c.medium, []byte("notification")) || c.wordSays == "push"
}

// shop reports whether the source sells things, or the campaign's name says so: "shopping", "summer-shop", "eshop", but not "workshop".
func (c *campaign) shop() bool {
	if c.category == shopping || bytes.Contains(c.title, []byte("shopping")) {
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
