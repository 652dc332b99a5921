package twin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

// TestUnpackingLooksAtTheTreeBeforeItAsksForTheBundle: whoever died after the
// tree was made and the bundle deleted finds it; what a killed one left is gone
// before anything is asked.
func TestUnpackingLooksAtTheTreeBeforeItAsksForTheBundle(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	bundle, manifest, err := twin.Bundle(twin.MediaTree("sp1", "en-US", "x64"))
	if err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	const at, tree, proof = windows.Media + `\b.wkm`, windows.Media + `\t`, windows.Media + `\right`
	write := func(path string, data []byte) {
		t.Helper()
		c.script("file-write", path, "0", base64.StdEncoding.EncodeToString(data), "0")
		c.script("file-write", path, strconv.Itoa(len(data)), "", "1")
	}
	folder := func(path string) bool { return c.script("folder-list", path)["exists"] == "1" }
	there := func(path string) bool { return c.script("file-read", path, "0", "1")["exists"] == "1" }
	unpack := func() map[string]string {
		t.Helper()
		return c.script("media-unpack", at, sum(bundle), strconv.Itoa(len(manifest)), tree+".manifest", sum(manifest), tree, "1000")
	}
	c.script("folder-make", tree+".new")
	write(tree+`.new\half`, []byte("half"))
	if !folder(tree+".new") || !there(tree+`.new\half`) {
		t.Fatal("the half is not there")
	}
	if r := unpack(); r["state"] != "absent" || folder(tree+".new") {
		t.Errorf("without anything: %v, the half is left: %t", r, folder(tree+".new"))
	}
	write(at, bundle)
	if r := unpack(); r["state"] != "unpacked" || there(at) {
		t.Fatalf("unpacked: %v", r)
	}
	if r := unpack(); r["state"] != "present" || r["tree"] != sum(manifest) {
		t.Errorf("a second time, without the bundle: %v", r)
	}
	check := func() string {
		t.Helper()
		source, err := windows.ScriptSource("media-check")
		if err != nil {
			t.Fatal(err)
		}
		call := "wk_media_check '" + nonce + "' '" + tree + ".manifest' '" + sum(manifest) + "' '" + tree + "' '" + proof + "'"
		exit, out, _ := c.runWith(encodedCommand(string(source)+call), true)
		r := readRecords(c, out)
		return exit + " " + r["state"] + " " + r["same"] + " of " + r["files"]
	}
	files := strconv.Itoa(strings.Count(string(manifest), "|") / 4)
	if got := check(); got != "0 right "+files+" of "+files {
		t.Errorf("media-check: %s", got)
	}
	if r := c.script("file-read", proof, "0", "100"); !strings.Contains(base64Text(r["data"]), sum(manifest)) {
		t.Errorf("the proof holds %v", r)
	}
	if !there(proof) {
		t.Error("no proof")
	}
	c.run(`del /f /q ` + proof)
	write(tree+`\setup.com`, []byte("another"))
	if r := unpack(); r["state"] != "foreign" {
		t.Errorf("a changed tree, without the bundle: %v", r)
	}
	if got := check(); !strings.HasPrefix(got, "2 differs") || there(proof) {
		t.Errorf("media-check of a changed tree: %s, proof left: %t", got, there(proof))
	}
}

func base64Text(s string) string {
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return s
	}
	return string(raw)
}
