package redact

import (
	_ "embed"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

//go:embed testdata/slugs.txt
var slugsFile string

const (
	base16    = "0123456789abcdef"
	base36    = "0123456789abcdefghijklmnopqrstuvwxyz"
	base62    = base36 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	base64url = base62 + "-_"
	crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// random returns n characters of an alphabet.
func random(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// inGroups returns n groups of so many characters of an alphabet with - between them.
func inGroups(r *rand.Rand, alphabet string, n, size int) string {
	groups := make([]string, n)
	for i := range groups {
		groups[i] = random(r, alphabet, size)
	}
	return strings.Join(groups, "-")
}

func bytesOf(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// makers make a token each. left is what may stay of it in front: a prefix in words, which says what the token is.
var makers = []struct {
	name string
	left string
	bar  float64 // the least share that is to be found whole
	make func(r *rand.Rand) string
}{
	{"hex 20", "", 1, func(r *rand.Rand) string { return random(r, base16, 20) }},
	{"hex 32", "", 1, func(r *rand.Rand) string { return hex.EncodeToString(bytesOf(r, 16)) }},
	{"hex 40 capitals", "", 1, func(r *rand.Rand) string { return strings.ToUpper(hex.EncodeToString(bytesOf(r, 20))) }},
	{"hex 24 letters", "", 1, func(r *rand.Rand) string { return random(r, "abcdef", 24) }},
	{"base36 20", "", .97, func(r *rand.Rand) string { return random(r, base36, 20) }},
	{"base36 25", "", .99, func(r *rand.Rand) string { return random(r, base36, 25) }},
	{"base62 20", "", .97, func(r *rand.Rand) string { return random(r, base62, 20) }},
	{"base62 22", "", .99, func(r *rand.Rand) string { return random(r, base62, 22) }},
	{"base62 32", "", .99, func(r *rand.Rand) string { return random(r, base62, 32) }},
	{"base64url 20", "", .98, func(r *rand.Rand) string { return random(r, base64url, 20) }},
	{"base64url 22", "", .985, func(r *rand.Rand) string { return random(r, base64url, 22) }},
	{"base64url 43", "", .98, func(r *rand.Rand) string { return random(r, base64url, 43) }},
	{"base64 44 padded", "", .97, func(r *rand.Rand) string { return base64.URLEncoding.EncodeToString(bytesOf(r, 31)) }},
	{"nanoid 21", "", .98, func(r *rand.Rand) string { return random(r, base64url, 21) }},
	{"ulid 26", "", .99, func(r *rand.Rand) string { return "01K" + random(r, crockford, 23) }},
	{"base32 26", "", .97, func(r *rand.Rand) string {
		return strings.TrimRight(base32.StdEncoding.EncodeToString(bytesOf(r, 16)), "=")
	}},
	{"base32 small 26", "", .97, func(r *rand.Rand) string {
		return strings.ToLower(strings.TrimRight(base32.StdEncoding.EncodeToString(bytesOf(r, 16)), "="))
	}},
	{"letters 24", "", .955, func(r *rand.Rand) string { return random(r, base36[10:], 24) }},
	{"letters of both cases 24", "", .99, func(r *rand.Rand) string { return random(r, base62[10:], 24) }},
	{"ksuid 27", "", .99, func(r *rand.Rand) string { return "2" + random(r, base62, 26) }},
	{"firebase 28", "", .99, func(r *rand.Rand) string { return random(r, base62, 28) }},
	{"cuid 25", "", .99, func(r *rand.Rand) string { return "cm" + random(r, base36, 23) }},
	{"stripe 66", "cs_test_", .99, func(r *rand.Rand) string { return "cs_test_a1" + random(r, base62, 56) }},
	{"stripe 28", "pi_", .99, func(r *rand.Rand) string { return "pi_3" + random(r, base62, 24) }},
	{"github 40", "ghp_", .99, func(r *rand.Rand) string { return "ghp_" + random(r, base62, 36) }},
	{"click id 91", "", .99, func(r *rand.Rand) string { return "EAIaIQobChMI" + random(r, base64url, 70) + "_BwE" }},
	{"jwt", "", 1, func(r *rand.Rand) string {
		enc := base64.RawURLEncoding
		return enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString([]byte(`{"sub":"`+strconv.Itoa(r.IntN(1e6))+`"}`)) +
			"." + enc.EncodeToString(bytesOf(r, 32))
	}},
	{"push id 20", "", .975, func(r *rand.Rand) string { return "-" + random(r, base64url, 19) }},
	{"small letters 20", "", .94, func(r *rand.Rand) string { return random(r, base36[10:], 20) }},
	{"capitals 20", "", .94, func(r *rand.Rand) string { return strings.ToUpper(random(r, base36[10:], 20)) }},
	{"hex 6x4", "", .99, func(r *rand.Rand) string { return inGroups(r, base16, 6, 4) }},
	{"hex 8x4", "", .99, func(r *rand.Rand) string { return inGroups(r, base16, 8, 4) }},
	{"hex 4x5", "", .99, func(r *rand.Rand) string { return inGroups(r, base16, 4, 5) }},
	{"licence key 5x5", "", .98, func(r *rand.Rand) string { return inGroups(r, strings.ToUpper(base36), 5, 5) }},
	{"licence key 5x5 small", "", .925, func(r *rand.Rand) string { return inGroups(r, base36, 5, 5) }},
	{"licence key 4x5", "", .96, func(r *rand.Rand) string { return inGroups(r, crockford, 4, 5) }},
	{"licence key 3x6", "", .96, func(r *rand.Rand) string { return inGroups(r, strings.ToUpper(base36), 3, 6) }},
	{"licence key 5x5 letters", "", .94, func(r *rand.Rand) string { return inGroups(r, strings.ToUpper(base36[10:]), 5, 5) }},
	{"gift code 5x4", "", .94, func(r *rand.Rand) string { return inGroups(r, crockford, 5, 4) }},
	{"gift code 5x4 base36", "", .91, func(r *rand.Rand) string { return inGroups(r, strings.ToUpper(base36), 5, 4) }},
}

// whole reports whether a token is gone, and no more than a few characters beside a separator are left of it.
func whole(got, left string) bool {
	rest, ok := strings.CutPrefix(got, left)
	if !ok {
		rest = got
	}
	before, after, found := strings.Cut(strings.Replace(rest, "{number}", "{token}", 1), "{token}") // one in 10,000 is a valid IBAN
	return found && len(before)+len(after) <= 4
}

func TestFindToken_recall(t *testing.T) {
	const n = 10000
	for _, m := range makers {
		r := rand.New(rand.NewPCG(1, uint64(len(m.name))))
		found, touched := 0, 0
		var missed string
		for range n {
			s := m.make(r)
			got, _ := Path("/a/"+s+"/b", nil)
			got = strings.TrimSuffix(strings.TrimPrefix(got, "/a/"), "/b")
			if whole(got, m.left) {
				found++
			} else {
				missed = s + " became " + got
			}
			if strings.Contains(got, "{") {
				touched++
			}
		}
		t.Logf("%-26s %6.2f %% whole, %6.2f %% in part or whole; missed: %s", m.name, 100*float64(found)/n, 100*float64(touched)/n, missed)
		if float64(found) < m.bar*n {
			t.Errorf("%s: %d of %d found", m.name, found, n)
		}
	}
}

func slugs() []string {
	var all []string
	for line := range strings.Lines(slugsFile) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

func TestPath_slugs(t *testing.T) {
	all := slugs()
	if len(all) < 300 {
		t.Errorf("only %d slugs", len(all))
	}
	for _, s := range all {
		for _, text := range []string{s, "/" + s, "/a/" + s + "/b"} {
			if got, _ := Path(text, nil); got != text {
				t.Errorf("Path(%q) = %q", text, got)
			}
		}
		if got, _ := Text(s, nil); got != s {
			t.Errorf("Text(%q) = %q", s, got)
		}
	}
	t.Logf("%d slugs", len(all))
}
