package httpd

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"wavekeeper/web/static"
)

// asset is one file for browsers, compressed once.
type asset struct {
	plain, packed []byte
	tag, kind     string
}

type assets map[string]asset

func loadAssets() assets {
	all := assets{}
	// The files are embedded: reading them cannot fail, and one that could not
	// be read is simply not there.
	_ = fs.WalkDir(static.Files(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(static.Files(), name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		a := asset{plain: b, tag: hex.EncodeToString(sum[:8]), kind: mime.TypeByExtension(path.Ext(name))}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(b); err == nil && z.Close() == nil && packed.Len() < len(b) {
			a.packed = packed.Bytes()
		}
		all[name] = a
		return nil
	})
	return all
}

// address returns where a file is served; it changes with its content, so that
// browsers may keep it for ever.
func (a assets) address(name string) string {
	if one, ok := a[name]; ok {
		return "/static/" + name + "?v=" + one.tag
	}
	return "/static/" + name
}

func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	one, ok := a[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", one.kind)
	h.Set("ETag", `"`+one.tag+`"`)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == one.tag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := one.plain
	if one.packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		h.Set("ETag", `"`+one.tag+`-gzip"`)
		body = one.packed
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// MissingAssets lists the files of other projects that the program was built
// without.
func MissingAssets() []string { return static.Missing() }
