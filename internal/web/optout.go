package web

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/daysalt/daysalt/internal/site"
)

// optOutPath is where visitors object.
const optOutPath = "/opt-out"

// maxForm bounds the body of the page's form, in bytes; an address is percent-encoded in it.
const maxForm = 8 << 10

// The attributes of the cookie. A browser sends it from pages of other sites only where it is None, which it takes only over https.
const (
	cookieLife   = "; Path=/; Max-Age=34560000" // 400 days: browsers keep none longer
	cookieEnd    = "; Path=/; Max-Age=0"
	cookieSecure = "; SameSite=None; Secure"
	cookiePlain  = "; SameSite=Lax"
)

// chooser is what a request to the opt-out page says of who sent it.
type chooser struct {
	german, framed     bool
	optedOut, gpc, dnt bool
	https              bool
	host               string
	site, back, choice string // as they came
}

func (s *Server) chooserOf(c *fiber.Ctx) chooser {
	header := &c.Request().Header
	var h head
	h.read(header, "")
	name, _, _ := strings.Cut(strings.ToLower(string(header.Host())), ":")
	into := string(header.Peek("Sec-Fetch-Dest"))
	return chooser{
		german: prefersGerman(string(h.language)), framed: into == "iframe" || into == "frame",
		optedOut: h.optedOut, gpc: isOne(h.gpc), dnt: isOne(h.dnt), https: s.isHTTPS(c), host: name,
	}
}

// showOptOut is the page. It changes nothing.
func (s *Server) showOptOut(c *fiber.Ctx) error {
	v := s.chooserOf(c)
	asked := c.Context().QueryArgs()
	v.site, v.back, v.choice = string(asked.Peek("site")), string(asked.Peek("back")), string(asked.Peek("choice"))
	one, status, wrong := s.measured(&v)
	if one == nil {
		return s.sendOptOut(c, &v, nil, status, wrong)
	}
	if _, ok := backTo(one, v.back); v.back != "" && !ok {
		v.back = ""
		return s.sendOptOut(c, &v, one, fiber.StatusBadRequest, "wrong_back")
	}
	return s.sendOptOut(c, &v, one, fiber.StatusOK, "")
}

// takeOptOut takes the page's form: it sets or deletes the cookie and sends the visitor back, where the tracker does the same for the site's storage.
func (s *Server) takeOptOut(c *fiber.Ctx) error {
	v := s.chooserOf(c)
	if status, wrong := formFault(c, &v); wrong != "" {
		v.site = string(c.Context().QueryArgs().Peek("site"))
		one, _, _ := s.measured(&v)
		return s.sendOptOut(c, &v, one, status, wrong)
	}
	form := c.Request().PostArgs()
	v.site, v.back, v.choice = string(form.Peek("site")), string(form.Peek("back")), string(form.Peek("choice"))
	one, status, wrong := s.measured(&v)
	if one == nil {
		return s.sendOptOut(c, &v, nil, status, wrong)
	}
	if v.choice != "out" && v.choice != "in" {
		v.choice = ""
		return s.sendOptOut(c, &v, one, fiber.StatusBadRequest, "wrong_choice")
	}
	c.Set(fiber.HeaderSetCookie, optOutSetCookie(v.choice, v.https))
	c.Set(fiber.HeaderLocation, v.after(one))
	optOutHeaders(c)
	return c.SendStatus(fiber.StatusSeeOther)
}

// formFault returns a status and what is wrong with a form before it is read; "" for nothing.
func formFault(c *fiber.Ctx, v *chooser) (int, fact) {
	kind, _, _ := strings.Cut(c.Get(fiber.HeaderContentType), ";")
	switch {
	case !isOwnForm(c, v):
		return fiber.StatusForbidden, "wrong_origin"
	case !strings.EqualFold(strings.TrimSpace(kind), fiber.MIMEApplicationForm) || c.Get(fiber.HeaderContentEncoding) != "":
		return fiber.StatusUnsupportedMediaType, "wrong_form"
	case len(c.Request().Body()) > maxForm:
		return fiber.StatusRequestEntityTooLarge, "wrong_form"
	}
	return fiber.StatusOK, ""
}

// isOwnForm says whether the page itself sent the form. Another site could send it too, and the browser would take the cookie; but it cannot say that it
// is of our origin.
func isOwnForm(c *fiber.Ctx, v *chooser) bool {
	header := &c.Request().Header
	if from := header.Peek("Sec-Fetch-Site"); len(from) > 0 {
		return string(from) == "same-origin"
	}
	origin, host := string(header.Peek(fiber.HeaderOrigin)), strings.ToLower(string(header.Host()))
	return origin == "https://"+host || !v.https && origin == "http://"+host // Behind a proxy that is not trusted, it is not known that it is https.
}

// measured finds the site that a visitor came from; nil with a status and what is wrong where there is none.
func (s *Server) measured(v *chooser) (*site.Site, int, fact) {
	if v.site == "" {
		return nil, fiber.StatusBadRequest, "wrong_site_missing"
	}
	one, ok := s.sites.Lookup(v.site)
	if !ok {
		return nil, fiber.StatusNotFound, "wrong_site"
	}
	return one, fiber.StatusOK, ""
}

func optOutSetCookie(choice string, https bool) string {
	reach := cookiePlain
	if https {
		reach = cookieSecure
	}
	if choice == "out" {
		return optOutCookie + cookieLife + reach
	}
	name, _, _ := strings.Cut(optOutCookie, "=")
	return name + "=" + cookieEnd + reach
}

// root returns the address of the site's start page.
func (v *chooser) root(one *site.Site) string {
	if v.https {
		return "https://" + one.Domain + "/"
	}
	return "http://" + one.Domain + "/"
}

// after returns where a choice leads. A frame that is not told where to go stays what it is, and shows what became of the choice.
func (v *chooser) after(one *site.Site) string {
	if v.back == "" && v.framed {
		return "?" + url.Values{"site": {one.Domain}, "choice": {v.choice}}.Encode()
	}
	back, ok := backTo(one, v.back)
	if !ok {
		back = v.root(one)
	}
	return back + "#daysalt-opt-" + v.choice
}

// optOutHeaders sets what the page's answers have in common. The page's tracker believes only whoever comes from this origin, so that is what the browser
// must say.
func optOutHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderReferrerPolicy, "origin")
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set("Cross-Origin-Opener-Policy", "same-origin") // who opened the page must not change where it leads
	c.Set(fiber.HeaderVary, "Accept-Language, Cookie, DNT, Origin, Sec-Fetch-Dest, Sec-Fetch-Site, Sec-GPC")
}

// sendOptOut sends the page about a site, or about none, with what was wrong.
func (s *Server) sendOptOut(c *fiber.Ctx, v *chooser, one *site.Site, status int, wrong fact) error {
	view := &optOutView{Framed: v.framed}
	if wrong != "" {
		view.Wrong = []fact{wrong}
	}
	color, targets := "", "'none'" // whoever else framed it could have the button clicked unseen
	if one == nil {
		s.optOut.words(view, v.german, nil)
	} else {
		f := factsOf(one, s.now(), s.cfg.StoresAddresses)
		view.choose(v, one)
		view.tell(v, one, &f)
		s.optOut.words(view, v.german, &f)
		color, targets = one.BrandColor, origins(one)
	}
	page, style, err := s.optOut.write(view, color)
	if err != nil {
		return err
	}
	optOutHeaders(c)
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src "+style+"; base-uri 'none'; form-action "+targets+"; frame-ancestors "+targets)
	c.Set(fiber.HeaderContentLanguage, view.Lang)
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.Status(status).Send(page)
}

// origins are the server's own origin and the site's. The form may lead to them, by the answer and by the site's own redirects, which Chromium counts too; and
// their pages may frame this one.
func origins(one *site.Site) string {
	return strings.ReplaceAll("'self' https://D:* https://*.D:* http://D:* http://*.D:*", "D", one.Domain)
}
