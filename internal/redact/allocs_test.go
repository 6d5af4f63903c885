//go:build !race

package redact

import "testing"

func TestRedact_allocations(t *testing.T) {
	scratch := make([]byte, 0, 4096)
	for _, s := range []string{
		"/blog/how-to-write-a-privacy-policy", "/über/１２３/%41", "bob%40example.com / 550e8400-e29b-41d4-a716-446655440000",
		"DE89 3704 0044 0532 0130 00, +49 170 1234567, a8f5f167f44f4964e6c998dee827110c",
	} {
		if n := testing.AllocsPerRun(50, func() { _, scratch = Path(s, scratch[:0]) }); n != 0 {
			t.Errorf("Path(%q): %v allocations", s, n)
		}
		if n := testing.AllocsPerRun(50, func() { _, scratch = Text(s, scratch[:0]) }); n != 0 {
			t.Errorf("Text(%q): %v allocations", s, n)
		}
	}
}

// Under the race detector the pool of regexp forgets at random, so this file is left out there.
func TestRules_Apply_allocations(t *testing.T) {
	r, err := Compile([]Rule{{"all", "^/customers/([^/]+)", "{customer}"}, {"path", `[a-z]+\d{3}`, "{x}"}})
	if err != nil {
		t.Fatal(err)
	}
	scratch := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(50, func() { _, scratch = r.Apply(Page, "/products/shoes/running/12", scratch[:0]) }); n != 0 {
		t.Errorf("%v allocations where nothing matches", n)
	}
	if n := testing.AllocsPerRun(50, func() { _, scratch = r.Apply(Page, "/customers/smith/12", scratch[:0]) }); n > 8 {
		t.Errorf("%v allocations where one rule matches", n)
	}
}
