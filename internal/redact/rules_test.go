package redact

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/daysalt/daysalt/internal/fault"
)

func TestCompile_errors(t *testing.T) {
	good := Rule{"path", "^/customers/([^/]+)", "{customer}"}
	f := func(field, says string, rules ...Rule) {
		t.Helper()
		_, err := Compile(rules)
		var bad *fault.Error
		if !errors.As(err, &bad) || bad.Kind != fault.Invalid || bad.Field != field || !strings.Contains(bad.Message, says) {
			t.Errorf("%v: error %v, want one of %q that says %q", rules, err, field, says)
		}
	}
	f("redact[0].field", "must be path, referrer, campaign, props, name or all", Rule{"title", "x", "{x}"})
	f("redact[1].field", `is ""`, good, Rule{"", "x", "{x}"})
	f("redact[1].match", "has 0 bytes", good, Rule{"path", "", "{x}"})
	f("redact[0].match", "has 201 bytes", Rule{"path", strings.Repeat("x", 201), "{x}"})
	f("redact[2].match", "missing closing )", good, good, Rule{"path", "(", "{x}"})
	f("redact[0].match", "no RE2", Rule{"path", `(a)\1`, "{x}"})
	f("redact[0].match", "empty text", Rule{"path", "x*", "{x}"})
	f("redact[0].match", "empty text", Rule{"path", "^", "{x}"})
	for _, as := range []string{"", "x", "{}", "{x", "x}", "{X}", "{a b}", "{{x}}", "{ä}", "{" + strings.Repeat("x", 31) + "}"} {
		f("redact[0].as", "must be a name in braces", Rule{"path", "x", as})
	}
	f("redact[0].as", "looks like personal data itself", Rule{"path", "x", "{a-123456789}"})
	many := make([]Rule, 21)
	for i := range many {
		many[i] = good
	}
	f("redact", "has 21 rules", many...)
	if _, err := Compile(many[:20]); err != nil {
		t.Errorf("20 rules: %v", err)
	}
	if r, err := Compile(nil); r != nil || err != nil {
		t.Errorf("no rules: %v, %v", r, err)
	}
}

func TestRules_Apply(t *testing.T) {
	f := func(in, want string, field Field, rules ...Rule) {
		t.Helper()
		r, err := Compile(rules)
		if err != nil {
			t.Fatal(err)
		}
		got, scratch := r.Apply(field, in, []byte("before"))
		if got != want {
			t.Errorf("%q with %v is %q, want %q", in, rules, got, want)
		}
		if !strings.HasPrefix(string(scratch), "before") || got == in && len(scratch) != len("before") {
			t.Errorf("%q with %v: scratch %q", in, rules, scratch)
		}
	}
	customer := Rule{"path", "^/customers/([^/]+)", "{customer}"}
	f("/customers/smith/edit", "/customers/{customer}/edit", Page, customer)
	f("/customers/smith/edit", "/customers/smith/edit", Referrer, customer)
	f("/x/customers/smith", "/x/customers/smith", Page, customer)
	f("/a/b", "/a/b", Page)
	for field, name := range fieldNames {
		f("xay", "x{b}y", Field(field), Rule{name, "a", "{b}"})
		f("xay", "xay", Field((field+1)%int(fields)), Rule{name, "a", "{b}"})
		f("xay", "x{b}y", Field(field), Rule{"all", "a", "{b}"})
	}
	f("xay", "xay", fields, Rule{"all", "a", "{b}"})
	f("a1 a2 b3", "{n} {n} b3", Props, Rule{"props", `a\d`, "{n}"})
	f("a1 a2 b3", "a{n} a{n} b3", Props, Rule{"props", `a(\d)`, "{n}"})
	f("x1 y2", "{n} y{n}", Props, Rule{"props", `x\d|y(\d)`, "{n}"})
	f("one two", "{2} two", Name, Rule{"name", "one", "{1}"}, Rule{"name", `\{1\}`, "{2}"})
	f("ab", "ab", Props, Rule{"props", `\b`, "{n}"})
	f("/c//x", "/c//x", Page, Rule{"path", "^/c/([^/]*)/", "{n}"})
	f("Straße 5", "Straß{e} 5", Props, Rule{"props", "e", "{e}"})
	var none *Rules
	if got, _ := none.Apply(Page, "x", nil); got != "x" {
		t.Errorf("no rules: %q", got)
	}
}

// Rules that feed each other cannot make a text grow without end.
func TestRules_Apply_bound(t *testing.T) {
	var rules []Rule
	for i := range 20 {
		rules = append(rules, Rule{"all", "[a-zä]", "{" + strings.Repeat(string(rune('g'+i)), 30) + "}"})
	}
	r, err := Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	in := strings.Repeat("aä", 100)
	got, _ := r.Apply(Props, in, nil)
	if len(got) != len(in)+maxGrowth || !utf8.ValidString(got) {
		t.Errorf("%d bytes became %d", len(in), len(got))
	}
	if r, err = Compile([]Rule{{"all", "x", "{xy}"}}); err != nil {
		t.Fatal(err)
	}
	in = strings.Repeat("x", 131) + strings.Repeat("ä", 100) // the cut falls into an ä
	if got, _ := r.Apply(Props, in, nil); len(got) > len(in)+maxGrowth || !utf8.ValidString(got) || strings.HasPrefix(got, "x") {
		t.Errorf("%d bytes became %d: %q", len(in), len(got), got)
	}
}

func BenchmarkRules(b *testing.B) {
	r, err := Compile([]Rule{{"all", "^/customers/([^/]+)", "{customer}"}})
	if err != nil {
		b.Fatal(err)
	}
	scratch := make([]byte, 0, 64)
	for b.Loop() {
		_, scratch = r.Apply(Page, "/products/shoes/running/12", scratch[:0])
	}
}
