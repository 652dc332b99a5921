package cli

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the generated part of the README")

const (
	readmeFile    = "../../README.md"
	settingsBegin = "<!-- settings:begin -->\n"
	settingsEnd   = "<!-- settings:end -->"
)

// model is the command line as kong knows it, outside of any process's
// environment.
func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := newParser(io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// TestReadmeSettings holds the README's commands and settings to the command
// line; with -update it writes them.
func TestReadmeSettings(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(raw), settingsBegin)
	have, after, ends := strings.Cut(rest, settingsEnd)
	if !begins || !ends {
		t.Fatalf("%s has no lines %q and %q", readmeFile, settingsBegin, settingsEnd)
	}
	var want strings.Builder
	app := model(t)
	for _, command := range app.Children {
		describe(&want, command, "")
	}
	if have == want.String() {
		return
	}
	if !*update {
		t.Fatalf("the commands in %s are not those of the program; run make generate", readmeFile)
	}
	if err := os.WriteFile(readmeFile, []byte(before+settingsBegin+want.String()+settingsEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// describe writes a command, its arguments and its flags; a command with
// subcommands is only these.
func describe(w *strings.Builder, n *kong.Node, path string) {
	name := strings.TrimSpace(path + " " + n.Name)
	if len(n.Children) > 0 {
		for _, child := range n.Children {
			describe(w, child, name)
		}
		return
	}
	usage := name
	for _, a := range n.Positional {
		word := strings.ToUpper(a.Name)
		if a.IsCumulative() {
			word += " ..."
		}
		usage += " " + word
	}
	fmt.Fprintf(w, "\n### `wavekeeper %s`\n\n%s\n", usage, n.Help)
	for _, a := range n.Positional {
		if a.Help != "" {
			fmt.Fprintf(w, "\n`%s`: %s\n", strings.ToUpper(a.Name), cell(a.Help))
		}
	}
	rows := 0
	for _, f := range n.Flags {
		if f.Hidden || f.Name == "help" {
			continue
		}
		if rows++; rows == 1 {
			w.WriteString("\n| flag | environment | default | what it says |\n|---|---|---|---|\n")
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", flagWords(f), environment(f), standard(f), cell(f.Help))
	}
}

func flagWords(f *kong.Flag) string {
	if f.IsBool() {
		return "--" + f.Name
	}
	value := f.PlaceHolder
	switch {
	case value != "":
	case f.Enum != "":
		value = strings.ReplaceAll(f.Enum, ",", "\\|")
	case f.Target.CanInt(), f.Target.CanFloat():
		value = "N"
	default:
		value = "TEXT"
	}
	return "--" + f.Name + " " + value
}

func environment(f *kong.Flag) string {
	var names []string
	for _, name := range f.Envs {
		names = append(names, "`"+name+"`")
	}
	return strings.Join(names, ", ")
}

// standard is what holds when the flag is not given.
func standard(f *kong.Flag) string {
	switch {
	case f.HasDefault && f.Default != "":
		return "`" + f.Default + "`"
	case f.Required:
		return "required"
	case f.IsBool():
		return "no"
	default:
		return ""
	}
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// TestEveryFlagIsASetting holds that help, environment and file know every flag.
func TestEveryFlagIsASetting(t *testing.T) {
	t.Parallel()
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			if f.Hidden || f.Name == "help" {
				continue
			}
			if f.Help == "" || len(f.Envs) == 0 {
				t.Errorf("%s --%s: help %q, environment %v", n.Name, f.Name, f.Help, f.Envs)
			}
			if name := strings.ToLower(f.Name); strings.HasSuffix(name, "password") || strings.HasSuffix(name, "secret") {
				t.Errorf("%s --%s: a secret does not belong on the command line", n.Name, f.Name)
			}
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(model(t).Node)
}

// TestReadmeExamples holds that commands named in the README's text exist with
// the flags named there.
func TestReadmeExamples(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	app := model(t)
	spans := regexp.MustCompile("`(?:wavekeeper )?((?:"+strings.Join(commandNames(app), "|")+")(?: [^`]+)?)`").FindAllStringSubmatch(string(raw), -1)
	if len(spans) < 10 {
		t.Fatalf("%d examples found", len(spans))
	}
	for _, span := range spans {
		n, words := app.Node, strings.Fields(span[1])
		for len(words) > 0 && subcommand(n, words[0]) != nil {
			n, words = subcommand(n, words[0]), words[1:]
		}
		for _, w := range words {
			name, isFlag := strings.CutPrefix(w, "--")
			if isFlag && !slices.ContainsFunc(n.Flags, func(f *kong.Flag) bool { return f.Name == name }) {
				t.Errorf("`%s`: %s has no flag --%s", span[0], n.Name, name)
			}
		}
		if len(words) > 0 && len(n.Children) > 0 && !strings.Contains(words[0], "|") {
			t.Errorf("`%s`: %s has no command %s", span[0], n.Name, words[0])
		}
	}
}

func commandNames(app *kong.Application) []string {
	var names []string
	for _, n := range app.Children {
		names = append(names, n.Name)
	}
	return names
}

func subcommand(n *kong.Node, name string) *kong.Node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func TestSettingsFile(t *testing.T) {
	t.Parallel()
	fleet := inventory(t, "server,roles\nA,CAS\n")
	for _, test := range []struct {
		name, file string
		args       []string
		status     int
		want       string // in stdout or stderr
	}{
		{"bare keys", "inventory: FLEET\npackage: sp1\njson: true\n", nil, 0, `{"package":"sp1"`},
		{"with the command in front", "plan.inventory: FLEET\nplan.package: sp1\nserve.package-x: 1\n", nil, 2, `unknown key "serve.package-x"`},
		{"nested below the command", "plan:\n  inventory: FLEET\n  package: sp2\njson: true\n", nil, 0, `{"package":"sp2"`},
		{"the command's own key wins", "package: sp1\nplan.package: sp3\ninventory: FLEET\njson: true\n", nil, 0, `{"package":"sp3"`},
		{"the command line wins", "package: sp1\ninventory: FLEET\njson: true\n", []string{"--package", "sp2"}, 0, `{"package":"sp2"`},
		{"underscores", "dry_run: true\nuser.add.display_name: x\ninventory: FLEET\npackage: sp1\n", nil, 0, "Plan for sp1"},
		{"unknown key", "inventori: FLEET\n", nil, 2, `settings file: unknown key "inventori", the nearest known one is "inventory"`},
		{"no mapping", "- inventory\n", nil, 2, "read settings file"},
		{"empty", "", []string{"--package", "sp1"}, 2, "missing flags: --inventory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := file(t, strings.ReplaceAll(test.file, "FLEET", fleet))
			status, out, problems := run(t, "", append([]string{"plan", "--config", path}, test.args...)...)
			if status != test.status || !strings.Contains(out+problems, test.want) {
				t.Errorf("status %d, %s%s, want %d and %q", status, out, problems, test.status, test.want)
			}
		})
	}
}

func TestEnvironmentWinsOverTheSettingsFile(t *testing.T) { // not parallel: it sets the environment
	fleet := inventory(t, "server,roles\nA,CAS\n")
	t.Setenv("WAVEKEEPER_CONFIG", file(t, "package: sp1\njson: true\n"))
	t.Setenv("WAVEKEEPER_INVENTORY", fleet)
	t.Setenv("WAVEKEEPER_PACKAGE", "sp2")
	if status, out, problems := run(t, "", "plan"); status != 0 || !strings.HasPrefix(out, `{"package":"sp2"`) {
		t.Errorf("status %d, %s%s", status, out, problems)
	}
	if status, out, problems := run(t, "", "plan", "--package", "sp3"); status != 0 || !strings.HasPrefix(out, `{"package":"sp3"`) {
		t.Errorf("status %d, %s%s", status, out, problems)
	}
}
