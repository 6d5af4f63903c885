// Package dashboard carries the built dashboard inside the binary.
//
// It stands at the far end of the line: stats answers questions, web serves both the answers and these files.
//
// Invariants: the files are those `make build` put into dashboard/dist, unchanged, with .br and .gz copies beside the assets; names under
// assets/ carry a hash of their content, so they may be cached for good; index.html holds one empty data block that web fills per answer.
// Without a build only the committed placeholder is there, so Go code compiles on a machine without Node.
//
// It does not serve, compress or fill anything, and it knows nothing of HTTP.
package dashboard

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files returns the built dashboard with index.html at its root. index.html is missing when the dashboard has not been built.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("BUG: the embedded folder has no valid name: " + err.Error())
	}
	return files
}
