package windows

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
)

func TestEveryScriptIsWhatItSays(t *testing.T) {
	t.Parallel()
	if got := len(ScriptNames()); got != 14 {
		t.Errorf("%d scripts, want 14", got)
	}
	for _, name := range ScriptNames() {
		source, err := ScriptSource(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(source, []byte("\n")) != bytes.Count(source, []byte("\r\n")) || !bytes.HasSuffix(source, []byte("}\r\n")) {
			t.Errorf("%s: lines must end in CRLF, and the last with them", name)
		}
		for _, c := range source {
			if c > '~' || c < ' ' && c != '\r' && c != '\n' {
				t.Errorf("%s: byte %#x is not printable ASCII", name, c)
				break
			}
		}
		lines := strings.Split(string(source), "\r\n")
		if !regexp.MustCompile(`^# wavekeeper: ` + name + ` [1-9][0-9]*$`).MatchString(lines[0]) {
			t.Errorf("%s: first line is %q", name, lines[0])
		}
		function := "function wk_" + strings.ReplaceAll(name, "-", "_") + "([string]$n"
		if !strings.HasPrefix(lines[1], function) {
			t.Errorf("%s: second line is %q, want %s...", name, lines[1], function)
		}
		sum := sha256.Sum256(source)
		t.Logf("{%q, %q, %q},", name, strings.Fields(lines[0])[3], hex.EncodeToString(sum[:]))
	}
}

// later lists what PowerShell 1.0 does not know: the lint list of table 2.5 in
// the project's findings about WinRM.
var later = []string{
	`\btry\b`, `\bcatch\b`, `\bfinally\b`, `(?i)-join\b`, `(?i)-split\b`, `(?i)-in\b`, `(?i)-notin\b`, `(?i)-shl\b`, `(?i)-shr\b`,
	`(?i)Import-Module`, `(?i)#requires`, `(?i)CmdletBinding`, `(?i)\[Parameter`, `(?i)pscustomobject`, `(?i)\[ordered\]`, `<#`, `#>`,
	`(?i)Add-Type`, `(?i)Start-Process`, `(?i)Start-Job`, `(?i)Invoke-Command`, `(?i)Invoke-WmiMethod`, `(?i)Get-HotFix`, `(?i)Get-WinEvent`,
	`(?i)Json`, `(?i)Get-Cim`, `(?i)Get-ScheduledTask`, `(?i)Get-FileHash`, `(?i)Invoke-WebRequest`, `(?i)Invoke-RestMethod`, `(?i)Select-Xml`,
	`(?i)\$PSItem`, `(?i)\$PSScriptRoot`, `(?i)\$PSBoundParameters`, `(?i)\$PSVersionTable`, `(?i)\$using:`, `(?i)::new\(`, `(?i)-Raw\b`,
	`(?i)\.Where\(`, `(?i)\.ForEach\(`, `(?i)\bclass\b`, `(?i)\bbegin\b`, `(?i)\bprocess\b`, `(?i)\bworkflow\b`, `(?i)\bdata\b`, `@[A-Za-z]`,
	`(?i)Write-Host`, `(?i)Format-`, `(?i)Out-Default`, // what the host of PowerShell wraps at 80 columns
	`(?i)System\.Linq`, `(?i)System\.Core`, `(?i)AccountManagement`, // .NET after 2.0
	`\$_\.Exception\.Message`, // localized
	`\]'',`,                   // a cast in a list: whether it binds before the comma was not looked up for 1.0
}

// known are the words that the scripts may use; a new one has to be looked up
// for PowerShell 1.0 first.
var known = map[string]bool{
	"function": true, "trap": true, "throw": true, "continue": true, "break": true, "return": true, "exit": true,
	"if": true, "else": true, "while": true, "foreach": true, "in": true, "New-Object": true,
}

func TestScriptsStayWithinPowerShell1(t *testing.T) {
	t.Parallel()
	cmdlet := regexp.MustCompile(`\b[A-Za-z]+-[A-Z][A-Za-z]+\b`)
	operator := regexp.MustCompile(`(?:^|[\s(])-([a-z]+)\b`)
	operators := map[string]bool{"not": true, "eq": true, "ne": true, "lt": true, "gt": true, "band": true, "and": true, "or": true}
	strip := regexp.MustCompile(`'[^']*'`)
	for _, name := range ScriptNames() {
		source, err := ScriptSource(name)
		if err != nil {
			t.Fatal(err)
		}
		code := strip.ReplaceAllString(string(source), "''")
		code = strings.ReplaceAll(code, "$data", "$bytes64") // a variable of that name is no data section
		code = strings.ReplaceAll(code, "[Diagnostics.Process]", "[Diagnostics.Program]")
		for _, pattern := range later {
			if hit := regexp.MustCompile(pattern).FindString(code); hit != "" {
				t.Errorf("%s: %q is not in PowerShell 1.0 or must not be used", name, hit)
			}
		}
		for _, word := range cmdlet.FindAllString(strings.SplitN(code, "\r\n", 2)[1], -1) {
			if !known[word] {
				t.Errorf("%s: cmdlet %s is not in the list", name, word)
			}
		}
		for _, m := range operator.FindAllStringSubmatch(code, -1) {
			if !operators[m[1]] {
				t.Errorf("%s: operator -%s is not in the list", name, m[1])
			}
		}
	}
}

func TestCallsAreTheScriptAndOneLine(t *testing.T) {
	t.Parallel()
	text, err := call("file-read", "0123456789abcdef", `C:\it's here`, "0", "17")
	if err != nil {
		t.Fatal(err)
	}
	source, err := ScriptSource("file-read")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := text, string(source)+`wk_file_read '0123456789abcdef' 'C:\it''s here' '0' '17'`; got != want {
		t.Errorf("call = %q, want the script and %q", got[len(source):], want[len(source):])
	}
	if text, err = callWithInput("task-list", "0123456789abcdef", "a"); err != nil || !strings.HasSuffix(text, "}\r\n$input | wk_task_list '0123456789abcdef' 'a'") {
		t.Errorf("call with input = %q, %v", text[max(0, len(text)-80):], err)
	}
	if _, err := call("file-read", "aa", "two\nlines"); err == nil {
		t.Error("an argument of two lines was accepted")
	}
}

func TestEveryCallFitsOnACommandLine(t *testing.T) {
	t.Parallel()
	path := `C:\Wavekeeper\tasks\` + strings.Repeat("x", 235)
	for name, args := range map[string][]string{
		"file-write":  {path, "2147483647", strings.Repeat("A", 4*((writeChunk+2)/3)), "1"},
		"file-read":   {path, "2147483647", "49152"},
		"folder-make": {path}, "folder-list": {path}, "file-hash": {path}, "canary": nil,
		"task-register": {path, strings.Repeat("x", 3000), path}, "task-run": {path, path}, "task-delete": {path}, "task-list": {path},
		"task-look": {path, path, "1"}, "program-list": nil, "service-list": {path}, "system-look": nil,
	} {
		text, err := call(name, newNonce(), args...)
		if err != nil {
			t.Fatal(err)
		}
		words, err := encoded(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := len(powershell + " " + strings.Join(words, " ")); n >= 32767 {
			t.Errorf("%s: command line of %d characters", name, n)
		}
	}
}
