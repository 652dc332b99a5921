package windows

import (
	"crypto/rand"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

//go:embed script/*.ps1
var scripts embed.FS

// ScriptNames lists the embedded scripts.
func ScriptNames() []string {
	files, err := fs.Glob(scripts, "script/*.ps1")
	if err != nil {
		return nil
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(path.Base(f), ".ps1")
	}
	return names
}

// ScriptSource returns an embedded script byte for byte. Its first line is
// "# wavekeeper: NAME VERSION".
func ScriptSource(name string) ([]byte, error) {
	b, err := scripts.ReadFile("script/" + name + ".ps1")
	if err != nil {
		return nil, fmt.Errorf("script %q: %w", name, err)
	}
	return b, nil
}

// call is a script as it is sent: the embedded bytes, then exactly one last
// line, the call with its quoted arguments. The nonce is always the first.
func call(name, nonce string, args ...string) (string, error) {
	return callAfter("", name, nonce, args...)
}

// callWithInput is call for a script that reads what comes by stdin:
// powershell.exe that was given a command reads redirected input itself and
// hands its lines to the command as $input, so a script must not read the
// console at the same time.
func callWithInput(name, nonce string, args ...string) (string, error) {
	return callAfter("$input | ", name, nonce, args...)
}

func callAfter(before, name, nonce string, args ...string) (string, error) {
	begin, err := beginningOf(name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.Grow(len(begin.whole) + 512)
	b.WriteString(begin.whole)
	b.WriteString(before + "wk_" + strings.ReplaceAll(name, "-", "_"))
	for _, a := range append([]string{nonce}, args...) {
		q, err := Quote(a)
		if err == nil && strings.ContainsAny(a, "\r\n") {
			err = fmt.Errorf("argument %q holds a line break", a) // a call is exactly one line
		}
		if err != nil {
			return "", fmt.Errorf("call of script %s: %w", name, err)
		}
		b.WriteString(" " + q)
	}
	return b.String(), nil
}

// shellScript is the most characters of a script that fit on a command line
// when cmd.exe is skipped: CreateProcess takes 32,767, -EncodedCommand costs
// 2 bytes a character and a third more for base64.
const shellScript = 12000

const powershell = "powershell.exe"

// encoded returns the arguments with which powershell.exe runs a script in a
// WinRM shell without cmd.exe.
func encoded(script string) ([]string, error) {
	begin := begun(script)
	rest := script[len(begin.source):]
	units := len(begin.source)
	for _, r := range rest {
		if units++; r > 0xFFFF {
			units++
		}
	}
	if units > shellScript {
		return nil, fmt.Errorf("script of %d characters is too long for a command line", units)
	}
	var text strings.Builder
	text.Grow(base64.StdEncoding.EncodedLen(2 * units))
	text.WriteString(begin.encoded)
	// In pieces that need no padding: a poll of a host task is mostly this.
	var raw [768]byte
	var out [1024]byte
	n := 0
	put := func(unit rune) {
		raw[n], raw[n+1] = byte(unit), byte(unit>>8)
		if n += 2; n == len(raw) {
			base64.StdEncoding.Encode(out[:], raw[:])
			text.Write(out[:])
			n = 0
		}
	}
	for _, r := range rest {
		if r < 0x10000 {
			put(r)
			continue
		}
		high, low := utf16.EncodeRune(r)
		put(high)
		put(low)
	}
	base64.StdEncoding.Encode(out[:], raw[:n])
	text.Write(out[:base64.StdEncoding.EncodedLen(n)])
	return []string{"-NoProfile", "-NonInteractive", "-EncodedCommand", text.String()}, nil
}

// beginning is what every call of a script begins with: the whole source, and as
// much of it as needs no padding, encoded, when it is ASCII.
type beginning struct{ whole, source, encoded string }

var beginnings sync.Map // name of a script -> beginning

// beginningOf is the beginning of a script's calls.
func beginningOf(name string) (beginning, error) {
	if found, ok := beginnings.Load(name); ok {
		if b, ok := found.(beginning); ok {
			return b, nil
		}
	}
	source, err := ScriptSource(name)
	if err != nil {
		return beginning{}, err
	}
	b := beginning{whole: string(source)}
	raw := make([]byte, 0, 2*len(source))
	for _, c := range source[:len(source)-len(source)%3] {
		raw = append(raw, c, 0)
	}
	if !slices.ContainsFunc(source, func(c byte) bool { return c >= utf8.RuneSelf }) {
		b.source, b.encoded = b.whole[:len(raw)/2], base64.StdEncoding.EncodeToString(raw)
	}
	beginnings.Store(strings.Clone(name), b)
	return b, nil
}

// begun is the beginning of a script's call, empty for other texts.
func begun(script string) beginning {
	line, _, _ := strings.Cut(script, "\r\n")
	name, ours := strings.CutPrefix(line, "# wavekeeper: ")
	if !ours {
		return beginning{}
	}
	name, _, _ = strings.Cut(name, " ")
	if b, err := beginningOf(name); err == nil && strings.HasPrefix(script, b.source) {
		return b
	}
	return beginning{}
}

// newNonce marks one call's records.
func newNonce() string {
	var b [8]byte
	rand.Read(b[:]) // never fails since Go 1.24: it ends the program instead
	return hex.EncodeToString(b[:])
}
