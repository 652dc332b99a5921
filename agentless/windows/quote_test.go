package windows

import "testing"

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
