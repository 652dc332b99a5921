package windows

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// contract is what the head of a script promises, read from its lines 2 to 5:
//
//	# in: its arguments after the nonce, in order; each with a word about it
//	# out: its records, each with a word about it; the last is error
//	# exit: its exit codes
//	# on: the versions of Windows
type contract struct{ in, out, exit, on []string }

// contractOf reads a contract; what a line lacks stays empty.
func contractOf(source string) (c contract) {
	lines := strings.Split(source, "\r\n")
	for i, part := range []struct {
		head string
		list *[]string
		by   string
	}{{"# in: ", &c.in, "; "}, {"# out: ", &c.out, "; "}, {"# exit: ", &c.exit, "; "}, {"# on: ", &c.on, ", "}} {
		text, ok := strings.CutPrefix(lines[i+1], part.head)
		if !ok {
			continue
		}
		for _, one := range strings.Split(text, part.by) {
			word, _, _ := strings.Cut(one, " ")
			if part.by == ", " {
				word = one
			}
			*part.list = append(*part.list, strings.TrimSuffix(word, ","))
		}
	}
	return c
}

// doneBy is what a script really takes, says and ends with, by its syntax tree.
func doneBy(nodes []psNode) (c contract) {
	c.exit = []string{"0"}
	for i, x := range nodes {
		switch {
		case x.kind == "script_parameter" && len(c.in) < parameters(nodes):
			name := x.text[strings.LastIndexByte(x.text, '$')+1:]
			c.in = append(c.in, name)
		case x.kind == "command" && strings.HasPrefix(x.text, "put '"):
			name, _, _ := strings.Cut(strings.TrimPrefix(x.text, "put '"), "'")
			c.out = append(c.out, name)
		case x.kind == "flow_control_statement" && strings.HasPrefix(x.text, "exit "):
			c.exit = append(c.exit, strings.TrimPrefix(x.text, "exit "))
		case x.kind == "generic_token" && x.text == "Schedule.Service":
			c.on = append(c.on, nodes[i].text)
		}
	}
	c.in = c.in[1:] // the nonce
	return c
}

// parameters counts those of the script's own function, which is the first.
func parameters(nodes []psNode) int {
	for i, x := range nodes {
		if x.kind != "parameter_list" {
			continue
		}
		n := 0
		for _, y := range nodes[i+1:] {
			if y.depth <= x.depth {
				break
			}
			if y.kind == "script_parameter" {
				n++
			}
		}
		return n
	}
	return 0
}

// TestEveryScriptKeepsItsContract compares the head of each script with what its
// text does, so that neither changes without the other.
func TestEveryScriptKeepsItsContract(t *testing.T) {
	t.Parallel()
	sorted := func(s []string) []string {
		s = slices.Clone(s)
		slices.Sort(s)
		return slices.Compact(s)
	}
	for _, name := range ScriptNames() {
		source, err := ScriptSource(name)
		if err != nil {
			t.Fatal(err)
		}
		c, done := contractOf(string(source)), doneBy(parsed(t, string(source)))
		if len(done.in) == 0 {
			done.in = []string{"nothing"}
		}
		if !slices.Equal(c.in, done.in) {
			t.Errorf("%s: its contract says in: %q, its function takes %q", name, c.in, done.in)
		}
		if got, want := sorted(c.out), sorted(done.out); !slices.Equal(got, want) {
			t.Errorf("%s: its contract says out: %q, it puts %q", name, got, want)
		}
		if len(c.out) == 0 || c.out[len(c.out)-1] != "error" {
			t.Errorf("%s: the last of its records is not error", name)
		}
		if got, want := sorted(c.exit), sorted(done.exit); !slices.Equal(got, want) {
			t.Errorf("%s: its contract says exit: %q, it ends with %q", name, got, want)
		}
		// Schedule.Service is there from Windows Server 2008 on; a script for both
		// schedulers is told by an argument.
		on := "2003, 2008, 2008 R2"
		if len(done.on) > 0 && !slices.Contains(done.in, "old") {
			on = "2008, 2008 R2"
		}
		if got := strings.Join(c.on, ", "); got != on {
			t.Errorf("%s: its contract says on: %q, want %q", name, got, on)
		}
	}
}

// TestEveryScriptHasItsLineInTheListOfWhatWasNeverRun: no script was run on
// Windows, so each has something there.
func TestEveryScriptHasItsLineInTheListOfWhatWasNeverRun(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("UNPROVEN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## Scripts")
	if !ok {
		t.Fatal("UNPROVEN.md has no chapter on scripts")
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	listed := map[string]bool{}
	for _, line := range strings.Split(rest, "\n") {
		if cells := strings.Split(line, "|"); len(cells) >= 4 {
			for _, name := range regexp.MustCompile(`[a-z]+(-[a-z]+)*`).FindAllString(cells[1], -1) {
				listed[name] = true
			}
		}
	}
	for _, name := range ScriptNames() {
		if !listed[name] {
			t.Errorf("script %s has no line in UNPROVEN.md, chapter Scripts", name)
		}
	}
}

// settles is how a line of UNPROVEN.md can be settled on a real host: the words
// that its table explains.
var settles = regexp.MustCompile(`^(explain: |exec: |probe|check|preflight|upgrade|by hand: |by hand |rare)`)

// TestEveryUnprovenLineSaysWhatSettlesIt, and names constants that there are.
func TestEveryUnprovenLineSaysWhatSettlesIt(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("UNPROVEN.md")
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]bool{}
	for _, c := range Constants() {
		constants[c.Name] = true
	}
	chapter, rows := "", 0
	for n, line := range strings.Split(string(text), "\n") {
		if c, ok := strings.CutPrefix(line, "## "); ok {
			chapter = c
		}
		if !strings.HasPrefix(line, "| ") || chapter == "" {
			continue
		}
		cells := strings.Split(strings.Trim(strings.ReplaceAll(line, `\|`, "\x00"), "|"), "|")
		if len(cells) != 4 {
			t.Errorf("line %d has %d cells, want 4: %.80s", n+1, len(cells), line)
			continue
		}
		how := strings.TrimSpace(cells[3])
		if how == "settled by" {
			continue
		}
		rows++
		if !settles.MatchString(how) {
			t.Errorf("line %d is settled by %q, which the table of words does not explain", n+1, how)
		}
		if names, ok := strings.CutPrefix(how, "explain: "); ok {
			names, _, _ = strings.Cut(names, ";")
			for _, name := range strings.Split(names, ", ") {
				if name = strings.Fields(name)[0]; !constants[name] {
					t.Errorf("line %d: there is no constant %s", n+1, name)
				}
			}
		}
	}
	if rows < 100 {
		t.Errorf("only %d lines were read", rows)
	}
}

func TestABrokenContractIsSeen(t *testing.T) {
	t.Parallel()
	source, err := ScriptSource("file-hash")
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"an argument more":    {"[string]$path)", "[string]$path, [string]$other)"},
		"a record more":       {"put 'length'", "put 'size'"},
		"an exit code more":   {"exit 1", "exit 3"},
		"no line about exits": {"# exit: ", "# "},
	} {
		text := strings.Replace(string(source), change[0], change[1], 1)
		c, done := contractOf(text), doneBy(parsed(t, text))
		same := slices.Equal(c.in, done.in) && slices.Contains(c.exit, done.exit[len(done.exit)-1])
		for _, name := range done.out {
			same = same && slices.Contains(c.out, name)
		}
		if text == string(source) || same {
			t.Errorf("%s: not seen", what)
		}
	}
}
