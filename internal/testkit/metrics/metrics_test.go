package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

const file = `Says what it shows.
-- site --
example.com UTC
example.org Europe/Berlin
-- load --
{"time":"2026-11-20T10:00:00Z","n":"pageview","u":"https://example.com/"}

{"time":"2026-11-20T09:00:00Z","n":"pageview","u":"https://example.org/","d":"example.org","ip":"192.0.2.9","ua":"curl/8"}
-- ask --
{"metrics":["visitors"]}
-- rows --
/ | 1, null
Direct / None | 2
-- now --
2026-12-01T00:00:00Z
-- ask --
{"site_id":"example.org"}
-- rows --
`

func TestParse(t *testing.T) {
	c, err := Parse(txtar.Parse([]byte(file)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Site{{"example.com", "UTC"}, {"example.org", "Europe/Berlin"}}, c.Sites); diff != "" {
		t.Errorf("sites: (-want +got)\n%s", diff)
	}
	load := `{"d":"example.com","ip":"192.0.2.1","n":"pageview","time":"2026-11-20T10:00:00Z","u":"https://example.com/","ua":"` + agents()["chrome"] + `"}` + "\n" +
		`{"d":"example.org","ip":"192.0.2.9","n":"pageview","time":"2026-11-20T09:00:00Z","u":"https://example.org/","ua":"curl/8"}` + "\n"
	want := []step{
		{load: []byte(load)},
		{
			question: []byte(`{"metrics":["visitors"],"site_id":"example.com"}`), now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
			rows: []string{"/ | 1, null", "Direct / None | 2"},
		},
		{question: []byte(`{"site_id":"example.org"}`), now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, c.steps, cmp.AllowUnexported(step{})); diff != "" {
		t.Errorf("steps: (-want +got)\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := Parse(txtar.Parse([]byte(text))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error that says %q", text, err, want)
		}
	}
	f("-- site --\nexample.com UTC\n", "a comment must say")
	f("A.\n-- load --\n{}\n", "site must be the first")
	f("A.\n-- site --\nexample.com\n", "must be a domain and a time zone")
	f("A.\n-- site --\nexample.com UTC\n", "there must be a question")
	f("A.\n-- site --\nexample.com UTC\n-- rows --\n1\n", "must be pairs")
	f("A.\n-- site --\nexample.com UTC\n-- ask --\n{}\n", "there must be a question with its rows")
	f("A.\n-- site --\nexample.com UTC\n-- ask --\n{}\n-- ask --\n{}\n", "must be pairs")
	f("A.\n-- site --\nexample.com UTC\n-- ask --\nx\n-- rows --\n", "cannot read ask")
	f("A.\n-- site --\nexample.com UTC\n-- load --\n{\"n\":\"pageview\"}\n", "cannot read load")
	f("A.\n-- site --\nexample.com UTC\n-- now --\ntoday\n", "cannot read now")
	f("A.\n-- site --\nexample.com UTC\n-- asks --\n{}\n", "not known")
}

func TestRows(t *testing.T) {
	f := func(answer string, want ...string) {
		t.Helper()
		got, err := Rows([]byte(answer))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", answer, err, diff)
		}
	}
	f(`{"results":[{"dimensions":["/a","Chrome"],"metrics":[3,1.67,null]},{"dimensions":["/b","Other"],"metrics":[0,0,1]}],"meta":{}}`, "/a, Chrome | 3, 1.67, null", "/b, Other | 0, 0, 1")
	f(`{"results":[{"dimensions":[],"metrics":[3]}]}`, "3")
	// An error is no empty answer.
	if rows, err := Rows([]byte(`{"error":"site_id: is not known"}`)); err == nil {
		t.Errorf("an error has the rows %q", rows)
	}
}
