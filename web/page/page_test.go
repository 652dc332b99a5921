package page_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"wavekeeper/web/static"
)

var update = flag.Bool("update", false, "write the golden files anew")

func render(t *testing.T, e entry) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Page.Render(t.Context(), &b); err != nil {
		t.Fatalf("render %s: %v", e.Name, err)
	}
	return b.Bytes()
}

func TestPagesAreAsTheyWere(t *testing.T) {
	t.Parallel()
	for _, e := range entries("") {
		got := render(t, e)
		file := filepath.Join("testdata", e.Name+".html")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s changed; look at it and run this test with -update", e.Name)
		}
	}
}

// walk calls f for every element of a page.
func walk(t *testing.T, page []byte, f func(n *html.Node)) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			f(n)
		}
	}
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestPagesCarryNothingInline(t *testing.T) {
	t.Parallel()
	for _, e := range entries("dark") {
		walk(t, render(t, e), func(n *html.Node) {
			if _, ok := attribute(n, "style"); ok {
				t.Errorf("%s: <%s> has a style attribute", e.Name, n.Data)
			}
			if n.Data == "style" || n.Data == "script" && n.FirstChild != nil {
				t.Errorf("%s: an inline <%s>", e.Name, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: <%s> has the handler %s", e.Name, n.Data, a.Key)
				}
			}
		})
	}
}

func TestEveryStateHasAWordAndAShape(t *testing.T) {
	t.Parallel()
	for _, e := range entries("") {
		walk(t, render(t, e), func(n *html.Node) {
			class, _ := attribute(n, "class")
			if n.Data != "span" || !slices.Contains(strings.Fields(class), "state") {
				return
			}
			shapes := 0
			for d := range n.Descendants() {
				if d.Data == "svg" {
					shapes++
				}
			}
			if shapes != 1 || textOf(n) == "" {
				t.Errorf("%s: a state with %d shapes and the words %q", e.Name, shapes, textOf(n))
			}
		})
	}
}

func TestEveryFieldHasAName(t *testing.T) {
	t.Parallel()
	for _, e := range entries("") {
		labels := map[string]bool{}
		page := render(t, e)
		walk(t, page, func(n *html.Node) {
			if target, ok := attribute(n, "for"); ok {
				labels[target] = true
			}
		})
		walk(t, page, func(n *html.Node) {
			kind, _ := attribute(n, "type")
			_, gone := attribute(n, "hidden")
			if !slices.Contains([]string{"input", "select", "textarea"}, n.Data) || kind == "hidden" || gone {
				return
			}
			id, _ := attribute(n, "id")
			_, said := attribute(n, "aria-label")
			inside := false
			for p := n.Parent; p != nil; p = p.Parent {
				inside = inside || p.Data == "label"
			}
			if !said && !inside && !labels[id] {
				name, _ := attribute(n, "name")
				t.Errorf("%s: the field %q has no label", e.Name, name)
			}
		})
	}
}

func TestIDsAreUnique(t *testing.T) {
	t.Parallel()
	for _, e := range entries("") {
		seen := map[string]bool{}
		walk(t, render(t, e), func(n *html.Node) {
			id, ok := attribute(n, "id")
			if ok && seen[id] {
				t.Errorf("%s: the id %q is there twice", e.Name, id)
			}
			seen[id] = true
		})
	}
}

func TestEveryPageSaysDemo(t *testing.T) {
	t.Parallel()
	for _, e := range entries("") {
		if !bytes.Contains(render(t, e), []byte("<strong>demo</strong>")) {
			t.Errorf("%s does not say that it is a demo", e.Name)
		}
	}
}

func TestAButtonThatCannotBePressedSaysWhy(t *testing.T) {
	t.Parallel()
	for _, e := range entries("") {
		if e.Name != "approve-refused" {
			continue
		}
		page := string(render(t, e))
		if !strings.Contains(page, "disabled>Approve wave 3: 3 servers</button> <span class=\"act-why\">You made this plan") {
			t.Errorf("the refused approval does not say why beside its button")
		}
		if strings.Contains(page, "/approve\"") {
			t.Errorf("the refused approval still has a form")
		}
	}
}

// TestGallery writes every page in both themes into the folder that GALLERY
// names, with the browser's files beside them, for people to look at.
func TestGallery(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("GALLERY")
	if dir == "" {
		return
	}
	for _, theme := range []string{"light", "dark"} {
		for _, e := range entries(theme) {
			if err := os.WriteFile(filepath.Join(dir, e.Name+"-"+theme+".html"), render(t, e), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "static")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "static"), fs.FS(static.Files())); err != nil {
		t.Fatal(err)
	}
}
