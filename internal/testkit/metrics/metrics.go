// Package metrics runs the executable meaning of the numbers: files that say which events happened, what is asked, and what the answer is.
//
// It stands beside the line: a test plugs a System in, be it the whole product or a part of it, and every file of testdata/metrics must hold
// for it. A wrong number becomes a file of ten lines that anybody can read.
//
// A file is a txtar archive. Its comment says in plain words what it shows. Its members, in order:
//
//	-- site --   one site a line: domain and time zone; at least one, before anything else
//	-- now --    the moment of the questions after it, as 2026-11-20T12:00:00Z; without it noon UTC of the day after the last event
//	-- load --   events, one JSON object a line, as "daysalt import events" takes them
//	-- ask --    a question, as POST /api/v2/query takes it
//	-- rows --   its answer: a line for each row, "dimension, dimension | metric, metric"; without dimensions just the metrics
//
// Invariants: what is left out is filled in by one rule. An event's "d" and a question's "site_id" are the first site; "ua" may be one of the names
// in agents; "ip" is 192.0.2.1. Rows are compared in order.
//
// It makes no System, and it knows nothing of visits or metrics.
package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// System is what answers. It is made for one file and has no events in the beginning.
type System interface {
	// Load takes events, one JSON object a line, and returns when questions see them.
	Load(t *testing.T, lines []byte)
	// Ask returns the answer's JSON to a question's JSON, asked at a moment.
	Ask(t *testing.T, question []byte, now time.Time) []byte
}

// Site is a site that a file is about.
type Site struct {
	Domain string
	Zone   string // IANA name
}

// Case is a file.
type Case struct {
	Name    string
	Comment string
	Sites   []Site
	steps   []step
}

// step is a load, or a question with its rows.
type step struct {
	load     []byte // complete lines; nil for a question
	question []byte
	rows     []string
	now      time.Time
}

// Run runs every file of a folder against a system of its own. It fails where there is no file.
func Run(t *testing.T, dir string, open func(t *testing.T, sites []Site) System) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file in %s: %v", dir, err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c, err := Parse(archive)
			if err != nil {
				t.Fatal(err)
			}
			c.run(t, open(t, c.Sites))
		})
	}
}

func (c *Case) run(t *testing.T, s System) {
	t.Helper()
	for _, one := range c.steps {
		if one.load != nil {
			s.Load(t, one.load)
			continue
		}
		answer := s.Ask(t, one.question, one.now)
		got, err := Rows(answer)
		if err != nil {
			t.Fatalf("%s\nis answered with %s: %v", one.question, answer, err)
		}
		if want := strings.Join(one.rows, "\n"); strings.Join(got, "\n") != want {
			t.Errorf("%s\n%s\nhas the rows\n%s\nand should have\n%s", c.Comment, one.question, strings.Join(got, "\n"), want)
		}
	}
}

// Rows returns the rows of an answer's JSON as a file writes them.
func Rows(answer []byte) ([]string, error) {
	var a struct {
		Results *[]struct {
			Dimensions []string          `json:"dimensions"`
			Metrics    []json.RawMessage `json:"metrics"`
		} `json:"results"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("cannot read the answer: %w", err)
	}
	if a.Results == nil {
		return nil, errors.New("no results in the answer")
	}
	rows := make([]string, 0, len(*a.Results))
	for _, r := range *a.Results {
		metrics := make([]string, len(r.Metrics))
		for i, m := range r.Metrics {
			metrics[i] = string(m)
		}
		row := strings.Join(metrics, ", ")
		if len(r.Dimensions) > 0 {
			row = strings.Join(r.Dimensions, ", ") + " | " + row
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Parse reads a file.
func Parse(archive *txtar.Archive) (*Case, error) {
	c := &Case{Comment: string(bytes.TrimSpace(archive.Comment))}
	if c.Comment == "" {
		return nil, errors.New("a comment must say what the file shows")
	}
	var now, last time.Time
	asked := false
	for _, member := range archive.Files {
		if member.Name != "site" && len(c.Sites) == 0 {
			return nil, errors.New("site must be the first member")
		}
		if asked != (member.Name == "rows") {
			return nil, errors.New("ask and rows must be pairs")
		}
		asked = member.Name == "ask"
		var err error
		switch member.Name {
		case "site":
			c.Sites, err = parseSites(member.Data)
		case "now":
			now, err = time.Parse(time.RFC3339, string(bytes.TrimSpace(member.Data)))
		case "load":
			err = c.parseLoad(member.Data, &last)
		case "ask":
			at := now
			if at.IsZero() {
				at = last.UTC().Truncate(24 * time.Hour).Add(36 * time.Hour)
			}
			err = c.parseAsk(member.Data, at)
		case "rows":
			c.steps[len(c.steps)-1].rows = lines(member.Data)
		default:
			err = errors.New("the member is not known")
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", member.Name, err)
		}
	}
	if asked || len(c.steps) == 0 {
		return nil, errors.New("there must be a question with its rows")
	}
	return c, nil
}

func parseSites(data []byte) ([]Site, error) {
	var sites []Site
	for _, line := range lines(data) {
		domain, zone, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("%q must be a domain and a time zone", line)
		}
		sites = append(sites, Site{Domain: domain, Zone: zone})
	}
	return sites, nil
}

func (c *Case) parseLoad(data []byte, last *time.Time) error {
	var load bytes.Buffer
	for _, line := range lines(data) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return fmt.Errorf("cannot read %q: %w", line, err)
		}
		at, err := time.Parse(time.RFC3339, fmt.Sprint(e["time"]))
		if err != nil {
			return fmt.Errorf("cannot read %q: %w", line, err)
		}
		if at.After(*last) {
			*last = at
		}
		setDefault(e, "d", c.Sites[0].Domain)
		setDefault(e, "ip", "192.0.2.1")
		setDefault(e, "ua", "chrome")
		if full, ok := agents()[fmt.Sprint(e["ua"])]; ok {
			e["ua"] = full
		}
		complete, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("cannot write the event: %w", err)
		}
		load.Write(complete)
		load.WriteByte('\n')
	}
	c.steps = append(c.steps, step{load: load.Bytes()})
	return nil
}

func (c *Case) parseAsk(data []byte, now time.Time) error {
	var q map[string]any
	if err := json.Unmarshal(data, &q); err != nil {
		return fmt.Errorf("cannot read the question: %w", err)
	}
	setDefault(q, "site_id", c.Sites[0].Domain)
	question, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("cannot write the question: %w", err)
	}
	c.steps = append(c.steps, step{question: question, now: now})
	return nil
}

func setDefault(object map[string]any, name, value string) {
	if _, ok := object[name]; !ok {
		object[name] = value
	}
}

// lines returns the lines that are not empty.
func lines(data []byte) []string {
	var all []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// agents are the user agents that a file may name.
func agents() map[string]string {
	return map[string]string{
		"chrome":  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
		"safari":  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
		"iphone":  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
	}
}
