// Package static is the files that browsers are served: our own, and those of
// other projects that `make assets` puts into vendor. The binary embeds both;
// without vendor it still builds, and Missing says what is not there.
package static

import (
	"embed"
	"io/fs"
)

//go:embed *.css *.js *.svg all:vendor*
var files embed.FS

// Files holds the files under the names that pages use: "wavekeeper.css",
// "vendor/htmx.min.js".
func Files() fs.FS { return files }

// Vendor lists the files of other projects that pages ask for.
func Vendor() []string {
	return []string{"vendor/tabler.min.css", "vendor/htmx.min.js", "vendor/hx-sse.min.js"}
}

// Missing lists the files of other projects that the binary was built without.
func Missing() []string {
	var missing []string
	for _, name := range Vendor() {
		if _, err := fs.Stat(files, name); err != nil {
			missing = append(missing, name)
		}
	}
	return missing
}
