package load

import (
	_ "embed"
	"math/rand/v2"
	"strconv"
	"strings"
)

//go:embed agents.tsv
var agentsFile string

//go:embed languages.tsv
var languagesFile string

//go:embed sources.tsv
var sourcesFile string

//go:embed events.tsv
var eventsFile string

//go:embed words.txt
var wordsFile string

// agent is a browser, with the headers that say so.
type agent struct {
	text, brands, platform, mobile string
}

// source is where a visit comes from.
type source struct{ referrer, query string }

// custom is an event of a site's own, with two properties.
type custom struct {
	name   string
	keys   [2]string
	values [2][]string
}

// data is what the files hold.
type data struct {
	agents    []agent
	languages []string
	sources   []source
	customs   []custom
	words     []string

	agent, language, source, custom picker
}

// readData reads the files. A line that is not well formed panics, so that no build with one can pass a test.
func readData() *data {
	d := &data{}
	var weights []int
	read := func(file string, columns int, take func(c []string)) picker {
		weights = weights[:0]
		for line := range lines(file) {
			c := strings.Split(line, "\t")
			weight, err := strconv.Atoi(c[0])
			if err != nil || weight < 1 || len(c) != columns {
				panic("load: line of a data file: " + line)
			}
			for i, text := range c {
				if text == "-" {
					c[i] = ""
				}
			}
			weights = append(weights, weight)
			take(c)
		}
		return newPicker(weights)
	}
	d.agent = read(agentsFile, 5, func(c []string) { d.agents = append(d.agents, newAgent(c)) })
	d.language = read(languagesFile, 2, func(c []string) { d.languages = append(d.languages, c[1]) })
	d.source = read(sourcesFile, 3, func(c []string) { d.sources = append(d.sources, source{c[1], c[2]}) })
	d.custom = read(eventsFile, 6, func(c []string) {
		d.customs = append(d.customs, custom{
			name: c[1], keys: [2]string{c[2], c[4]},
			values: [2][]string{strings.Split(c[3], "|"), strings.Split(c[5], "|")},
		})
	})
	for line := range lines(wordsFile) {
		d.words = append(d.words, strings.Fields(line)...)
	}
	return d
}

// lines yields the lines of a data file that are neither empty nor a comment.
func lines(file string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(file) {
			line = strings.TrimSuffix(line, "\n")
			if line != "" && !strings.HasPrefix(line, "#") && !yield(line) {
				return
			}
		}
	}
}

// newAgent reads a line's columns. Chromium's hints repeat the version that the agent says.
func newAgent(c []string) agent {
	a := agent{text: c[4], mobile: c[2]}
	if c[3] == "" {
		return a
	}
	_, version, _ := strings.Cut(a.text, "Chrome/")
	version, _, _ = strings.Cut(version, ".")
	a.platform = strconv.Quote(c[1])
	a.brands = `"Chromium";v="` + version + `", ` + c[3] + `, "Not?A_Brand";v="24"`
	return a
}

// picker draws indexes by weight: each index is in it as often as its weight says, and at least once.
type picker []uint16

// pickerSize is how finely a picker knows weights.
const pickerSize = 1 << 14

func newPicker(weights []int) picker {
	total := 0
	for _, w := range weights {
		total += w
	}
	var p picker
	for i, w := range weights {
		for range max(1, w*pickerSize/total) {
			p = append(p, uint16(i))
		}
	}
	return p
}

func (p picker) pick(r *rand.Rand) int { return int(p[r.IntN(len(p))]) }
