package preflight

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// verdict is a rule's answer.
type verdict struct {
	severity Severity // Pass when empty
	text     string
	evidence string
	remedy   string
	unknown  bool // the rule's severity for what is unknown counts
}

func pass(text, evidence string) verdict { return verdict{Pass, text, evidence, "", false} }

func blocks(text, evidence, remedy string) verdict {
	return verdict{Blocker, text, evidence, remedy, false}
}

func warns(text, evidence, remedy string) verdict {
	return verdict{Warning, text, evidence, remedy, false}
}

func notes(text, evidence, remedy string) verdict {
	return verdict{Info, text, evidence, remedy, false}
}

func unread(text, evidence, remedy string) verdict { return verdict{"", text, evidence, remedy, true} }

// list joins words for a sentence.
func list(words []string) string { return strings.Join(words, ", ") }

// lowerFirst begins a sentence in the middle of another; an abbreviation stays.
func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	next, _ := utf8.DecodeRuneInString(s[n:])
	if unicode.IsUpper(next) || next == '.' || unicode.IsDigit(next) {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// differ compares two words of which each may be unknown.
func differ(a, b string) bool { return a != "" && b != "" && !strings.EqualFold(a, b) }

// updated finds an update among the hotfixes; it may carry its revision behind
// it, "KB942288-v4".
func updated(hotfixes []string, kb string) bool {
	for _, s := range hotfixes {
		if strings.EqualFold(s, kb) || len(s) > len(kb) && s[len(kb)] == '-' && strings.EqualFold(s[:len(kb)], kb) {
			return true
		}
	}
	return false
}

// service finds a service without regard to case.
func service(all []Service, name string) (Service, bool) {
	for _, s := range all {
		if strings.EqualFold(s.Name, name) {
			return s, true
		}
	}
	return Service{}, false
}

// sameHost compares two names of machines, of which each may be an FQDN.
func sameHost(a, b string) bool {
	shortA, _, fullA := strings.Cut(a, ".")
	shortB, _, fullB := strings.Cut(b, ".")
	if fullA && fullB {
		return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
	}
	return shortA != "" && strings.EqualFold(shortA, shortB)
}

// version reads the first numbers of a dotted version; false when it is none.
func version(s string) ([4]int, bool) {
	var out [4]int
	parts := strings.Split(strings.TrimSpace(s), ".")
	if len(parts) < 2 {
		return out, false
	}
	for i, p := range parts {
		if i == len(out) {
			break
		}
		n, err := strconv.Atoi(strings.TrimSpace(p))
		if err != nil || n < 0 {
			return out, false
		}
		out[i] = n
	}
	return out, true
}

// older compares versions from the left.
func older(a, b [4]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
