package windows

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// the longest that each argument can be: a task's name by its pattern, a path
// by MAX_PATH, all of it quote signs, which are doubled.
var (
	longestName   = "wk-" + strings.Repeat("x", 32) + "-u" + strings.Repeat("9", 18) + "-" + strings.Repeat("x", 40) + "-a" + strings.Repeat("9", 9)
	longestFolder = TaskFolder(longestName)
	longestPath   = `C:\` + strings.Repeat("'", 256)
	longestUser   = strings.Repeat("'", 15) + `\` + strings.Repeat("'", 64)
)

// longestTask has as many files as any task of the product.
func longestTask() Task {
	return Task{Name: longestName, Body: []byte("b"), Files: map[string][]byte{"media-unpack.ps1": nil, "media-check.ps1": nil, "manifest.txt": nil}}
}

// longestCalls are the calls of the product, each with its longest arguments.
func longestCalls(t *testing.T) map[string][]string {
	xml, err := taskXML(Task{Name: longestName, Account: longestUser, Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		"canary":              {strings.Repeat("'", 200), "60000"},
		"cluster-act":         {"move-group", strings.Repeat("'", 80), strings.Repeat("n", 15), strings.Repeat("'", 200)},
		"cluster-look":        {strings.Repeat("'", 15*8), "1"},
		"exchange-act":        {"set-log-level", strings.Repeat("n", 15), strings.Repeat("'", 200), "Medium"},
		"exchange-look":       {strings.Repeat("n", 16*8), strings.Join(exchangeParts, ",")},
		"file-hash":           {longestPath},
		"file-read":           {longestPath, "-9223372036854775808", strconv.Itoa(maxRead)},
		"file-write":          {longestPath, "2147483647", strings.Repeat("A", 4*((writeChunk+2)/3)), "1"},
		"firewall-start":      {"SharedAccess", longestFolder, "180"},
		"folder-list":         {longestPath},
		"folder-make":         {longestPath},
		"media-check":         {longestPath, strings.Repeat("f", 64), longestPath, longestFolder + `\right`},
		"media-pull":          {longestPath, strings.Repeat("f", 64), strings.Repeat("f", 64), "2147483647", longestPath, "9223372036854775807", "360", longestFolder},
		"media-unpack":        {longestPath, strings.Repeat("f", 64), "2147483647", longestPath, strings.Repeat("f", 64), longestPath, "9223372036854775807"},
		"organization-export": {longestFolder + `\templates.ldf`, "2147483647"},
		"organization-look":   {"replication", "2147483647", "2147483647"},
		"program-list":        {},
		"service-list":        {strings.Repeat("'", 256)}, // the service control manager's limit
		"state-keep":          {longestPath, longestFolder, strings.Repeat("'", 1000), "2147483647"},
		"system-look":         {},
		"task-check":          {longestFolder, longestTask().wanted()},
		"task-delete":         {longestName},
		"task-list":           {longestName},
		"task-look":           {longestFolder, longestName, "1"},
		"task-register":       {longestName, xml, longestUser},
		"task-run":            {longestName, longestFolder + `\go`},
	}
}

// texts that are sent: every script with its call line, and what a task's body
// runs.
func sentTexts(t *testing.T) map[string]string {
	out := map[string]string{}
	for name, args := range longestCalls(t) {
		text, err := call(name, newNonce(), args...)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = text
	}
	text, err := callWithInput("task-register", newNonce(), longestCalls(t)["task-register"]...)
	if err != nil {
		t.Fatal(err)
	}
	out["task-register with input"] = text
	body, err := ScriptBody(longestFolder, "canary")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(body), `-Command "`)
	line, _, _ = strings.Cut(line, `"`)
	out["body"] = line
	return out
}

func TestEveryTextThatIsSentIsPowerShell1(t *testing.T) {
	t.Parallel()
	sent := sentTexts(t)
	for _, name := range ScriptNames() {
		if sent[name] == "" {
			t.Errorf("%s: no call of it is tested", name)
		}
	}
	for name, text := range sent {
		allowed := []string(nil)
		if strings.HasSuffix(name, " with input") {
			allowed = []string{"|"}
		}
		for _, what := range notPowerShell1(text, parsed(t, text), allowed...) {
			t.Errorf("%s: %s", name, what)
		}
	}
}

// TestCallsHoldTheirArguments: the last statement is the call, with exactly the
// arguments as literals.
func TestCallsHoldTheirArguments(t *testing.T) {
	t.Parallel()
	for name, args := range longestCalls(t) {
		nonce := newNonce()
		text, err := call(name, nonce, args...)
		if err != nil {
			t.Fatal(err)
		}
		source, err := ScriptSource(name)
		if err != nil {
			t.Fatal(err)
		}
		got := callOf(t, parsed(t, text), len(source))
		if want := append([]string{"wk_" + strings.ReplaceAll(name, "-", "_"), nonce}, args...); !slices.Equal(got, want) {
			t.Errorf("%s: the call is %.200q", name, got)
		}
	}
}

// callOf reads the call that begins at an offset and is the last in a text: its
// name and the values of its arguments. Anything else there is an error.
func callOf(t testing.TB, nodes []psNode, from int) []string {
	t.Helper()
	var out []string
	for _, x := range nodes {
		if x.end <= from || x.start < from {
			if x.wrong || x.missing {
				t.Fatalf("does not parse: %.80q", x.text)
			}
			continue
		}
		switch x.kind {
		case "command_name":
			if len(out) != 0 {
				t.Fatalf("a second command: %q", x.text)
			}
			out = append(out, x.text)
		case "verbatim_string_characters":
			value, ok := literal(x.text)
			if !ok {
				t.Fatalf("%.80q is not one literal to PowerShell", x.text)
			}
			out = append(out, value)
		case "program", "statement_list", "pipeline", "pipeline_chain", "command", "command_elements", "command_argument_sep", "array_literal_expression", "unary_expression", "string_literal", " ":
		default:
			t.Fatalf("%s in a call: %.80q", x.kind, x.text)
		}
	}
	return out
}

// holdsExactly fails unless the quoted s is one literal of that value: to the
// grammar, which sees where the statement's parts begin and end, and to the
// rules of PowerShell's tokenizer.
func holdsExactly(t testing.TB, s string) {
	t.Helper()
	quoted, err := Quote(s)
	if err != nil {
		if utf8.ValidString(s) && !strings.Contains(s, "\x00") {
			t.Fatalf("Quote(%.80q) was refused: %v", s, err)
		}
		return
	}
	if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
		t.Fatalf("Quote(%.80q) was not refused", s)
	}
	const head = "wk_a 'nonce' "
	got := callOf(t, parsed(t, head+quoted+" 'end'"), 0)
	if !slices.Equal(got, []string{"wk_a", "nonce", s, "end"}) {
		t.Fatalf("Quote(%.80q) is to PowerShell %.200q", s, got)
	}
}

// bad is what strings are made of that could get out of a literal.
var bad = []string{
	"'", "''", "'''", `"`, "`", "``", "$", "$(", "$x", "${", "@'", "'@", "@\"", "\"@", "#", "<#", "#>", "\r\n", "\n", "\r", "\t", " ", ";", "|", "&", "(", ")", "{", "}", "\\", "%", "--%",
	"\u2018", "\u2019", "\u201a", "\u201b", "\u201c", "\u201d", "\u201e", "\u2013", "\u2014", "\u2015",
	"\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069", "\u061c", "\u00a0", "\u0085", "\u2028", "\u2029", "\ufeff", "\u200b", "\u2060",
	"\x01", "\x1a", "\x1b", "\x7f", "\uffff", "\ufffd", "\U0001f600", "a", "é", "日", "ש",
}

func TestQuotedStringsAreOneLiteral(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, s := range bad {
		holdsExactly(t, s)
		holdsExactly(t, strings.Repeat(s, 8<<10/len(s)))
	}
	for range 3000 {
		var b strings.Builder
		for want := 1 + random.IntN(40); want > 0; want-- {
			b.WriteString(bad[random.IntN(len(bad))])
		}
		holdsExactly(t, b.String())
	}
	for range 30 {
		var b strings.Builder
		for b.Len() < 8<<10 {
			b.WriteString(bad[random.IntN(len(bad))])
		}
		holdsExactly(t, b.String())
	}
	for _, s := range []string{"a\x00b", "\x00", "\xff", "\xed\xa0\x80"} {
		if got, err := Quote(s); err == nil {
			t.Errorf("Quote(%q) = %s, want an error", s, got)
		}
	}
}

func FuzzQuote(f *testing.F) {
	for _, s := range bad {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { holdsExactly(t, s) })
}

// TestBadQuotingIsSeen breaks the quoting on purpose: each must be seen.
func TestBadQuotingIsSeen(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ s, quoted string }{
		"nothing doubled":                   {"it's", "'it's'"},
		"typographic quote not doubled":     {"a\u2019; calc; \u2018b", "'a\u2019; calc; \u2018b'"},
		"one typographic quote not doubled": {"a\u201bb", "'a\u201bb'"},
		"doubled by another sign":           {"a\u2019b", "'a'\u2019b'"},
		"double quotes":                     {"$x", `"$x"`},
		"backtick":                          {"it's", "'it`'s'"},
		"open at the end":                   {"a", "'a"},
		"something left":                    {"a", "'a' b"},
	} {
		ok := func() (ok bool) {
			probe := &recorder{TB: t}
			defer func() { _ = recover(); ok = ok && !probe.failed }()
			got := callOf(probe, parsed(t, "wk_a 'nonce' "+c.quoted+" 'end'"), 0)
			return slices.Equal(got, []string{"wk_a", "nonce", c.s, "end"})
		}()
		// "doubled by another sign" is right to PowerShell: the second counts.
		if want := what == "doubled by another sign"; ok != want {
			t.Errorf("%s: %s taken for right: %v", what, c.quoted, ok)
		}
	}
}

type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Fatalf(string, ...any) { r.failed = true; panic(r) }

// The lengths that Windows takes: a command line of CreateProcess; one of cmd.exe
// (KB830473), less "cmd.exe /c " around what a shell gives it; what /tr of
// schtasks.exe takes on Windows Server 2003.
const (
	createProcess = 32767
	cmdLine       = 8191
	taskRun       = 262
)

// TestNothingIsLongerThanWindowsTakes lists what each call costs as
// -EncodedCommand, and the longest lines of what cmd.exe and schtasks.exe get.
func TestNothingIsLongerThanWindowsTakes(t *testing.T) {
	t.Parallel()
	sent := sentTexts(t)
	names := make([]string, 0, len(sent))
	for name := range sent {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text := sent[name]
		if name == "body" {
			continue
		}
		arguments, err := encoded(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		line := len(powershell + " " + strings.Join(arguments, " "))
		units := len(utf16.Encode([]rune(text)))
		script := strings.LastIndexByte(text, '\n') + 1
		t.Logf("| %s | %d | %d | %d | %d | %d |", name, script, units, line, createProcess-line, shellScript-units)
		if createProcess-line < 1000 {
			t.Errorf("%s: only %d characters left", name, createProcess-line)
		}
	}
	body, err := ScriptBody(longestFolder, "canary")
	if err != nil {
		t.Fatal(err)
	}
	setup, err := CheckedSetupBody(longestFolder, `C:\Wavekeeper\media\`+strings.Repeat("x", 200)+`\setup.com`, "/mode:Upgrade", strings.Repeat("f", 64))
	if err != nil {
		t.Fatal(err)
	}
	repair, err := RepairBody(longestFolder, longestFolder)
	if err != nil {
		t.Fatal(err)
	}
	longest := 0
	for _, line := range strings.Split(string(body)+string(setup)+string(repair), "\r\n") {
		longest = max(longest, len(line))
	}
	if longest+260 > cmdLine { // %SystemRoot%, %KEY% and %OLD% become longer
		t.Errorf("a line of a body has %d characters", longest)
	}
	args, err := createArguments(Task{Name: longestName, Account: longestUser, Password: strings.Repeat("p", longestPassword)})
	if err != nil {
		t.Fatal(err)
	}
	if run := args[slices.Index(args, "/tr")+1]; len(run) > taskRun {
		t.Errorf("/tr has %d characters", len(run))
	}
	if line := len("schtasks.exe " + strings.Join(args, " ")); line > createProcess {
		t.Errorf("schtasks.exe gets %d characters", line)
	}
	t.Logf("longest line of a body: %d of %d", longest, cmdLine)
}

// TestNothingIsListedThatNobodyUses keeps the lists to what was looked up for a
// script that exists.
func TestNothingIsListedThatNobodyUses(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, text := range sentTexts(t) {
		for _, x := range parsed(t, text) {
			used[x.kind] = true
			switch x.kind {
			case "member_name", "generic_token", "command_name", "command_parameter", "variable":
				used[x.text] = true
			case "type_literal":
				used[strings.Trim(x.text, "[]")] = true
			}
		}
	}
	check := func(list, entry string) {
		if !used[entry] {
			t.Errorf("%s: %q is in no script", list, entry)
		}
	}
	for name, list := range map[string]map[string]bool{"psNodes": psNodes, "psTokens": psTokens, "psAutomatic": psAutomatic, "netNew": netNew, "comNew": comNew, "netMembers": netMembers} {
		for entry := range list {
			check(name, entry)
		}
	}
	for kind, members := range netStatic {
		check("netStatic", kind)
		for member := range words(members) {
			check("netStatic", member)
		}
	}
	for cmdlet, parameters := range psCmdlets {
		check("psCmdlets", cmdlet)
		for _, p := range parameters {
			check("psCmdlets", p)
		}
	}
}
