package agent

import "testing"

func TestVersion(t *testing.T) {
	for _, c := range []struct {
		in      string
		numbers int
		want    string
	}{
		{"131.0.6778.39", 1, "131"},
		{"131.0.6778.39", 2, "131.0"},
		{"17_4_1", 2, "17.4"},
		{"18", 2, "18"},
		{"18.", 2, "18"},
		{"18.1234", 2, "18"},
		{"18.5beta", 2, "18"},
		{"18-5", 2, "18"},
		{"1234.5", 2, ""},
		{"13b", 1, ""},
		{"b13", 1, ""},
		{".5", 2, ""},
		{"", 2, ""},
		{"7", 0, ""},
	} {
		if got := version(c.in, c.numbers); got != c.want {
			t.Errorf("version(%q, %d) = %q, want %q", c.in, c.numbers, got, c.want)
		}
	}
}

func TestIOSVersion(t *testing.T) {
	for _, c := range []struct{ os, safari, want string }{
		{"12_5", "12.1.2", "12.5"},
		{"17_7", "", "17.7"},
		{"18_3", "", "18.3"},
		{"18_6", "", ""},
		{"18_7", "18.7.5", "18.7"},
		{"18_7", "26.0", ""},
		{"26_1", "26.1", ""},
		{"26_1", "", ""},
		{"", "", ""},
	} {
		if got := iosVersion(c.os, c.safari); got != c.want {
			t.Errorf("iosVersion(%q, %q) = %q, want %q", c.os, c.safari, got, c.want)
		}
	}
}
