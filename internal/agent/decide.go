package agent

import "strings"

// named decides the browser: what the agent says, and the hints where the agent hides it behind Chrome.
func (f *found) named(brands string) (name, shown string) {
	b, v := f.browser, f.browserVersion
	handy := f.system != nil && (f.system.name == "iOS" || f.system.name == "iPadOS")
	android := f.system != nil && f.system.name == "Android"
	switch {
	case b == nil && f.hasWebKit && handy && (!f.hasSafari || f.safari == ""):
		return MobileApp, ""
	case b == nil && f.hasSafari && android:
		return "Android Browser", version(f.safari, 2)
	case b == nil && f.hasSafari:
		return "Safari", version(f.safari, 2)
	case b != nil && b.kind == chrome && android && (f.hasWebView || f.safari != ""):
		return MobileApp, ""
	}
	if b == nil || b.kind == chrome {
		if hint, hv := brandHint(brands); hint != nil {
			b, v = hint, hv
		}
	}
	switch {
	case b == nil:
		return Other, ""
	case b.name == MobileApp:
		return MobileApp, ""
	case b.name == "Opera" && f.safari != "" && strings.HasPrefix(v, "9."):
		v = f.safari // Opera 10 to 12 said 9.80 for fear of two-digit versions
	case b.name == "Internet Explorer" && f.engine != "":
		v = f.engine
		return b.name, version(v, 1)
	}
	return b.name, version(v, b.numbers)
}

// brandHint returns the brand of Sec-CH-UA that says most, and its version. The header is a list such as
//
//	"Brave";v="131", "Chromium";v="131", "Not_A Brand";v="24"
func brandHint(header string) (best *browser, bestVersion string) {
	for header != "" {
		name, rest, ok := quoted(header)
		if !ok {
			break
		}
		v := ""
		if strings.HasPrefix(rest, ";v=") {
			v, rest, _ = quoted(rest)
		}
		if b := known.brands[name]; b != nil && (best == nil || b.order < best.order) {
			best, bestVersion = b, v
		}
		header = rest
	}
	return best, bestVersion
}

// quoted returns the first quoted string of s and what follows it.
func quoted(s string) (text, rest string, ok bool) {
	_, s, ok = strings.Cut(s, `"`)
	if !ok {
		return "", "", false
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

// hinted decides the system: what the agent says, and Sec-CH-UA-Platform where a Chromium says something else there. Systems that
// Chromium does not know stay, and so do Android and ChromeOS where the hint only says that they are Linux below.
func (f *found) hinted(platform string) *system {
	name, _, ok := quoted(platform)
	hint := known.platforms[name]
	if !ok || hint == nil || f.browser != nil && f.browser.kind == plain {
		return f.system
	}
	if f.system == nil {
		return hint
	}
	switch f.system.name {
	case hint.name:
		return f.system
	case "Windows", "macOS", "Linux":
		return hint
	case "Android", "ChromeOS":
		if hint.name != "Linux" {
			return hint
		}
	}
	return f.system
}

// systemVersion returns the version of the system where it is honest. Windows, macOS and Chromium's Android are frozen.
func (f *found) systemVersion(ua string) string {
	if f.system == nil {
		return ""
	}
	switch f.system.name {
	case "iOS", "iPadOS":
		return iosVersion(f.ios, f.safari)
	case "Android":
		rest := ua[f.androidEnd:]
		if f.android == "10" && (strings.HasPrefix(rest, "; K)") || strings.HasPrefix(rest, ")")) {
			return ""
		}
		return version(f.android, 2)
	}
	return ""
}

// class decides the device class for the system that was decided on.
func (f *found) class(s *system, mobileHint string) string {
	mobile := f.hasMobile || mobileHint == "?1"
	switch {
	case f.device != nil:
		return f.device.class
	case s == nil && mobile:
		return Mobile
	case s == nil:
		return Other
	case s.device == handheld && mobileHint == "?0":
		return Tablet
	case s.device == handheld && !mobile:
		return Tablet
	case s.device == handheld, s.device == TV && mobile:
		return Mobile
	}
	return s.device
}
