package source

import "testing"

func TestFind_referrer(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"https://example.org", "example.org"},
		{"https://example.org/", "example.org"},
		{"https://example.org///", "example.org"},
		{"https://example.org/a/b/", "example.org/a/b"},
		{"HTTPS://WWW.Example.ORG/A/b", "example.org/A/b"},
		{"http://example.org:8080/a", "example.org/a"},
		{"http://example.org:/a", "example.org/a"},
		{"http://example.org./a", "example.org/a"},
		{"http://user:secret@example.org/a", "example.org/a"},
		{"http://user@evil.example@example.org/a", "example.org/a"},
		{`http://example.org\@evil.example/a`, "example.org/@evil.example/a"},
		{`http://example.org/a\b`, "example.org/a/b"},
		{"http://example.org?q=1", "example.org"},
		{"http://example.org#f", "example.org"},
		{"http://example.org/a?q=http://x/#f", "example.org/a"},
		{"http://example.org/a#f?q", "example.org/a"},
		{"http://[2001:DB8::1]:8080/a", "[2001:db8::1]/a"},
		{"http://[2001:db8::1]", "[2001:db8::1]"},
		{"http://192.0.2.1/a", "192.0.2.1/a"},
		{" https://example.org/a\n", "example.org/a"},
		{"https://example.org/a b", "example.org/a b"},
		{"https://example.org/a\x00b", "example.org"},
		{"https://example.org/a\nb", "example.org"},
		{"https://example.org/a\u0085b", "example.org"},
		{"https://example.org/\xff", "example.org"},
		{"https://example.org/ä", "example.org/ä"},
		{"https://münchen.example/a", "münchen.example/a"},
		{"https://www./a", "www/a"},
		{"android-app://com.slack/x", "com.slack/x"},

		{"", ""},
		{"example.org", ""},
		{"//example.org/a", ""},
		{"ftp://example.org/a", ""},
		{"javascript:alert(1)", ""},
		{"about:client", ""},
		{"chrome-extension://abc/x", ""},
		{"https://", ""},
		{"https:///a", ""},
		{"https://?q", ""},
		{"https://@/a", ""},
		{"https://./a", ""},
		{"https://.example.org/a", ""},
		{"https://a..b/", ""},
		{"https://exa mple.org/", ""},
		{"https://exa\x00mple.org/", ""},
		{"https://<b>/", ""},
		{"https://example.org:80a/", ""},
		{"https://example.org:80:80/", ""},
		{"https://[::1/a", ""},
		{"https://[1.2.3.4]/a", ""},
		{"https://[fe80::1%25eth0]/a", ""},
		{"https://[2001:db8::1]x/a", ""},
		{"https://\xff.example/", ""},

		{"http://localhost/a", ""},
		{"http://LOCALHOST:3000/a", ""},
		{"http://127.0.0.1:3000/a", ""},
		{"http://127.8.9.1/a", ""},
		{"http://0.0.0.0/a", ""},
		{"http://[::1]/a", ""},
		{"http://[0:0:0:0:0:0:0:1]/a", ""},
		{"http://[::ffff:127.0.0.1]/a", ""},
	} {
		got := Find(In{Referrer: c.in, PageHost: "site.example"})
		if got.Referrer != c.want {
			t.Errorf("referrer of %q is %q, want %q", c.in, got.Referrer, c.want)
		}
		if (got.Channel == Direct) != (c.want == "") {
			t.Errorf("channel of %q is %q", c.in, got.Channel)
		}
	}
}
