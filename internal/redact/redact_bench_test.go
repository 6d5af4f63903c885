package redact

import "testing"

func BenchmarkPath(b *testing.B) {
	for _, c := range []struct{ name, path string }{
		{"words", "/blog/how-to-write-a-privacy-policy-4you"},
		{"short", "/products/shoes/running/blue/size/view/1"},
		{"capitals", "/wiki/Getting_started_with_configuration"},
		{"date", "/news/2026/11/22/something-12-happened-3"},
		{"german", "/über-uns/die-größe-der-füße-im-märz-2026"},
		{"email", "/newsletter/unsubscribe/bob@example.com/1"},
		{"token", "/reset/5f4dcc3b5aa765d61d8327deb882cf99/a"},
		{"phone", "/call/+49 170 1234567/now/and/again/or/not"},
	} {
		b.Run(c.name, func(b *testing.B) {
			scratch := make([]byte, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				_, scratch = Path(c.path, scratch[:0])
			}
		})
	}
}
