package web

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"github.com/gofiber/fiber/v2"
)

// DemoDomain is the site that the demo pages are measured as.
const DemoDomain = "demo.localhost"

//go:embed demo/page.html
var demoHTML string

//go:embed demo/style.css
var demoStyle []byte

// demoPage is one page of the demo site.
type demoPage struct {
	Path, Title, Text string
	Pages             []demoPage // all of them, for the links
}

func demoPages() []demoPage {
	return []demoPage{
		{Path: "/demo", Title: "Welcome", Text: "Twelve kinds of salt, from the sea, from the mountain, and one from a lake that is pink."},
		{Path: "/demo/products", Title: "Products", Text: "Fleur de sel, smoked salt, black lava salt. Follow a link above: that is another pageview of the same visit."},
		{Path: "/demo/recipes", Title: "Recipes", Text: "Caramel with sea salt: melt the sugar, wait, do not stir, regret nothing."},
		{Path: "/demo/about", Title: "About us", Text: "We are two cousins and a very slow van."},
	}
}

// demo serves a page of the made-up site that carries the real tag.
func demo(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	if c.Path() == "/demo/style.css" {
		c.Set(fiber.HeaderContentType, "text/css; charset=utf-8")
		return c.Send(demoStyle)
	}
	pages := demoPages()
	for _, p := range pages {
		if p.Path != c.Path() {
			continue
		}
		p.Pages = pages
		var body bytes.Buffer
		page, err := template.New("demo").Parse(demoHTML)
		if err != nil {
			return fmt.Errorf("cannot read the demo page: %w", err)
		}
		if err := page.Execute(&body, p); err != nil {
			return fmt.Errorf("cannot write the demo page: %w", err)
		}
		c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
		return c.Send(body.Bytes())
	}
	return fiber.ErrNotFound
}
