// Package tracker holds the scripts that sites load, each as one file for the server to hand out: the tracker, and the embed with which
// a visitor objects on a site's own page.
//
// It is the start of the line: src is written in TypeScript, `npm run build -w tracker` makes dist/d.js and dist/opt-out.js from it, and
// web serves them as /js/d.js and /js/opt-out.js. The tracker posts to /api/event; the embed posts nothing.
//
// Invariants: the files in dist are committed, are exactly what src builds to, and are below 1,000 bytes of gzip (tracker) and 2,500 (embed);
// `node build.mjs --check` fails otherwise. They are the same for every site.
//
// It does not serve anything, and there is no tracker logic in Go.
package tracker

import _ "embed"

//go:embed dist/d.js
var script string

//go:embed dist/opt-out.js
var optOut string

// Script returns the tracker: JavaScript, ASCII only.
func Script() string { return script }

// OptOut returns the embed for pages about privacy: JavaScript, ASCII only.
func OptOut() string { return optOut }
