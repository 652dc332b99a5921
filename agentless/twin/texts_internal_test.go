package twin

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// said lists the texts that the package's sources hold, without translations.
func said(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || e.Name() == "texts.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if b, ok := n.(*ast.BinaryExpr); ok && b.Op == token.ADD { // "..." + "..."
				if left, right := literal(b.X), literal(b.Y); left != "" && right != "" {
					all.WriteString(left + right + "\x00")
				}
			}
			if l, ok := n.(*ast.BasicLit); ok {
				all.WriteString(literal(l) + "\x00")
			}
			return true
		})
	}
	return all.String()
}

func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(l.Value)
	if err != nil {
		return ""
	}
	return text
}

func TestTranslationsFitTheirTexts(t *testing.T) {
	t.Parallel()
	verbs := regexp.MustCompile(`%-?[0-9.]*[a-z]`)
	sources := said(t)
	for english, local := range translations {
		if english != "%s was unexpected at this time." && !strings.Contains(sources, english) {
			t.Errorf("nothing says %q", english)
		}
		for page, text := range map[int]string{850: local.de, 932: local.ja} {
			if text == "" {
				t.Errorf("%q has no words for code page %d", english, page)
			}
			if got, want := verbs.FindAllString(text, -1), verbs.FindAllString(english, -1); !slices.Equal(got, want) {
				t.Errorf("%q: %v in %q, want %v", english, got, text, want)
			}
			if back := decode(encode(text, page), page); back != text {
				t.Errorf("%q comes back from code page %d as %q", text, page, back)
			}
		}
	}
}
