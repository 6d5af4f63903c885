package agent

import "testing"

// FuzzParse holds that anything is answered from the closed tables, and the same the second time.
func FuzzParse(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.ua, "", "", "")
	}
	f.Add("Mozilla/5.0 (X11) AppleWebKit/1", `"Brave";v="131", "Not\"A;Brand";v="24"`, `"Android"`, "?0")
	p := New(Config{})
	f.Fuzz(func(t *testing.T, ua, brands, platform, mobile string) {
		h := Hints{brands, platform, mobile}
		first := *p.Parse(ua, h)
		closed(t, &first)
		if second := *p.Parse(ua, h); second != first {
			t.Errorf("Parse(%q, %+v) = %+v, then %+v", ua, h, first, second)
		}
	})
}
