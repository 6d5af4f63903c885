package bot

import "testing"

// FuzzDetect holds that any agent is answered from the closed table, and no piece of the agent comes out.
func FuzzDetect(f *testing.F) {
	allowed := map[string]bool{"": true, Other: true, Empty: true}
	for _, name := range lines(namesFile) {
		allowed[name] = true
	}
	for ua := range lines(peopleFile) {
		f.Add(ua)
	}
	for _, ua := range lines(programsFile) {
		f.Add(ua)
	}
	f.Fuzz(func(t *testing.T, ua string) {
		if name := Detect(ua); !allowed[name] {
			t.Errorf("Detect(%q) = %q, which is in no table", ua, name)
		}
	})
}
