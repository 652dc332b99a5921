package winrm

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// byStandard reads a document with encoding/xml into the tree that parse makes.
func byStandard(data []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var root *node
	var stack []*node
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := &node{name: t.Name}
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					n.attrs = append(n.attrs, a)
				}
			}
			if len(stack) == 0 {
				root = n
			} else {
				stack[len(stack)-1].kids = append(stack[len(stack)-1].kids, n)
			}
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				n := stack[len(stack)-1]
				if len(n.kids) == 0 || len(bytes.TrimSpace(t)) > 0 {
					n.text += string(t)
				}
			}
		}
	}
}

func sameTree(a, b *node) string { return cmp.Diff(a, b, cmp.AllowUnexported(node{})) }

// TestRecordedAnswersReadAsTheStandardLibraryReadsThem: every file of the corpus.
func TestRecordedAnswersReadAsTheStandardLibraryReadsThem(t *testing.T) {
	t.Parallel()
	n := 0
	for _, pattern := range []string{filepath.Join(corpus(t, "wql"), "*", "*.xml"), filepath.Join(corpus(t, "winrm-records"), "*.xml")} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := parse(data)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			theirs, err := byStandard(data)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if diff := sameTree(ours, theirs); diff != "" {
				t.Errorf("%s: ours (-), encoding/xml (+):\n%.2000s", file, diff)
			}
			n++
		}
	}
	if n == 0 {
		t.Error("no file was compared")
	}
}

// documents are seeds for the comparison: what ours takes, the standard library
// takes too, and reads the same.
var documents = []string{
	`<?xml version="1.0" encoding="utf-8"?><a xmlns="u" xmlns:b="v" c='d&#x20AC;&lt;"' b:c="e"><b:x/>t&amp;u<![CDATA[<&>]]>v<!-- c --> </a> `,
	"<a>1\r\n2\r3\n&#13;&#10;</a>", "<a><b/> <c> </c>\n</a>", `<p:a><q xmlns="z" xml:lang="en"><r xmlns=""/></q></p:a>`,
	"<a>\u00e4\U0001F600</a>", "<a b=\"c\r\nd\"/>", "<a><?pi x?></a>", "<a  b = 'c' ></a >",
	"<a", "<a>", "</a>", "<a></b>", "<a b/>", "<a b=c/>", "<a b='c'd='e'/>", "<a>&nbsp;</a>", "<a>&</a>", "<a>\x01</a>", "<!DOCTYPE a><a/>",
	"<a/><b/>", "x<a/>", "<a><!-- -- --></a>", "<a b='<'/>", "<1a/>", "<a:/>", "<:a/>", "<a>]]></a>", "<a xmlns:x='y' x:b='1'/>", "",
}

func FuzzParseAsTheStandardLibrary(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, err := parse(data)
		if err != nil {
			return
		}
		for _, c := range data {
			if c >= 0x80 || c == ':' { // names beyond ASCII, and empty prefixes: ours takes more
				return
			}
		}
		theirs, err := byStandard(data)
		if err != nil {
			t.Fatalf("%q: only encoding/xml refuses it: %v", data, err)
		}
		if diff := sameTree(ours, theirs); diff != "" {
			t.Errorf("%q: ours (-), encoding/xml (+):\n%s", data, diff)
		}
	})
}

// TestMemoryThatIsUsedAgainHoldsNothingOfTheTreeBefore: of small and large
// documents after each other, and of refused ones.
func TestMemoryThatIsUsedAgainHoldsNothingOfTheTreeBefore(t *testing.T) {
	t.Parallel()
	all := append([]string{
		"<a>" + strings.Repeat(`<b c="d" xmlns:e="f"><e:g h="i">j</e:g></b>`, 100) + "</a>",
		strings.Repeat("<a>", maxDepth-1) + strings.Repeat("</a>", maxDepth-1),
	}, documents...)
	f := &fleeting{}
	for range 3 {
		for _, d := range all {
			kept, err := parse([]byte(d))
			brief, again := f.parse([]byte(d))
			if (err == nil) != (again == nil) {
				t.Fatalf("%.80q: %v, and in memory that is used again %v", d, err, again)
			}
			if one, other := treeText(kept), treeText(brief); one != other {
				t.Fatalf("%.80q: kept %.1000s, used again %.1000s", d, one, other)
			}
			f.forget()
		}
	}
}

// treeText is all that a tree holds.
func treeText(n *node) string {
	if n == nil {
		return "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<%v %q %q", n.name, n.attrs, n.text)
	for _, k := range n.kids {
		b.WriteString(treeText(k))
	}
	return b.String() + ">"
}

func TestWhatIsNoXMLIsRefused(t *testing.T) {
	t.Parallel()
	refused := 0
	for _, d := range documents {
		_, err := parse([]byte(d))
		_, theirs := byStandard([]byte(d))
		if theirs != nil && err == nil {
			t.Errorf("%q was taken; encoding/xml says %v", d, theirs)
		}
		if err != nil {
			refused++
		}
	}
	if refused < 15 {
		t.Errorf("%d of the documents refused", refused)
	}
}
