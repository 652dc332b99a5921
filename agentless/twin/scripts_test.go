package twin_test

import (
	"bufio"
	"encoding/base64"
	"strings"

	"wavekeeper/agentless/windows"
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
