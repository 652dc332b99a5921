package twin_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/server/exchange"
)

const nonce = "00112233aabbccdd"

// script runs one of the product's scripts and returns its records by name.
func (c *client) script(name string, args ...string) map[string]string {
	c.tb.Helper()
	source, err := windows.ScriptSource(name)
	if err != nil {
		c.tb.Fatal(err)
	}
	call := "wk_" + strings.ReplaceAll(name, "-", "_")
	for _, a := range append([]string{nonce}, args...) {
		call += " '" + strings.ReplaceAll(a, "'", "''") + "'"
	}
	exit, out, errs := c.runWith(encodedCommand(string(source)+call), true)
	if exit != "0" {
		c.tb.Fatalf("script %s: exit %s\n%s\n%s", name, exit, out, errs)
	}
	return readRecords(c, out)
}

func readRecords(c *client, out string) map[string]string {
	c.tb.Helper()
	records := map[string]string{}
	ended := false
	scan := bufio.NewScanner(strings.NewReader(out))
	for scan.Scan() {
		rest, ok := strings.CutPrefix(scan.Text(), "#"+nonce+" ")
		if !ok {
			c.tb.Fatalf("no record: %q", scan.Text())
		}
		if strings.HasPrefix(rest, "END ") {
			ended = true
			continue
		}
		name, value, _ := strings.Cut(rest, "=")
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			c.tb.Fatal(err)
		}
		records[name] += string(raw)
	}
	if !ended {
		c.tb.Fatalf("no end of records in %q", out)
	}
	return records
}

// TestEveryEmbeddedScriptIsReviewed names each script of the product that the
// twin has not reviewed as it is now, and prints its sum.
func TestEveryEmbeddedScriptIsReviewed(t *testing.T) {
	names := windows.ScriptNames()
	if len(names) == 0 {
		t.Fatal("no embedded scripts")
	}
	for _, name := range names {
		source, err := windows.ScriptSource(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(source)
		head, _, _ := strings.Cut(string(source), "\r\n")
		if !twin.Reviewed(head, hex.EncodeToString(sum[:])) {
			t.Errorf("script %s (%q) is not reviewed as it is: SHA-256 %x", name, head, sum)
		}
	}
}

func TestAnEditedScriptIsRefused(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	source, err := windows.ScriptSource("folder-list")
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(source), "'exists' 0", "'exists' 2", 1)
	exit, _, errs := c.runWith(encodedCommand(edited+`wk_folder_list '`+nonce+`' 'C:\'`), true)
	if exit != "1" || !strings.Contains(errs, "is not in the simulated host") || !strings.HasPrefix(errs, "#< CLIXML") {
		t.Errorf("edited script: %s %q", exit, errs)
	}
}

func TestScriptsDoWhatTheyPromise(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	const folder = `C:\Wavekeeper\tasks\it's`
	if r := c.script("folder-make", folder); r["state"] != "made" || r["owner"] != "S-1-5-32-544" {
		t.Errorf("folder-make: %v", r)
	}
	if r := c.script("folder-make", folder); r["state"] != "present" {
		t.Errorf("folder-make again: %v", r)
	}
	if exit, _, errs := c.run(`md C:\Wavekeeper2`); exit != "0" {
		t.Fatal(errs)
	}
	if r := c.script("folder-make", `C:\Wavekeeper2`); r["state"] != "foreign" {
		t.Errorf("folder-make on another's folder: %v", r)
	}
	data := []byte("\x00one\r\ntwo\xff")
	c.script("file-write", folder+`\a.bin`, "0", base64.StdEncoding.EncodeToString(data[:4]), "0")
	r := c.script("file-write", folder+`\a.bin`, "4", base64.StdEncoding.EncodeToString(data[4:]), "1")
	if want := fmt.Sprintf("%x", sha256.Sum256(data)); r["sha256"] != want || r["length"] != "10" {
		t.Errorf("file-write: %v, want %s", r, want)
	}
	r = c.script("file-read", folder+`\a.bin`, "1", "3")
	if r["length"] != "10" || r["data"] != base64.StdEncoding.EncodeToString(data[1:4]) || r["offset"] != "1" {
		t.Errorf("file-read: %v", r)
	}
	if r = c.script("file-read", folder+`\none`, "0", "3"); r["exists"] != "0" {
		t.Errorf("file-read of nothing: %v", r)
	}
	if r = c.script("folder-list", folder); !strings.HasPrefix(r["entry"], "a.bin|f|10|20") {
		t.Errorf("folder-list: %v", r)
	}
	setup := `C:\Wavekeeper\media\sp2-en-US-x64\setup.com`
	if r = c.script("file-hash", setup); r["sha256"] != twin.SetupSHA256("sp2", "en-US", "x64") {
		t.Errorf("file-hash: %v", r)
	}
}

func TestCanaryTellsTheAccount(t *testing.T) {
	t.Parallel()
	s := server(t, "cas1", "CAS")
	start(t, twin.Options{Servers: []exchange.Server{s}, Speed: 1000})
	c := dial(t, s)
	if r := c.script("canary"); !strings.HasPrefix(r["ldap"], "error ") || r["user"] != `CAS1\`+winrmUser {
		t.Errorf("canary in a shell: %v", r)
	}
	source, err := windows.ScriptSource("canary")
	if err != nil {
		t.Fatal(err)
	}
	const name = "wk-t-u1-canary-a1"
	c.prepare(name, runAsArguments, `powershell.exe -NoProfile -NonInteractive -Command "Invoke-Expression ([IO.File]::ReadAllText('`+
		taskFolder(name)+`\canary.ps1'))" >out.txt 2>err.txt <nul`)
	text := base64.StdEncoding.EncodeToString([]byte(string(source) + "wk_canary '" + nonce + "'"))
	c.script("file-write", taskFolder(name)+`\canary.ps1`, "0", text, "1")
	c.start(name)
	if rc := c.result(name, 10*time.Second); rc != "0" {
		_, errs, _ := c.run("type " + taskFolder(name) + `\err.txt`)
		t.Fatalf("canary ended with %s %s", rc, errs)
	}
	_, out, _ := c.run("type " + taskFolder(name) + `\out.txt`)
	if r := readRecords(c, out); r["ldap"] != "ok" || r["user"] != runAs || !strings.Contains(r["sids"], "S-1-5-32-544") || r["hkcu"] == "S-1-5-18" {
		t.Errorf("canary in a task: %v", r)
	}
}

// scriptError is the error record of a script that ends with one.
func (c *client) scriptError(name string, args ...string) string {
	c.tb.Helper()
	source, err := windows.ScriptSource(name)
	if err != nil {
		c.tb.Fatal(err)
	}
	call := "wk_" + strings.ReplaceAll(name, "-", "_")
	for _, a := range append([]string{nonce}, args...) {
		call += " '" + strings.ReplaceAll(a, "'", "''") + "'"
	}
	exit, out, errs := c.runWith(encodedCommand(string(source)+call), true)
	if exit == "0" {
		c.tb.Fatalf("script %s went well\n%s\n%s", name, out, errs)
	}
	return readRecords(c, out)["error"]
}
