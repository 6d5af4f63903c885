package redact

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// What may never be left, said another way than the code says it.
var (
	leftEmail  = regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9._%+-]*@(?:[A-Za-z][A-Za-z0-9-]*\.)+[A-Za-z]{2,}`)
	leftUUID   = regexp.MustCompile(`(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	leftNumber = regexp.MustCompile(`\p{Nd}{9}`)
	leftHex    = regexp.MustCompile(`[0-9a-fA-F]{20}`)
)

// FuzzRedact holds what the package promises of every text.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{
		"/a/bob@example.com", "user%40example.com", "+49 (0)170 123 45 67", "a8f5f167f44f4964e6c998dee827110c", "1\u200b23456789٠", `"a"@b.co`,
		"550e8400-e29b-41d4-a716-446655440000", "de89 3704 0044 0532 0130 00", "eyJhbGciOiJub25lIn0.e30.", "01.02.2026 08.30-17.00", "a@b@c.de",
		"cs_test_a1B2c3D4e5F6g7H8i9J0", "{" + "550e8400-e29b-41d4-a716-446655440000}=", "0 1 2 3 4 5 6 7 8 9", "%F0%9F%98%80%30", "x@2x.png",
		"a%252540b.co", "x@1.2-rc.3.min.js", "49-151-2345 6789", "-N_oJ2Vt1ya1gGtmQgf3", "9ZCZ-NT77-625F-X3ZY-Z1SZ", "3f2a_9b1c_4d5e_6f7a_8b9c",
	} {
		f.Add(s)
	}
	for _, s := range slugs() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 2000 {
			s = s[:2000]
		}
		for name, redact := range map[string]func(string, []byte) (string, []byte){"Path": Path, "Text": Text} {
			in := strings.Clone(s)
			got, scratch := redact(in, []byte("before"))
			if in != s || !strings.HasPrefix(string(scratch), "before") {
				t.Fatalf("%s(%q) wrote where it may not", name, s)
			}
			if utf8.ValidString(s) && !utf8.ValidString(got) {
				t.Errorf("%s(%q) = %q is no UTF-8", name, s, got)
			}
			if len(got) > len(s)+len(s)/6+1 {
				t.Errorf("%s(%q) = %q has grown", name, s, got)
			}
			if again, _ := redact(got, nil); again != got {
				t.Errorf("%s(%q) = %q, and again %q", name, s, got, again)
			}
			for _, left := range []*regexp.Regexp{leftEmail, leftUUID, leftNumber, leftHex} {
				if m := left.FindString(got); m != "" {
					t.Errorf("%s(%q) = %q has %q left", name, s, got, m)
				}
			}
		}
	})
}
