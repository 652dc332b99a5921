package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// arrows is the design: which of our packages each package may import. A
// package that is missing here is refused: draw it first.
var arrows = map[string][]string{
	"server":                                {"server/cli"},
	"server/cli":                            {"*"}, // the wiring; everything but web, see never
	"server/httpd":                          {"web", "web/page", "web/ui", "web/static", "server/store", "server/live", "server/auth", "server/audit", "server/rollout", "server/exchange", "server/media", "server/preflight"},
	"server/jobs":                           {"server/store", "agentless/runbook", "agentless/windows", "agentless/winrm", "agentless/kerberos", "server/secret", "server/media", "server/rollout", "server/exchange", "server/audit", "server/preflight", "server/hook"},
	"server/store":                          {"server/store/db", "server/rollout", "server/exchange", "server/audit", "server/canon", "server/preflight"},
	"server/store/db":                       {},
	"server/audit":                          {"server/canon"},
	"server/media":                          {},
	"server/preflight":                      {"server/exchange"},
	"server/hook":                           {},
	"server/auth":                           {},
	"server/rollout":                        {"server/exchange", "server/canon"},
	"server/exchange":                       {},
	"server/canon":                          {},
	"server/secret":                         {},
	"server/live":                           {},
	"server/localpg":                        {},
	"agentless/ntlm":                        {},
	"agentless/kerberos":                    {},
	"agentless/sealed":                      {},
	"agentless/winrm":                       {"agentless/ntlm", "agentless/kerberos", "agentless/sealed"},
	"agentless/windows":                     {"agentless/winrm"},
	"agentless/runbook":                     {"agentless/windows", "server/exchange", "server/rollout", "server/canon", "server/preflight"},
	"agentless/twin":                        {"server/exchange", "agentless/ntlm", "agentless/kerberos", "agentless/sealed"},
	"migrations":                            {},
	"web/gallery":                           {"web/page", "web/ui", "server/rollout", "server/exchange"},
	"deploy/demo":                           {},
	"web/page":                              {"web/ui", "server/rollout", "server/exchange"},
	"web/ui":                                {"server/rollout", "server/exchange"},
	"web/static":                            {},
	"server/store/storetest":                {"migrations", "server/store", "server/localpg"}, // for tests only
	"agentless/kerberos/kdctest":            {},                                               // for tests only
	"agentless/winrm/testdata/figures/ours": {"agentless/winrm", "agentless/windows"},         // the programs of `make bench`
	"agentless/winrm/testdata/figures/bare": {},
	"agentless/winrm/testdata/figures/stub": {},
	"agentless/winrm/testdata/figures/twin": {"agentless/twin", "server/exchange"},
	"server/torture":                        {}, // tests only
}

// never holds what no other package may import, but for tests: the package and who may.
var never = map[string][]string{
	"agentless/twin":             {"server/cli", "agentless/winrm/testdata/figures/twin"},
	"migrations":                 {"server/cli", "server/store/storetest"},
	"server/store/storetest":     {},
	"agentless/kerberos/kdctest": {},
	"web/page":                   {"server/httpd", "web/gallery"},
	"web/ui":                     {"server/httpd", "web/page", "web/gallery"},
	"web/gallery":                {},
	"deploy/demo":                {"server/cli"},
}

// outside holds third-party modules that only some packages may import.
var outside = map[string][]string{
	"github.com/masterzen/winrm":  {"agentless/winrm", "agentless/winrm/testdata/figures/bare"},
	"github.com/jackc/pgx":        {"server/store", "server/store/db", "server/jobs", "server/live", "server/localpg", "server/cli", "server/store/storetest"},
	"github.com/riverqueue/river": {"server/store", "server/jobs", "server/cli"},
	"github.com/go-chi/chi":       {"server/httpd"},
	"github.com/jcmturner/gokrb5": {"agentless/kerberos"},
}

// pure packages import no clock, context, log, disk or network.
var pure = []string{"server/rollout", "server/exchange", "server/canon", "server/preflight"}

var impure = []string{"context", "log", "log/slog", "os", "net", "net/http", "math/rand", "database/sql", "os/exec"}

type sourceFile struct {
	pkg, name string
	imports   []string
	usesNow   bool
}

func TestImportsDrawTheDesign(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		allowed, drawn := arrows[f.pkg]
		if !drawn {
			t.Errorf("%s: package %s is not drawn in the design; add it to arrows first", f.name, f.pkg)
			continue
		}
		for _, imp := range f.imports {
			checkOutside(t, f, imp)
			ours, isOurs := strings.CutPrefix(imp, "wavekeeper/")
			if !isOurs {
				continue
			}
			if !slices.Contains(allowed, ours) && !slices.Contains(allowed, "*") {
				t.Errorf("%s: %s may not import %s", f.name, f.pkg, ours)
			}
			if who, limited := never[ours]; limited && !slices.Contains(who, f.pkg) {
				t.Errorf("%s: %s may be imported only by %v", f.name, ours, who)
			}
		}
	}
}

func TestPurePackagesHaveNoClockAndNoIO(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		if !slices.Contains(pure, f.pkg) {
			continue
		}
		for _, imp := range f.imports {
			if slices.Contains(impure, imp) {
				t.Errorf("%s: %s is pure and may not import %s", f.name, f.pkg, imp)
			}
		}
		if f.usesNow {
			t.Errorf("%s: %s is pure and may not call time.Now", f.name, f.pkg)
		}
	}
}

func checkOutside(t *testing.T, f sourceFile, imp string) {
	t.Helper()
	for module, who := range outside {
		if (imp == module || strings.HasPrefix(imp, module+"/")) && !slices.Contains(who, f.pkg) {
			t.Errorf("%s: only %v may import %s", f.name, who, imp)
		}
	}
}

// sources parses every file of ours that is not a test, so that the result
// depends on the files alone and the test cache sees each of them.
func sources(t *testing.T) []sourceFile {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var files []sourceFile
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (strings.HasPrefix(name, ".") && path != root || name == "node_modules" || name == "tools" || name == "bin" || name == "run" || name == "vendor") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || filepath.Dir(path) == root {
			return nil
		}
		file, err := parse(root, path)
		files = append(files, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found only %d source files below %s", len(files), root)
	}
	return files
}

func parse(root, path string) (sourceFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return sourceFile{}, err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
	if err != nil {
		return sourceFile{}, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return sourceFile{}, err
	}
	file := sourceFile{pkg: filepath.ToSlash(filepath.Dir(rel)), name: filepath.ToSlash(rel), usesNow: strings.Contains(string(text), "time.Now(")}
	for _, spec := range parsed.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return sourceFile{}, err
		}
		file.imports = append(file.imports, imp)
	}
	return file, nil
}
