package twin

import (
	"errors"
	"strings"
)

// Errors of a script's last line, as far as they differ from PowerShell's own.
var (
	errNoCall       = errors.New("the last line is no call with quoted arguments")
	errUnterminated = errors.New("the string is missing the terminator: '")
)

// singleQuote reports whether PowerShell takes the letter for ': also the
// typographic U+2018 to U+201B (CharTraits.IsSingleQuote of its tokenizer.cs;
// that 1.0 has the same five is not proven).
func singleQuote(r rune) bool { return r == '\'' || r >= 0x2018 && r <= 0x201B }

// parseCall reads a function's name and its single-quoted arguments; "$input |"
// before it hands it what came by stdin.
func parseCall(line string) (name string, args []string, err error) {
	line = strings.TrimPrefix(strings.TrimSpace(line), "$input | ")
	name, text, _ := strings.Cut(line, " ")
	for rest := []rune(strings.TrimLeft(text, " ")); len(rest) > 0; {
		arg, n, err := singleQuoted(rest)
		if err != nil {
			return "", nil, err
		}
		rest = rest[n:]
		if len(rest) > 0 && rest[0] != ' ' {
			return "", nil, errNoCall
		}
		for len(rest) > 0 && rest[0] == ' ' {
			rest = rest[1:]
		}
		args = append(args, arg)
	}
	return name, args, nil
}

// singleQuoted reads the single-quoted string that text begins with, and says
// how many letters it took. Any of the quotes ends it, unless another of them
// follows: then the second one is meant (ScanStringLiteral of tokenizer.cs).
func singleQuoted(text []rune) (value string, n int, err error) {
	if !singleQuote(text[0]) {
		return "", 0, errNoCall
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if singleQuote(text[i]) {
			i++
			if i == len(text) || !singleQuote(text[i]) {
				return b.String(), i, nil
			}
		}
		b.WriteRune(text[i])
	}
	return "", 0, errUnterminated
}
