package windows

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"
)

// grammar is a node process that parses PowerShell for the tests, one line a
// request: tree-sitter-powershell, fetched by `make assets` into web/.
type grammar struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

// psNode is one node of the syntax tree, in the order of the text.
type psNode struct {
	kind                  string
	start, end            int // UTF-16 units
	depth, parent         int // parent is an index, -1 of the root
	named, wrong, missing bool
	text                  string // as it was sent, not as the parser saw it
}

// theGrammar is one process for all tests of the package: it costs 0.2 s to
// start. It ends when this process ends and with it its input.
var theGrammar = sync.OnceValues(startGrammar)

func startGrammar() (*grammar, error) {
	web, err := filepath.Abs("../../web")
	if err != nil {
		return nil, err
	}
	// What node reads is asked for here too, so that a cached result of these
	// tests is not used when it changed.
	for _, file := range []string{"testdata/parse.mjs", web + "/node_modules/tree-sitter-powershell/tree-sitter-powershell.wasm", web + "/node_modules/web-tree-sitter/web-tree-sitter.wasm"} {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("the grammar of PowerShell is not there (%w): run `make assets`, npm fetches it into web/node_modules", err)
		}
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("node is not there: tools/need.sh test installs it")
	}
	// --liftoff-only: else V8 compiles the grammar a second time, which takes
	// six seconds of a core and holds up the end of the process.
	g := &grammar{cmd: exec.Command(node, "--liftoff-only", "testdata/parse.mjs", web)}
	g.cmd.Stderr = os.Stderr
	if g.in, err = g.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	g.out = bufio.NewReaderSize(out, 1<<16)
	return g, g.cmd.Start()
}

// parsed is the syntax tree of a text.
func parsed(tb testing.TB, text string) []psNode {
	tb.Helper()
	g, err := theGrammar()
	if err != nil {
		tb.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	late := time.AfterFunc(30*time.Second, func() { _ = g.cmd.Process.Kill() })
	defer late.Stop()
	if _, err := io.WriteString(g.in, base64.StdEncoding.EncodeToString([]byte(text))+"\n"); err != nil {
		tb.Fatal("the parser of PowerShell: ", err)
	}
	line, err := g.out.ReadBytes('\n')
	if err != nil {
		tb.Fatal("the parser of PowerShell: ", err)
	}
	var answer struct {
		Types []string
		Nodes []int
	}
	if err := json.Unmarshal(line, &answer); err != nil || len(answer.Nodes)%5 != 0 || len(answer.Nodes) == 0 {
		tb.Fatalf("the parser of PowerShell said %.100q: %v", line, err)
	}
	units := utf16.Encode([]rune(text))
	nodes := make([]psNode, 0, len(answer.Nodes)/5)
	var path []int // the last node at each depth
	for n := answer.Nodes; len(n) > 0; n = n[5:] {
		x := psNode{
			kind: answer.Types[n[0]], start: n[1], end: n[2], depth: n[3], parent: -1,
			named: n[4]&1 != 0, wrong: n[4]&2 != 0, missing: n[4]&4 != 0,
			text: string(utf16.Decode(units[n[1]:n[2]])),
		}
		path = append(path[:x.depth], len(nodes))
		if x.depth > 0 {
			x.parent = path[x.depth-1]
		}
		nodes = append(nodes, x)
	}
	return nodes
}

// literal reads a single-quoted string as PowerShell's tokenizer does
// (ScanStringLiteral): any of the five quote signs ends it unless another of
// them follows, which then stands for itself. All of text must be one.
func literal(text string) (string, bool) {
	quote := func(r rune) bool { return r == '\'' || r >= 0x2018 && r <= 0x201B }
	runes := []rune(text)
	if len(runes) < 2 || !quote(runes[0]) {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(runes); i++ {
		if quote(runes[i]) {
			i++
			if i == len(runes) {
				return b.String(), true
			}
			if !quote(runes[i]) {
				return "", false // it ended before
			}
		}
		b.WriteRune(runes[i])
	}
	return "", false
}
