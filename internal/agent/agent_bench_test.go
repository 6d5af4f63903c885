package agent

import (
	"testing"

	"github.com/daysalt/daysalt/internal/bot"
)

func BenchmarkParse_hit(b *testing.B) {
	p := New(Config{})
	all := samples()
	h := Hints{`"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"`, `"Windows"`, "?0"}
	for _, c := range []struct {
		name  string
		hints Hints
	}{{"agent", Hints{}}, {"agent and hints", h}} {
		b.Run(c.name, func(b *testing.B) {
			for _, s := range all {
				p.Parse(s.ua, c.hints)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p.Parse(all[i%len(all)].ua, c.hints)
			}
		})
	}
}

func BenchmarkParse_miss(b *testing.B) {
	for _, c := range []struct {
		name string
		bot  func(string) string
	}{{"agent", func(string) string { return "" }}, {"agent and bot", bot.Detect}} {
		b.Run(c.name, func(b *testing.B) {
			all := samples()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				ua := all[i%len(all)].ua
				parse(ua, Hints{})
				c.bot(ua)
			}
		})
	}
}
