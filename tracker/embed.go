// Package tracker holds the script that sites load, as one file for the server to hand out.
//
// It is the start of the line: src is written in TypeScript, `npm run build -w tracker` makes dist/d.js from it, and web serves
// that as /js/d.js. The script posts to /api/event.
//
// Invariants: dist/d.js is committed, is exactly what src builds to, and is below 1,000 bytes of gzip; `node build.mjs --check` fails
// otherwise. It is the same for every site.
//
// It does not serve anything, and there is no tracker logic in Go.
package tracker

import _ "embed"

//go:embed dist/d.js
var script string

// Script returns the tracker: JavaScript, ASCII only.
func Script() string { return script }
