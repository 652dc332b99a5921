package windows

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestEncodedScriptsAreUTF16InBase64 of every length around the pieces in which
// they are written.
func TestEncodedScriptsAreUTF16InBase64(t *testing.T) {
	t.Parallel()
	for n := range 1200 {
		for _, script := range []string{strings.Repeat("x", n), strings.Repeat("\u00e4\U0001F600\u65e5", n/4)} {
			var raw []byte
			for _, u := range utf16.Encode([]rune(script)) {
				raw = append(raw, byte(u), byte(u>>8))
			}
			got, err := encoded(script)
			if want := base64.StdEncoding.EncodeToString(raw); err != nil || got[len(got)-1] != want {
				t.Fatalf("%d characters: %v, %q, want %q", n, err, got, want)
			}
		}
	}
	for _, name := range ScriptNames() {
		for range 2 { // the second time its beginning is known
			script, err := call(name, "0011223344556677", "a", "b")
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{script, script[:len(script)/2], script[:100]} {
				got, err := encoded(text)
				if err != nil {
					t.Fatal(err)
				}
				raw, err := base64.StdEncoding.DecodeString(got[len(got)-1])
				if err != nil {
					t.Fatal(err)
				}
				units := make([]uint16, 0, len(raw)/2)
				for i := 0; i < len(raw); i += 2 {
					units = append(units, uint16(raw[i])|uint16(raw[i+1])<<8)
				}
				if string(utf16.Decode(units)) != text {
					t.Fatalf("%s: encoded as something else", name)
				}
			}
		}
	}
	if _, err := encoded(strings.Repeat("\U0001F600", shellScript/2+1)); err == nil {
		t.Error("a script that no command line takes was encoded")
	}
}
