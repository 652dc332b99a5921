package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
)

// ExecCmd runs one raw command on each host.
type ExecCmd struct {
	HostFlags
	Localized bool     `help:"Before Windows 6.1: ask for the output in the host's own code page, so that no letter of its language is lost. One request more." env:"WAVEKEEPER_LOCALIZED"`
	Command   []string `arg:"" name:"command" help:"The command, after --. Its words are joined by one blank and sent as they are."`
}

// execLine is one host's result, its keys in the documented order.
type execLine struct {
	Host         string  `json:"host"`
	Port         int     `json:"port"`
	Outcome      string  `json:"outcome"`
	Exit         *int    `json:"exit"`
	Stdout       string  `json:"stdout"`
	StdoutBase64 string  `json:"stdout_base64"` // only when the bytes are not valid in the code page
	Stderr       string  `json:"stderr"`
	Error        string  `json:"error"`
	Fault        *uint32 `json:"fault"`
	Millis       int64   `json:"ms"`
}

// Run is done with status 0 only if the command ended with 0 on every host.
func (c *ExecCmd) Run(g *Globals) error {
	line := strings.Join(c.Command, " ")
	return c.eachHost(g, func(ctx context.Context, hosts *connector, t Target) hostResult {
		began := time.Now()
		r := execOn(ctx, hosts, t, line, c.Localized)
		r.Millis = time.Since(began).Milliseconds()
		return r
	})
}

// execOn runs the command on one host.
func execOn(ctx context.Context, hosts *connector, t Target, command string, localized bool) *execLine {
	line := &execLine{Host: t.Host, Port: t.Port}
	conn, err := hosts.connect(t)
	if err != nil {
		line.end(err)
		return line
	}
	defer conn.Close()
	host := windows.New(conn)
	run := host.Run
	if localized {
		run = host.RunReadable
	}
	result, err := run(ctx, command)
	line.end(err)
	line.Stdout, line.Stderr = result.Text()
	if !result.Valid() {
		line.StdoutBase64 = base64.StdEncoding.EncodeToString(result.Stdout)
	}
	if err == nil {
		line.Exit = &result.Exit
	}
	return line
}

// end says how the calls to the host ended.
func (l *execLine) end(err error) { l.Outcome, l.Error, l.Fault = ending(err) }

func (l *execLine) ok() bool { return l.Outcome == winrm.OutcomeDone && l.Exit != nil && *l.Exit == 0 }

func (l *execLine) human() string {
	var b strings.Builder
	fmt.Fprintf(&b, "== %s: %s", net.JoinHostPort(l.Host, strconv.Itoa(l.Port)), l.Outcome)
	if l.Exit != nil {
		fmt.Fprintf(&b, ", exit %d", *l.Exit)
	}
	fmt.Fprintf(&b, ", %d ms\n", l.Millis)
	if l.Error != "" {
		fmt.Fprintln(&b, printable(l.Error))
	}
	for _, text := range []string{l.Stdout, l.Stderr} {
		if text = strings.TrimRight(printable(text), "\n"); text != "" {
			fmt.Fprintln(&b, text)
		}
	}
	return b.String()
}
