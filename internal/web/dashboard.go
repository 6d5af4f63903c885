package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// dataSlot is where index.html wants what the server knows.
const dataSlot = `<script type="application/json" id="daysalt-data"></script>`

// policy lets the dashboard's own files run and nothing else: no inline script or style, no other host, no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// asset is one built file in its forms.
type asset struct {
	kind              string
	plain, zipped, br []byte
}

// assets are the dashboard's built files by path.
type assets struct {
	files map[string]asset
	index []byte // index.html; nil when the dashboard was not built
}

// loadAssets reads the built files once. Each may have a .gz and a .br beside it.
func loadAssets(built fs.FS) (*assets, error) {
	a := &assets{files: map[string]asset{}}
	err := fs.WalkDir(built, ".", func(name string, entry fs.DirEntry, err error) error {
		ext := path.Ext(name)
		if err != nil || entry.IsDir() || ext == ".gz" || ext == ".br" || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		plain, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		if name == "index.html" {
			a.index = plain
			return nil
		}
		file := asset{kind: mime.TypeByExtension(ext), plain: plain}
		if file.zipped, err = optional(built, name+".gz"); err != nil {
			return err
		}
		if file.br, err = optional(built, name+".br"); err != nil {
			return err
		}
		a.files[name] = file
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the dashboard's files: %w", err)
	}
	if a.index != nil && !bytes.Contains(a.index, []byte(dataSlot)) {
		return nil, errors.New("cannot use the dashboard's index.html: the place for its data is missing")
	}
	return a, nil
}

func optional(built fs.FS, name string) ([]byte, error) {
	data, err := fs.ReadFile(built, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// dashboard serves the built files, and index.html for every address that the dashboard's own router knows.
func (s *Server) dashboard(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentSecurityPolicy, policy)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	name := strings.TrimPrefix(c.Path(), "/")
	if file, ok := s.assets.files[name]; ok {
		c.Set(fiber.HeaderCacheControl, "no-cache")
		if strings.HasPrefix(name, "assets/") { // the name holds a hash of the content
			c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
		}
		c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
		c.Set(fiber.HeaderContentType, file.kind)
		return sendBest(c, file.plain, file.zipped, file.br)
	}
	if name != "" && name != "sites" && !strings.HasPrefix(name, "sites/") {
		return fiber.ErrNotFound
	}
	if s.assets.index == nil {
		return fiber.NewError(fiber.StatusNotFound, "this binary was built without the dashboard; run make build")
	}
	data, err := json.Marshal(s.known()) // escapes "<", so that no domain can end the script element
	if err != nil {
		return fmt.Errorf("cannot write the dashboard's data: %w", err)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.Send(bytes.Replace(s.assets.index, []byte(dataSlot), []byte(strings.Replace(dataSlot, "></", ">"+string(data)+"</", 1)), 1))
}

// siteItem is a site as the dashboard and the sites API see it.
type siteItem struct {
	Domain   string `json:"domain"`
	Timezone string `json:"timezone"`
}

type attribution struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// known is what index.html carries.
type known struct {
	Version     string       `json:"version"`
	Sites       []siteItem   `json:"sites"`
	Attribution *attribution `json:"attribution"`
}

func (s *Server) known() known {
	k := known{Version: s.cfg.Version, Sites: s.siteItems()}
	if text, url := s.cfg.Attribution(); text != "" {
		k.Attribution = &attribution{text, url}
	}
	return k
}

func (s *Server) siteItems() []siteItem {
	items := []siteItem{}
	for _, one := range s.sites.All() {
		items = append(items, siteItem{one.Domain, one.Zone(s.now()).String()})
	}
	return items
}
