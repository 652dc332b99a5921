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
	if len(ScriptNames()) == 0 {
		t.Fatal("no scripts are embedded")
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
		if len(lines) < 6 || !strings.HasPrefix(lines[5], function) {
			t.Errorf("%s: %s... is to stand in line 6, after the contract (# in:, # out:, # exit:, # on:)", name, function)
		}
		sum := sha256.Sum256(source)
		t.Logf("{%q, %q, %q},", name, strings.Fields(lines[0])[3], hex.EncodeToString(sum[:]))
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
