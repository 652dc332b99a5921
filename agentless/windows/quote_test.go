package windows

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestQuotedArgumentsComeOutAsTheyWere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", "''"},
		{`C:\Wavekeeper`, `'C:\Wavekeeper'`},
		{"it's", "'it''s'"},
		{"$(whoami) `n %PATH% \" ;", "'$(whoami) `n %PATH% \" ;'"},
		{"typographic \u2018\u2019\u201a\u201b", "'typographic \u2018\u2018\u2019\u2019\u201a\u201a\u201b\u201b'"},
		{"Prüfung 日本", "'Prüfung 日本'"},
	} {
		got, err := Quote(c.in)
		if err != nil || got != c.want {
			t.Errorf("Quote(%q) = %s, %v, want %s", c.in, got, err, c.want)
		}
	}
}

func TestWhatCannotBeOneLineIsRefused(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"a\x00b", "a\nb", "a\rb", "\xff"} {
		if got, err := Quote(in); err == nil {
			t.Errorf("Quote(%q) = %s, want an error", in, got)
		}
	}
}

// unquote reads one single-quoted string as PowerShell's tokenizer does: any
// of the five quote signs ends it unless another one follows.
func unquote(s string) (value, rest string, ok bool) {
	quote := func(r rune) bool { return r == '\'' || r >= 0x2018 && r <= 0x201B }
	runes := []rune(s)
	if len(runes) == 0 || !quote(runes[0]) {
		return "", s, false
	}
	var b strings.Builder
	for i := 1; i < len(runes); i++ {
		if !quote(runes[i]) {
			b.WriteRune(runes[i])
			continue
		}
		if i+1 < len(runes) && quote(runes[i+1]) {
			b.WriteRune(runes[i])
			i++
			continue
		}
		return b.String(), string(runes[i+1:]), true
	}
	return "", s, false
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "'", "''", "a'b", "\u2019'", "$x", "\\", "\u2018\u2018"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted, err := Quote(s)
		if err != nil {
			if utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\r\n") {
				t.Fatalf("Quote(%q) was refused: %v", s, err)
			}
			return
		}
		got, rest, ok := unquote(quoted)
		if !ok || rest != "" || got != s {
			t.Fatalf("Quote(%q) = %s reads as %q and leaves %q", s, quoted, got, rest)
		}
	})
}
