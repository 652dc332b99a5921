package jobs

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"wavekeeper/server/store"
)

// The passwords hold what JSON, Go and XML write differently, and one is a part
// of the other.
const (
	winrmPassword = `p&ss<"w\ör'd>`
	runAsPassword = winrmPassword + `-longer`
)

func TestNoFormOfASecretIsLeft(t *testing.T) {
	t.Parallel()
	s := secrets{winrmPassword, runAsPassword, ""}
	var escaped strings.Builder
	if err := xml.EscapeText(&escaped, []byte(runAsPassword)); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(runAsPassword)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		runAsPassword, winrmPassword, fmt.Sprintf("%q", runAsPassword), fmt.Sprintf("%+q", runAsPassword), string(encoded), escaped.String(),
		"the host said: schtasks /rp " + runAsPassword[:len(runAsPassword)-2] + "...",
	} {
		got := s.redact("before " + text + " after")
		if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") || !strings.Contains(got, redacted) {
			t.Errorf("redact(%q) = %q, want the words around it kept", text, got)
		}
		for _, part := range []string{"ör", "-longer", "p&ss", "p&amp;ss", `\u0026`, "w\\"} {
			if strings.Contains(got, part) {
				t.Errorf("redact(%q) = %q, which holds %q", text, got, part)
			}
		}
	}
	if got := s.redact("nothing to hide\x00\xff"); got != "nothing to hide\uFFFD\uFFFD" {
		t.Errorf("redact = %q, want text that Postgres keeps", got)
	}
}

func TestFactsStayJSONWhateverTheSecretIs(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{winrmPassword, "12345678", `":`, "true", "[redacted]"} {
		value, err := json.Marshal(map[string]any{"name": "says " + secret, "free": 12345678, secret: []any{secret, nil, true, 1.5}})
		if err != nil {
			t.Fatal(err)
		}
		got := secrets{secret}.redactFacts([]store.Fact{{Name: "disks", Value: value}})[0].Value
		var back map[string]any
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("with the secret %q the fact is no JSON: %s", secret, got)
		}
		if back["name"] != "says [redacted]" {
			t.Errorf("with the secret %q the fact is %s", secret, got)
		}
	}
	big := secrets{"x"}.redactFacts([]store.Fact{{Value: json.RawMessage(`{"size":9007199254740993}`)}})[0].Value
	if string(big) != `{"size":9007199254740993}` {
		t.Errorf("a number came out as %s", big)
	}
}

func TestSaveHoldsNoSecret(t *testing.T) {
	t.Parallel()
	value, err := json.Marshal("said " + runAsPassword)
	if err != nil {
		t.Fatal(err)
	}
	save := store.TickSave{
		Message: runAsPassword, Remedy: runAsPassword, Phase: runAsPassword, StepMessage: runAsPassword, Build: runAsPassword,
		Memory: map[string]string{"a": runAsPassword}, Log: []string{"x " + runAsPassword},
		Findings: []store.Finding{{Evidence: runAsPassword, Remedy: runAsPassword}},
		Facts:    []store.Fact{{Name: "os", Value: value}}, Events: []store.Event{{Text: runAsPassword}},
	}
	secrets{winrmPassword, runAsPassword}.redactSave(&save)
	if text := fmt.Sprintf("%+v %s", save, save.Facts[0].Value); strings.Contains(text, "longer") || strings.Contains(text, "ss<") {
		t.Errorf("the save holds a secret: %s", text)
	}
}

// TestSecretsInTheHostsCodePagesAreRedacted: programs in a console write so, and
// what a code page does not have they write as the letter without its accent, or
// as a question mark.
func TestSecretsInTheHostsCodePagesAreRedacted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ secret, raw string }{
		{"Schl\u00fcssel1", "Schl\x81ssel1"},               // 437, 850
		{"Schl\u00fcssel1", "Schl\xfcssel1"},               // 1252
		{"Schl\u00fcssel1", "Schlussel1"},                  // 932
		{"\u30d1\u30b9word7", "\x83p\x83Xword7"},           // 932
		{"\u30d1\u30b9word7", "??word7"},                   // 437
		{"\u043a\u043b\u044e\u04477", "\xaa\xab\xee\xe77"}, // 866
	} {
		if got := string(secrets{c.secret}.redactBytes([]byte("\xff<" + c.raw + ">"))); got != "\xff<[redacted]>" {
			t.Errorf("%q as %q became %q", c.secret, c.raw, got)
		}
		if got := (secrets{c.secret}).redact("<" + c.raw + ">"); got != "<[redacted]>" {
			t.Errorf("%q as the text %q became %q", c.secret, c.raw, got)
		}
	}
	if got := (secrets{"\u043a\u043b\u044e\u0447"}).redact("what ????"); got != "what ????" {
		t.Errorf("question marks became %q", got)
	}
}

// TestAPartOfASecretAtACutIsRedacted: wherever something longer was cut.
func TestAPartOfASecretAtACutIsRedacted(t *testing.T) {
	t.Parallel()
	const secret = "Zq7#Schl\u00fcssel"
	for name, raw := range map[string][]byte{
		"UTF-8": []byte(secret), "1252": []byte("Zq7#Schl\xfcssel"), "850": []byte("Zq7#Schl\x81ssel"), "UTF-16": wide(secret),
	} {
		for n := 2; n < len(raw)-1; n++ {
			for _, data := range [][]byte{append(bytes.Clone(raw[n:]), "\r\nafter"...), append([]byte("before\r\n"), raw[:n]...)} {
				got := secrets{secret}.redactBytes(bytes.Clone(data))
				kept := bytes.ReplaceAll(got, []byte(redacted), nil)
				if kept = bytes.TrimSpace(kept); string(kept) != "after" && string(kept) != "before" {
					t.Errorf("%s: %q became %q", name, data, got)
				}
			}
		}
	}
}

func wide(text string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}
