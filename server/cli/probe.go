package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sort"
	"strconv"
	"strings"

	"wavekeeper/agentless/windows"
)

// ProbeCmd asks each host for its facts, or explains a first contact with it.
type ProbeCmd struct {
	HostFlags
	DatabaseFlags
	Explain bool `help:"Say in words, step by step, what was tried and why it failed, with what to do; then test what the program takes for granted about Windows and Exchange. Both only read."`
	Store   bool `help:"With --explain: keep what came of it with the hosts of the inventory, for the console's pages. Needs the database."`
}

// probeLine is one host's facts.
type probeLine struct {
	Host    string                  `json:"host"`
	Port    int                     `json:"port"`
	Outcome string                  `json:"outcome"`
	Error   string                  `json:"error"`
	Fault   *uint32                 `json:"fault"`
	Facts   map[string]windows.Fact `json:"facts"` // never null
}

// Run is done with status 0 only if every host told its facts; with --explain
// only if no step failed at any host.
func (c *ProbeCmd) Run(g *Globals) error {
	if c.Explain {
		return c.explain(g)
	}
	if c.Store {
		fmt.Fprintln(g.Stderr, "wavekeeper: --store is for --explain")
		return Exit(2)
	}
	return c.eachHost(g, func(ctx context.Context, hosts *connector, t Target) hostResult {
		return probe(ctx, hosts, t)
	})
}

func probe(ctx context.Context, hosts *connector, t Target) *probeLine {
	line := &probeLine{Host: t.Host, Port: t.Port, Facts: map[string]windows.Fact{}}
	conn, err := hosts.connect(t)
	if err != nil {
		line.Outcome, line.Error, line.Fault = ending(err)
		return line
	}
	defer conn.Close()
	facts, err := windows.New(conn).Facts(ctx)
	for _, f := range facts {
		line.Facts[f.Name] = f
	}
	line.Outcome, line.Error, line.Fault = ending(err)
	return line
}

func (l *probeLine) ok() bool { return l.Error == "" }

// human is the host, then a fact a line.
func (l *probeLine) human() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", net.JoinHostPort(l.Host, strconv.Itoa(l.Port)), l.Outcome)
	if l.Error != "" {
		fmt.Fprintf(&b, "  %s\n", printable(l.Error))
	}
	names := make([]string, 0, len(l.Facts))
	for name := range l.Facts {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		value, err := json.Marshal(l.Facts[name].Value)
		if err != nil {
			value = []byte(err.Error())
		}
		fmt.Fprintf(&b, "  %s: %s\n", name, printable(string(value)))
	}
	return b.String()
}
