package bot

import "bytes"

// unlikeBrowser reports whether b, an agent in lower case, is put together as no browser's is.
func unlikeBrowser(b []byte) bool {
	if address(b) {
		return true
	}
	switch {
	case bytes.HasPrefix(b, []byte("mozilla/")):
		return bareMozilla(b) || compatible(b)
	case bytes.HasPrefix(b, []byte("opera/")):
		return !bytes.Contains(b, []byte("("))
	}
	return !handheld(b)
}

// engines are words one of which every browser that calls itself Mozilla says: its engine, or the console or handset it came with.
var engines = [][]byte{
	[]byte("applewebkit"), []byte("gecko/"), []byte("trident"), []byte("msie "), []byte("presto"), []byte("khtml"), []byte("goanna"),
	[]byte("playstation"), []byte("nintendo"), []byte("netfront"), []byte("blackberry"), []byte("symb"), []byte("rv:"),
}

// bareMozilla reports whether an agent that starts with "mozilla/" stops short of what a browser says next.
func bareMozilla(b []byte) bool {
	if !bytes.Contains(b, []byte("(")) {
		return true
	}
	return !containsAny(b, engines)
}

// compatible reports whether the agent says it is compatible with something, which only Internet Explorer, Konqueror and programs do.
func compatible(b []byte) bool {
	i := bytes.Index(b, []byte("compatible;"))
	return i >= 0 && !bytes.Contains(b, []byte("msie")) && !bytes.Contains(b, []byte("konqueror")) && !bytes.Contains(b, []byte("trident"))
}

// handhelds are words one of which an agent says that is no Mozilla and still a person's: old handsets, and apps that say what they run on.
var handhelds = [][]byte{
	[]byte("midp"), []byte("up.browser"), []byte("up.link"), []byte("wap"), []byte("obigo"), []byte("netfront"), []byte("teleca"),
	[]byte("symbian"), []byte("blackberry"), []byte("(linux; u; android"), []byte("(linux; android"), []byte("(iphone"), []byte("(ipad"),
	[]byte("series60"), []byte("ucweb"), []byte("maui"), []byte("nokia"), []byte("sonyericsson"), []byte("samsung"), []byte("docomo"),
	[]byte("(macintosh"), []byte("(windows nt"), []byte("(x11"), []byte("android/"), []byte("ios/"),
}

// handheld reports whether an agent that does not start as a browser's can still be a person's.
func handheld(b []byte) bool { return containsAny(b, handhelds) }

func containsAny(b []byte, words [][]byte) bool {
	for _, w := range words {
		if bytes.Contains(b, w) {
			return true
		}
	}
	return false
}

// address reports whether there is a mail address in b. Ecosia's browsers say "ios@8.1", which is none.
func address(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '@')
		if i < 0 {
			return false
		}
		b = b[i+1:]
		n := 0
		for n < len(b) && (wordByte(b[n]) || b[n] == '-') {
			n++
		}
		if n > 1 && n < len(b) && b[n] == '.' && b[0] > '9' {
			return true
		}
	}
}
