package twin

import (
	"errors"
	"slices"
	"testing"
)

func TestACallIsReadByPowerShellsRulesForQuotes(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"wk_a":                      nil,
		"wk_a 'n' 'C:\\x y'":        {"n", `C:\x y`},
		"$input | wk_a 'n'":         {"n"},
		"wk_a 'it''s'":              {"it's"},
		"wk_a ''":                   {""},
		"wk_a ''''":                 {"'"},
		"wk_a \u2018n\u2019":        {"n"},
		"wk_a 'a\u2018\u2018b' 'c'": {"a\u2018b", "c"},
		"wk_a 'a\u2019\u2018b'":     {"a\u2018b"}, // the second one counts
		"wk_a 'a'\u201Bb'":          {"a\u201Bb"},
		"wk_a 'a\u2018 'b'":         {"a", "b"},
		"wk_a 'a\u201Cb\u2013' ":    {"a\u201Cb\u2013"},
	} {
		name, got, err := parseCall(line)
		if err != nil || name != "wk_a" || !slices.Equal(got, want) {
			t.Errorf("parseCall(%q) = %q %q, %v, want %q", line, name, got, err, want)
		}
	}
	for line, want := range map[string]error{
		"wk_a 'a":         errUnterminated,
		"wk_a 'a''":       errUnterminated,
		"wk_a 'a\u2018'":  errUnterminated,
		"wk_a 'a\u2018b'": errNoCall, // the typographic quote ended the string
		"wk_a 'a'\t'b'":   errNoCall,
		"wk_a 'a'b":       errNoCall,
		"wk_a a":          errNoCall,
		"wk_a 'a' $b":     errNoCall,
	} {
		if _, got, err := parseCall(line); !errors.Is(err, want) {
			t.Errorf("parseCall(%q) = %q, %v, want %v", line, got, err, want)
		}
	}
}
