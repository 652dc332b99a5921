package twin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf16"
)

// powershell is powershell.exe: -EncodedCommand and -Command. It runs the
// product's reviewed scripts and nothing else; an Exchange cmdlet meets
// Active Directory first. With redirected input it reads to the end of it
// before it ends (winrm.md 2.5, marked K).
func powershell(c *call) int {
	if stray := strayOption(c.args, c.s.h.platform.powershell()); stray != "" {
		c.complain("Missing expression after unary operator '-'.\r\nAt line:1 char:2\r\n+ %s\r\n", stray)
		return 1
	}
	text, wide := "", false
	for i, a := range c.args {
		low := strings.ToLower(a)
		switch {
		case i+1 >= len(c.args):
		case len(low) >= 2 && strings.HasPrefix("-encodedcommand", low) && strings.HasPrefix(low, "-e"):
			raw, err := base64.StdEncoding.DecodeString(c.args[i+1])
			if err != nil {
				c.complain("Cannot process the command because the value specified with -EncodedCommand is not properly encoded.\r\n")
				return 1
			}
			text, wide = fromUTF16(raw), true
		case low == "-command" || low == "-c":
			_, rest, _ := cutFold(c.line, a)
			text = strings.Trim(strings.TrimSpace(rest), `"`)
		}
		if text != "" {
			break
		}
	}
	if text == "" && len(c.args) > 0 && !strings.HasPrefix(c.args[len(c.args)-1], "-") {
		text = strings.Trim(strings.Join(c.args, " "), `"`)
	}
	if text == "-" { // the script comes by stdin
		raw, err := io.ReadAll(c.in)
		if err != nil {
			return 1
		}
		text = decode(raw, c.s.codePage)
	}
	code := c.powershellText(text, wide)
	if in, ok := c.in.(inputReader); ok && !in.i.console {
		if _, err := io.Copy(io.Discard, in); err != nil {
			return 1
		}
	}
	return code
}

// cutFold cuts s after the first occurrence of sep without regard to case.
func cutFold(s, sep string) (string, string, bool) {
	i := strings.Index(strings.ToLower(s), strings.ToLower(sep))
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func fromUTF16(raw []byte) string {
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i+1 < len(raw); i += 2 {
		units = append(units, uint16(raw[i])|uint16(raw[i+1])<<8)
	}
	return string(utf16.Decode(units))
}

// utf16LE is text as Windows keeps it in files.
func utf16LE(s string) []byte {
	var raw []byte
	for _, u := range utf16.Encode([]rune(s)) {
		raw = append(raw, byte(u), byte(u>>8))
	}
	return raw
}

var (
	readAllText = regexp.MustCompile(`(?i)^Invoke-Expression \(\[IO\.File\]::ReadAllText\('([^']+)'\)\)$`)
	bareProgram = regexp.MustCompile(`^[A-Za-z]+(\.exe)?$`) // a program with no arguments, as other clients try it
	scriptHead  = regexp.MustCompile(`^# wavekeeper: ([a-z0-9-]+) ([0-9]+)\r?\n`)
	cmdletName  = regexp.MustCompile(`(?i)\b(Get|Set|Test|New|Remove|Update|Move|Enable|Disable)-(Exchange|Mailbox|Owa|Outlook|Client|Transport|Receive|Send|Service|Storage|Clustered|UM|Pop|Imap|Queue|Organization)[A-Za-z]*`)
)

// adMessage is what an Exchange cmdlet says when it cannot reach a domain
// controller with the caller's credentials (K for the wording on 2007).
const adMessage = "Active Directory operation failed. The supplied credential for the current user is invalid or no domain controller could be contacted: An operations error occurred."

func (c *call) powershellText(text string, wide bool) int {
	text = strings.TrimPrefix(text, "$ProgressPreference='SilentlyContinue';") // masterzen's habit
	if m := readAllText.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
		var data []byte
		found := false
		c.s.h.look(func() {
			if f := c.s.h.fileAt(clean(m[1], c.s.cwd)); f != nil && !f.Dir {
				data, found = append(data, f.Data...), true
			}
		})
		if !found {
			return c.psError(wide, `Exception calling "ReadAllText" with "1" argument(s): "Could not find file '`+m[1]+`'."`)
		}
		return c.script(string(data), wide)
	}
	if scriptHead.MatchString(text) {
		return c.script(text, wide)
	}
	if name := strings.TrimSpace(text); bareProgram.MatchString(name) && programs[strings.ToLower(strings.TrimSuffix(name, ".exe"))] != nil {
		return min(c.s.program(name, c.streams), 1) // $? is all that the exit code tells
	}
	if m := cmdletName.FindString(text); m != "" {
		if !c.s.who.ad {
			return c.psError(wide, m+" : "+adMessage)
		}
		c.print("%s\r\n", c.s.h.build())
		return 0
	}
	return c.psError(wide, fmt.Sprintf("the simulated host has no reviewed script for these %d characters (SHA-256 %s)", len(text), scriptSum(text)))
}

// psError writes an error as powershell.exe does: CLIXML on stderr when the
// command came encoded, else text (winrm.md 2.7).
func (c *call) psError(wide bool, message string) int {
	if !wide {
		c.complain("%s\r\n", message)
		return 1
	}
	c.complain("#< CLIXML\r\n<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\"><S S=\"Error\">%s_x000D__x000A_</S></Objs>", escape(message))
	return 1
}

// cutScript splits a script into what is reviewed and its last line, the call.
func cutScript(text string) (body, last string) {
	text = strings.TrimRight(text, "\r\n")
	i := strings.LastIndexByte(text, '\n')
	return text[:i+1], text[i+1:]
}

func scriptSum(text string) string {
	body, _ := cutScript(text)
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// script runs a script of the product by its first line, if its bytes are the
// reviewed ones.
func (c *call) script(text string, wide bool) int {
	m := scriptHead.FindStringSubmatch(text)
	if m == nil {
		return c.psError(wide, "the simulated host runs only scripts that name themselves")
	}
	sum := scriptSum(text)
	_, last := cutScript(text)
	name, args, err := parseCall(last)
	if err != nil {
		return c.psError(wide, err.Error())
	}
	for _, r := range reviewed {
		if r.name != m[1] || r.version != m[2] || r.sum != sum {
			continue
		}
		if want := "wk_" + strings.ReplaceAll(r.name, "-", "_"); name != want {
			return c.psError(wide, "The term '"+name+"' is not recognized as a cmdlet, function, operable program, or script file.")
		}
		if len(args) == 0 {
			return c.psError(wide, "the call has no nonce")
		}
		out := &records{c: c, nonce: args[0]}
		code := r.run(out, args[1:])
		out.end()
		return code
	}
	return c.psError(wide, fmt.Sprintf("script %s %s with SHA-256 %s is not in the simulated host's reviewed list", m[1], m[2], sum))
}

// records writes the output protocol: ASCII lines with base64 values, a nonce
// in front and an end marker with the count.
type records struct {
	c     *call
	nonce string
	n     int
	done  bool
}

func (r *records) put(name string, value any) {
	r.n++
	r.c.print("#%s %s=%s\r\n", r.nonce, name, base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(value))))
}

func (r *records) end() {
	if !r.done {
		r.done = true
		r.c.print("#%s END %d\r\n", r.nonce, r.n)
	}
}

// fail writes the error record that the scripts' trap writes: type and HRESULT.
func (r *records) fail(kind, hresult string) int {
	r.put("error", kind+" "+hresult)
	r.end()
	return 1
}
