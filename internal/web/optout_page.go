package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"math"
	"strings"
)

//go:embed optout/page.html
var optOutHTML string

//go:embed optout/style.css
var optOutStyle string

//go:embed optout/en.txt
var optOutEnglish string

//go:embed optout/de.txt
var optOutGerman string

// optOutPage is what every opt-out page is made of.
type optOutPage struct {
	layout          *template.Template
	english, german map[fact]string
}

func loadOptOut() (*optOutPage, error) {
	layout, err := template.New("opt-out").Parse(optOutHTML)
	if err != nil {
		return nil, fmt.Errorf("cannot read the opt-out page: %w", err)
	}
	p := &optOutPage{layout: layout}
	if p.english, err = parseSentences(optOutEnglish); err != nil {
		return nil, err
	}
	p.german, err = parseSentences(optOutGerman)
	return p, err
}

// parseSentences reads lines of a key, a colon, a blank and a sentence. Empty lines and those that begin with # are none.
func parseSentences(text string) (map[fact]string, error) {
	all := map[fact]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		key, sentence, is := strings.Cut(line, ": ")
		if _, twice := all[key]; !is || twice || sentence == "" {
			return nil, fmt.Errorf("cannot read the sentences of the opt-out page: %q is none, or comes twice", line)
		}
		all[key] = sentence
	}
	return all, nil
}

// section is a heading with sentences below it.
type section struct {
	Heading, Lead fact
	Items         []fact
	Parts         []section
}

// optOutView is one opt-out page, as its template sees it.
type optOutView struct {
	Lang     string
	Site     string // its name; "" where the request names no site
	Domain   string
	Back     string // where to go back to; "" for the site's root
	Return   string // the same, never ""
	Window   string // the page itself
	Choice   string // what the button chooses; "out" or "in"
	State    fact   // "" where there is nothing to choose
	Why      []fact
	Wrong    []fact
	Framed   bool
	Sections []section
	Style    template.CSS

	sentences map[fact]string
	fill      *strings.Replacer
}

// Say returns a sentence, filled in.
func (v *optOutView) Say(f fact) (string, error) {
	sentence, is := v.sentences[f]
	if !is {
		return "", fmt.Errorf("cannot find the sentence %s", f)
	}
	return v.fill.Replace(sentence), nil
}

// Title returns the title of the window.
func (v *optOutView) Title() (string, error) {
	if v.Site == "" {
		return v.Say("heading")
	}
	return v.Say("title")
}

// words makes a view ready to speak a language.
func (p *optOutPage) words(v *optOutView, german bool, f *facts) {
	v.Lang, v.sentences = "en", p.english
	if german {
		v.Lang, v.sentences = "de", p.german
	}
	pairs := []string{"{site}", v.Site}
	if f != nil {
		for name, value := range f.values {
			pairs = append(pairs, "{"+name+"}", value)
		}
		for name, word := range f.words {
			pairs = append(pairs, "{"+name+"}", v.sentences[word])
		}
	}
	v.fill = strings.NewReplacer(pairs...)
}

// write returns the page, and the source of its style for the policy.
func (p *optOutPage) write(v *optOutView, color string) (page []byte, style string, err error) {
	brand, text := buttonColors(color)
	css := optOutStyle + ":root{--brand:" + brand + ";--text:" + text + "}"
	v.Style = template.CSS(css) //nolint:gosec // a file of ours and two colours
	var b bytes.Buffer
	if err := p.layout.Execute(&b, v); err != nil {
		return nil, "", fmt.Errorf("cannot write the opt-out page: %w", err)
	}
	sum := sha256.Sum256([]byte(css))
	return b.Bytes(), "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", nil
}

// defaultColor is the button's where a site has set none.
const defaultColor = "#0b5c8a"

// buttonColors returns the button's colour, and black or white for the text on it, whichever has more contrast.
func buttonColors(color string) (button, text string) {
	rgb, err := hex.DecodeString(strings.TrimPrefix(color, "#"))
	if err != nil || len(rgb) != 3 || color[0] != '#' {
		return buttonColors(defaultColor)
	}
	light := luminance(rgb)
	// Contrast is the ratio of luminances, each with 0.05 for what light there is anyway (WCAG 2).
	if (light+0.05)/0.05 >= 1.05/(light+0.05) {
		return color, "#000"
	}
	return color, "#fff"
}

// luminance returns the relative luminance of a colour in sRGB, 0 for black to 1 for white.
func luminance(rgb []byte) float64 {
	linear := func(c byte) float64 {
		v := float64(c) / math.MaxUint8
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(rgb[0]) + 0.7152*linear(rgb[1]) + 0.0722*linear(rgb[2])
}
