package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// neverListened holds ranges whose addresses are only written down: in
// inventories that nobody dials, and in messages.
var neverListened = []string{"127.0.77", "127.0.120"}

// loopbackAddress finds what a test may listen on: 127.0.107.3 or, of one that is
// computed, 127.0.107. or 127.107.2. Addresses of 127.0.0 are listened on at
// ports that the system gives.
var loopbackAddress = regexp.MustCompile(`\b127\.(\d+)(?:\.(\d+))?`)

// fixedPort finds an inventory's address with its port.
var fixedPort = regexp.MustCompile(`\b(127\.\d+\.\d+\.\d+),[1-9]`)

// TestLoopbackAddressesAreNotShared: go test runs packages, and the tests of one,
// at the same time, and simulated hosts listen on fixed ports. So each range
// 127.0.N, and 127.N beyond it, belongs to the tests of one package, and each
// address in it with a fixed port to one file. Parts that are computed are not seen here.
func TestLoopbackAddressesAreNotShared(t *testing.T) {
	t.Parallel()
	ranges, files := map[string][]string{}, map[string][]string{}
	seen := 0
	for _, one := range testTexts(t) {
		for _, m := range loopbackAddress.FindAllStringSubmatch(one.text, -1) {
			own := "127." + m[1]
			if m[1] == "0" {
				own += "." + m[2]
			}
			if m[2] == "" || own == "127.0.0" || slices.Contains(neverListened, own) {
				continue
			}
			seen++
			ranges[own] = append(ranges[own], filepath.Dir(one.file))
		}
		for _, m := range fixedPort.FindAllStringSubmatch(one.text, -1) {
			if !strings.HasPrefix(m[1], "127.0.77.") {
				files[m[1]] = append(files[m[1]], one.file)
			}
		}
	}
	if seen < 50 {
		t.Fatalf("only %d addresses found", seen)
	}
	for what, where := range map[string]map[string][]string{"range": ranges, "address": files} {
		for address, all := range where {
			slices.Sort(all)
			if all = slices.Compact(all); len(all) > 1 {
				t.Errorf("%s %s is used in %s: give each its own", what, address, strings.Join(all, " and "))
			}
		}
	}
}

type testText struct{ file, text string }

// testTexts are the string literals of all tests, by file.
func testTexts(t *testing.T) []testText {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var texts []testText
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "node_modules" || d.Name() == "tools" || d.Name() == "run") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(text, "127.") {
				texts = append(texts, testText{filepath.ToSlash(rel), text})
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
