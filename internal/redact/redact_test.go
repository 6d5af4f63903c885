package redact

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// both runs a table of texts and what is left of them through Path and Text.
func both(t *testing.T, table [][2]string) {
	t.Helper()
	for _, c := range table {
		if got, _ := Path(c[0], nil); got != c[1] {
			t.Errorf("Path(%q) = %q, want %q", c[0], got, c[1])
		}
		if got, _ := Text(c[0], nil); got != c[1] {
			t.Errorf("Text(%q) = %q, want %q", c[0], got, c[1])
		}
	}
}

func TestRedact_email(t *testing.T) {
	both(t, [][2]string{
		{"bob@example.com", "{email}"},
		{"a@b.co", "{email}"},
		{"bob%E2%80%8B@example.com", "{email}"},
		{"/newsletter/bob@example.com/off", "/newsletter/{email}/off"},
		{"bob.smith+x@example.co.uk", "{email}"},
		{"mailto:bob@example.com", "mailto:{email}"},
		{"user%40example.com", "{email}"},
		{"user%2540example.com", "{email}"},
		{"jane%252540example.com", "{email}"},
		{"/a/100%25/jane%252540example.com%2520x", "/a/100%25/{email}%2520x"},
		{"bob%25EF%25BC%25A0example.com", "{email}"},
		{"%252B49%2520151%25202345678", "{number}"},
		{"a%2@b%25.c", "a%2@b%25.c"},
		{"/#/profile/bob@example.com", "/#/profile/{email}"},
		{"?to=bob%40example.com&x=1", "?to={email}&x=1"},
		{"m%C3%BCller@example.com", "{email}"},
		{"jürgen.müller@exämple.de", "{email}"},
		{"почта@пример.рф", "{email}"},
		{"联系bob@example.com谢谢", "联系{email}谢谢"},
		{"bob＠example．com", "{email}"},
		{"b\u200bob@exam\u00adple.com", "{email}"},
		{`"john doe"@example.com!`, "{email}!"},
		{"o'brien@example.com.", "{email}."},
		{"<bob@example.com>", "<{email}>"},
		{"a@b@c.org", "{email}"},
		{"@bob@mastodon.social", "@{email}"},
		{"bob@example.com-old", "{email}-old"},
		{"bob@example.com2", "{email}2"},
		{"bob@163.com", "{email}"},
		{"bob@xn--e1afmkfd.xn--p1ai", "{email}"},
		{"a@b.co/c@d.eu", "{email}/{email}"},
		{"5f4dcc3b5aa765d61d8327deb882cf99@example.com", "{email}"},
		{"user@localhost", "user@localhost"},
		{"/@scope/package", "/@scope/package"},
		{"/@user.name", "/@user.name"},
		{"pkg@1.2.3", "pkg@1.2.3"},
		{"lodash@4.17.21.tgz", "lodash@4.17.21.tgz"},
		{"npm/chart.js@4.4.0/x", "npm/chart.js@4.4.0/x"},
		{"vue@3.5.0-rc.1.global.prod.js", "vue@3.5.0-rc.1.global.prod.js"},
		{"tool@1.2.3-beta2.MIN.js", "tool@1.2.3-beta2.MIN.js"},
		{"tool@1.2.tar.gz", "tool@1.2.tar.gz"},
		{"tool@1.2.next", "tool@1.2.next"},
		{"jane@1.2.example.com", "{email}"},
		{"jane@4.17.firma.de", "{email}"},
		{"jane@1.2.3.beta.example.com", "{email}"},
		{"jane@1.2.js.org", "{email}"},
		{"jane@next.dev", "{email}"},
		{"jane@1.dev", "{email}"},
		{"logo@2x.png", "logo@2x.png"},
		{"a@.com", "a@.com"},
		{"...@example.com", "...@example.com"},
		{"5 @ 3.50", "5 @ 3.50"},
	})
}

func TestRedact_id(t *testing.T) {
	const uuid = "550e8400-e29b-41d4-a716-446655440000"
	both(t, [][2]string{
		{uuid, "{id}"},
		{"/u/" + strings.ToUpper(uuid) + "/x", "/u/{id}/x"},
		{"{" + uuid + "}", "{id}"},
		{"%7B" + uuid + "%7D", "{id}"},
		{"{" + uuid, "{{id}"},
		{"urn:uuid:" + uuid, "urn:uuid:{id}"},
		{"user-" + uuid + "-edit", "user-{id}-edit"},
		{"user" + uuid, "user{id}"},
		{"abcdefab-cdef-abcd-efab-cdefabcdefab", "{id}"},
		{strings.ReplaceAll(uuid, "-", "‐"), "{id}"},
		{strings.ReplaceAll(uuid, "-", ""), "{token}"},
		{"550e8400-e29b-41d4-a716-4466g5440000", "550e8400-e29b-41d4-a716-4466g5440000"},
	})
}

func TestRedact_token(t *testing.T) {
	both(t, [][2]string{
		{"reset-password-a8f5f167f44f4964e6c998dee827110c", "reset-password-{token}"},
		{"user5f4dcc3b5aa765d61d8327deb882cf99", "user{token}"},
		{"0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe", "0x{token}"},
		{"main.8e0d62a0fbcb2d1a7b3e.js", "main.{token}.js"},
		{"/files/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit", "/files/{token}/edit"},
		{"cs_test_a1B2c3D4e5F6g7H8i9J0k1L2", "cs_test_{token}"},
		{"token=dGhpcyBpcyBhIHRlc3QhIQ==&x=1", "token={token}&x=1"},
		{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "{token}"},
		{"a eyJhbGciOiJub25lIn0.e30. b", "a {token}. b"},
		{"Ab3xK9-_mQ2vR7tLpW4zYc", "{token}"},
		{"abcdefabcdefabcdefabcdef", "{token}"},
		{"abcdefabcdefabcdefa", "abcdefabcdefabcdefa"},
		{"a1b2c3d4e5f6a7b8c9d", "a1b2c3d4e5f6a7b8c9d"},
		{"Hello 01ARZ3NDEKTSV4RRFFQ69G5FAV, bye", "Hello {token}, bye"},
		{"xxxxxxxxxxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxxxxxx"},
		{"/chat/-N_oJ2Vt1ya1gGtmQgf3", "/chat/{token}"},
		{"/chat/_N_oJ2Vt1ya1gGtmQgf3/x", "/chat/{token}/x"},
		{"N_oJ2Vt1ya1gGtmQgf3-", "{token}"},
		{"key: -a8f5f167f44f4964e6c998dee827110c-", "key: {token}"},
		{"3f2a-9b1c-4d5e-6f7a-8b9c-0d1e", "{token}"},
		{"backup-code-3f2a-9b1c-4d5e-6f7a-8b9c-0d1e-used", "backup-code-{token}-used"},
		{"7GK2M-QW3RT-9XCVB-4HJKL-P2ASD", "{token}"},
		{"gift 9ZCZ-NT77-625F-X3ZY-Z1SZ!", "gift {token}!"},
		{"gift_9ZCZ_NT77_625F_X3ZY_Z1SZ", "gift_{token}"},
		{"XQWZR-KJHGF-BVCXN-TRWQP", "{token}"},
		{"9ZCZ-NT77-625F-X3ZY", "9ZCZ-NT77-625F-X3ZY"}, // 19 characters.
		{"gift-9ZCZ-NT77-625F-X3ZY", "gift-9ZCZ-NT77-625F-X3ZY"},
		{"gift-8812-NT77-625F-X3ZY-Z1SZ", "gift-{token}"},
		{"h264-h265-vp09-i18n-mpeg", "h264-h265-vp09-i18n-mpeg"},
		{"2024-2025-2026-2027-2028", "2024-2025-2026-2027-2028"},
		{"HTTP-HTML-JSON-YAML-TOML-REST", "HTTP-HTML-JSON-YAML-TOML-REST"},
		{"DRUCK-FARBE-STOFF-LEDER-KUNST", "DRUCK-FARBE-STOFF-LEDER-KUNST"},
		{"h264-h265-vp09-av01-mpeg", "h264-h265-vp09-av01-mpeg"},
		{"16gb-32gb-64gb-ddr4-ddr5", "16gb-32gb-64gb-ddr4-ddr5"},
		{"A100-A200-A300-A400-A500", "A100-A200-A300-A400-A500"},
		{"face-cafe-dead-beef-fade", "face-cafe-dead-beef-fade"},
		{"EURUSD-GBPUSD-USDJPY", "EURUSD-GBPUSD-USDJPY"},
	})
}

func TestRedact_number(t *testing.T) {
	both(t, [][2]string{
		{"/orders/123456789/edit", "/orders/{number}/edit"},
		{"/orders/12345678/edit", "/orders/12345678/edit"},
		{"invoice-123456789.pdf", "invoice-{number}.pdf"},
		{"x123456789y", "x{number}y"},
		{"9783161484100", "{number}"},
		{"٠١٢٣٤٥٦٧٨", "{number}"},
		{"１２３４５６７８９", "{number}"},
		{"1234\u200b5\u20606789", "{number}"},
		{"+49 170 1234567", "{number}"},
		{"%2B49%20170%201234567", "{number}"},
		{"+49-(0)170-123 45 67", "{number}"},
		{"+49 (0) 30 / 123 45 67", "{number}"},
		{"+49–170–1234567", "{number}"},
		{"+49 170 1234567", "{number}"},
		{"(030) 123456-78", "{number}"},
		{"(+49) 170 1234567", "{number}"},
		{"tel: (0170) 1234567, bob", "tel: {number}, bob"},
		{"0170/1234567", "{number}"},
		{"0170-1234567", "{number}"},
		{"0 532 123 45 67", "{number}"},
		{"01 23 45 67 89", "{number}"},
		{"001-212-555-0123", "{number}"},
		{"tel:+4930123456", "tel:{number}"},
		{"212-555-0123", "{number}"},
		{"(212) 555-0123", "{number}"},
		{"1-212-555-0123", "{number}"},
		{"call 24 0170 1234567", "call 24 {number}"},
		{"4111 1111 1111 1111", "{number}"},
		{"4111-1111-1111-1112", "4111-1111-1111-1112"},
		{"3782 822463 10005", "{number}"},
		{"078-05-1120", "{number}"},
		{"123-45-6789", "{number}"},
		{"2026-11-22 0170 1234567", "2026-11-22 {number}"},
		{"DE89370400440532013000", "{number}"},
		{"de89 3704 0044 0532 0130 00 today", "{number} today"},
		{"GB29-NWBK-6016-1331-9268-19", "{number}"},
		{"MT84MALT011000012345MTLCAST001S", "{number}"},
		{"NO9386011117947", "{number}"},
		{"MT84 MALT 0110", "MT84 MALT 0110"},
		{"ab02-summer-sale-2026-11-22-tops", "ab02-summer-sale-2026-11-22-tops"}, // Its check digits are right.
		{"DE12 3704 9044 5532 1130 11", "DE12 3704 9044 5532 1130 11"},
		{"12345678901234567890", "{number}"},
		{"۱۲۳۴۵۶۷۸۹", "{number}"},
		{"%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1", "{number}"},
		{"08.30-12.00 13.30-17.00", "08.30-12.00 13.30-17.00"},
		{"01.02.2026 08.30.15 123", "01.02.2026 08.30.15 123"},
		{"50-01-02-03-04-05", "50-01-02-03-04-05"},
		{"(2019-2026) 500", "(2019-2026) 500"},
		{"(2026) 12345", "(2026) 12345"},
		{"2026-11-22T10:20:30", "2026-11-22T10:20:30"},
		{"01.02.2026 10:30", "01.02.2026 10:30"},
		{"1.234,56", "1.234,56"},
		{"0.12345678", "0.12345678"},
		{"978-3-16-148410-0", "978-3-16-148410-0"}, // A book, not a person.
		{"978 81 7525 766 3", "978 81 7525 766 3"},
		{"81-7525-766-0", "81-7525-766-0"},
	})
}

// A number that begins with a country's code has lost its plus in a query, or never had one.
func TestRedact_withoutPlus(t *testing.T) {
	both(t, [][2]string{
		{"+43_660_1234567", "{number}"},
		{"0170_1234567", "{number}"},
		{"415_555_0123", "{number}"},
		{"DE89_3704_0044_0532_0130_00", "{number}"},
		{"49-151-23456789", "{number}"},
		{"49_151_23456789", "{number}"},
		{"/call/49 151 2345 6789", "/call/{number}"},
		{"49 151 2345-6789, now", "{number}, now"},
		{"call-44-7700-900123-now", "call-{number}-now"},
		{"44 20 7946 0958", "{number}"},
		{"44 2079 460958", "{number}"},
		{"49 0151 2345678", "{number}"},
		{"33 6 12 34 56 78", "{number}"},
		{"31-6-12-34-56-78", "{number}"},
		{"49 151 23 45 67 89", "{number}"},
		{"351 912 345 678", "{number}"},
		{"7 912 345 67 89", "{number}"},
		{"47 123 45 678", "{number}"},
		{"2026/49-151-2345678", "2026/{number}"},
		{"19 151 2345 6789", "19 151 2345 6789"},         // No country.
		{"49 151 2345 67890123", "49 151 2345 67890123"}, // Too long for a telephone.
		{"2 49 151 2345 6789", "2 49 151 2345 6789"},     // In a list.
		{"49 151 2345 6789x", "49 151 2345 6789x"},       // A word.
		{"49.151.234.56", "49.151.234.56"},               // An address or a version.
		{"49.151.234.167", "49.151.234.167"},
		{"44.18362.449.10", "44.18362.449.10"},
		{"98-0-4758-102", "98-0-4758-102"},
		{"49-15123456", "49-15123456"},
		{"49 1 2 3 4 5 678 9", "49 1 2 3 4 5 678 9"},
		{"49-345-6789", "49-345-6789"}, // Nine digits; ten without a plus.
		{"7 12 345 67 89", "7 12 345 67 89"},
		{"7 1234 567 890", "7 1234 567 890"},
		{"7 912 345 678", "7 912 345 678"},
		{"221 233 245 257", "221 233 245 257"},
		{"257 245 233 221", "257 245 233 221"},
		{"98.0.4758.102", "98.0.4758.102"},
		{"44.18362.449.0", "44.18362.449.0"},
		{"2026-11-22 10:20:30", "2026-11-22 10:20:30"},
		{"48-2026-11-22-news", "48-2026-11-22-news"}, // The number of an article, and its date.
		{"48-20261122-103", "48-20261122-103"},
		{"2026_11_22_10_20_30", "2026_11_22_10_20_30"},
		{"01_02_2026_10_30", "01_02_2026_10_30"},
		{"20261122_103045_123", "20261122_103045_123"},
		{"2024 2025 2026", "2024 2025 2026"},
		{"100 200 300 400", "100 200 300 400"},
		{"220 230 240 250", "220 230 240 250"},
		{"500 375 250 125", "500 375 250 125"},
		{"60-120-1800-2400", "60-120-1800-2400"},
		{"36 38 40 42 44 46", "36 38 40 42 44 46"},
		{"48-51-30-02-17-40", "48-51-30-02-17-40"},
		{"31 42 22 139 58 27", "31 42 22 139 58 27"}, // Degrees, minutes, seconds.
		{"53 1 55 12 21 19", "53 1 55 12 21 19"},
		{"2018 03 05 12 08 28", "2018 03 05 12 08 28"},
		{"22 11 2026 0170 1234567", "22 11 2026 {number}"},
		{"44 000 000 000", "44 000 000 000"},
		{"1 000 000 000", "1 000 000 000"},
		{"49 000 1234567", "49 000 1234567"},
		{"49 5 1234 5678 9", "49 5 1234 5678 9"},
		{"40-30-20260101", "40-30-20260101"},
		{"44 123 456 789,50", "44 123 456 789,50"},
		{"52.520008, 13.404954", "52.520008, 13.404954"},
		{"52 31 12 13 24 18", "52 31 12 13 24 18"},
		{"302-1234567-1234567", "302-1234567-1234567"},
	})
}

// A slash separates segments of a path, and groups of a telephone number only behind what can be nothing else.
func TestRedact_slash(t *testing.T) {
	for _, c := range []struct{ in, path, text string }{
		{"01/23/45/67/89", "01/23/45/67/89", "{number}"},
		{"0170/1234567", "{number}", "{number}"},
		{"2026/01/123456/7", "2026/01/123456/7", "2026/{number}"},
	} {
		if got, _ := Path(c.in, nil); got != c.path {
			t.Errorf("Path(%q) = %q, want %q", c.in, got, c.path)
		}
		if got, _ := Text(c.in, nil); got != c.text {
			t.Errorf("Text(%q) = %q, want %q", c.in, got, c.text)
		}
	}
}

// What is around a find stays as it was written, and what is dropped from sight comes back.
func TestRedact_asWritten(t *testing.T) {
	both(t, [][2]string{
		{"１２ bob@example.com %41 \u200bx", "１２ {email} %41 \u200bx"},
		{"\xff bob@example.com \xff", "\xff {email} \xff"},
		{"bob%40example.com%20and%20" + "+49%20170%201234567%20ok", "{email}%20and%20{number}%20ok"},
		{"é 1\u200b2", "é 1\u200b2"},
		{"%", "%"},
		{"%4", "%4"},
		{"1%00000000٠", "1%{number}"},
		{"{email} {token}", "{email} {token}"},
	})
}

// The scratch keeps what is in it, and grows by a result only.
func TestPath_scratch(t *testing.T) {
	scratch := append(make([]byte, 0, 256), "before"...)
	got, grown := Path("/a/bob@example.com", scratch)
	if got != "/a/{email}" || string(grown) != "before/a/{email}" {
		t.Errorf("%q, %q", got, grown)
	}
	same := "/über-uns/%41/\u200b"
	if got, grown := Path(same, scratch); got != same || len(grown) != len(scratch) {
		t.Errorf("%q, %q", got, grown)
	}
}

// The rounds of redact end because nothing is found any more, not because they are used up.
func TestRedact_rounds(t *testing.T) {
	most := 0
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(2, seed))
		var b strings.Builder
		for range 30 {
			b.WriteString([...]string{"a@b.co", "@", ".", "0", "12", "123456789", "-", "+", "(", ")", " ", "_", "/", "%40", "%", "\u200b", "x1Y2z3Q4", "abcdef01", "{", "=", "eyJ", "DE89"}[r.IntN(22)])
		}
		s := b.String()
		if once, _ := Text(s, nil); once != s {
			if again, _ := Text(once, nil); again != once {
				t.Errorf("Text(%q) = %q, and again %q", s, once, again)
			}
		}
		n := 0
		for found := true; found; n++ {
			s, _, found = round(s, seed%2 == 0, look(s), nil)
		}
		most = max(most, n)
	}
	t.Logf("%d rounds at most", most)
	if most > maxRounds/2 {
		t.Errorf("%d rounds", most)
	}
}

// An ordinary path is let through at first look.
func TestLook(t *testing.T) {
	for _, s := range []string{"/2026/11/ABC/how-to-write-a-long-slug-of-many-words", "/products/shoes/running/blue/size/view/1", "/über-uns/größe"} {
		if got := look(s); got != 0 {
			t.Errorf("look(%q) = %b", s, got)
		}
	}
	for r := rune(utf8.RuneSelf); r <= utf8.MaxRune; r++ {
		if utf8.ValidRune(r) && fold(r) != r && classes[string(r)[0]]&foldMark == 0 {
			t.Errorf("%U is meant as %U, and its first byte does not say so", r, fold(r))
		}
	}
}

// A text made to be slow is not: the work is bounded by its length.
func TestRedact_long(t *testing.T) {
	for _, piece := range []string{"a@b.co/", "a@b.c@", "0-1 ", "+1(", "ab12-", "Ab3-", "a1b2c3d4-", "0 0-", "%40", "\u200b1", "12345678-", "eyJ.", "{", "\"@", "xQ7_the_", "%25", "49-151-2345 ", "AB1C-", "abcd-", "a@1.2."} {
		s := strings.Repeat(piece, 2000/len(piece))
		got, _ := Text(s, nil)
		if len(got) > len(s)+len(s)/6+1 || !utf8.ValidString(got) {
			t.Errorf("%q: %d bytes became %d", piece, len(s), len(got))
		}
		if again, _ := Text(got, nil); again != got {
			t.Errorf("%q: changes again", piece)
		}
	}
}
