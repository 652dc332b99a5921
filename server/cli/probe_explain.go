package cli

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/store"
)

// explainLine is one host's first contact: each step in words, then the
// constants held against the host.
type explainLine struct {
	Host      string         `json:"host"`
	Port      int            `json:"port"`
	Outcome   string         `json:"outcome"`
	Error     string         `json:"error"`
	Fault     *uint32        `json:"fault"`
	Steps     []winrm.Step   `json:"steps"`
	Constants []constantLine `json:"constants"` // never null
	NotKept   string         `json:"not_kept"`  // why it is not in the database, with --store
	Kept      string         `json:"kept"`      // the host of the inventory with which it was kept, with --store
}

// constantLine is one constant held against the host.
type constantLine struct {
	Name     string `json:"name"`
	Standing string `json:"standing"`
	Expected string `json:"expected"`
	Found    string `json:"found"`
	Verdict  string `json:"verdict"`
}

// explain makes first contacts, and keeps them where that is asked for.
func (c *ProbeCmd) explain(g *Globals) error {
	var kept *store.Store
	if c.Store {
		var err error
		if kept, err = c.open(context.Background()); err != nil {
			return err
		}
		defer kept.Close()
	}
	return c.eachHost(g, func(ctx context.Context, hosts *connector, t Target) hostResult {
		line, found := explain(ctx, hosts, t)
		if kept != nil && found.Steps != nil {
			line.keep(ctx, kept, found)
		}
		return line
	})
}

// keep stores what came of it. Where that fails the line says so, and counts as
// one that failed.
func (l *explainLine) keep(ctx context.Context, s *store.Store, found store.Contact) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	host, err := s.HostAt(ctx, l.Host, l.Port)
	if err == nil {
		err = s.NoteContact(ctx, commandLine(), host, found)
	}
	if err != nil {
		l.NotKept = err.Error()
		return
	}
	l.Kept = host.Name
}

// explain makes a first contact. Constants are tested where all steps went well.
func explain(ctx context.Context, hosts *connector, t Target) (*explainLine, store.Contact) {
	line := &explainLine{Host: t.Host, Port: t.Port, Constants: []constantLine{}}
	conn, err := hosts.connect(t)
	if err != nil {
		line.Outcome, line.Error, line.Fault = ending(err)
		line.Steps = []winrm.Step{{Name: "rules", State: winrm.StepFailed, Words: err.Error(), Remedy: "Nothing was sent. Use https, or --auth ntlm or kerberos, which seal each message over http."}}
		return line, store.Contact{}
	}
	defer conn.Close()
	line.Steps, err = conn.Explain(ctx)
	line.Outcome, line.Error, line.Fault = ending(err)
	found := store.Contact{Outcome: line.Outcome, Error: line.Error, Steps: []store.ContactStep{}}
	for _, s := range line.Steps {
		found.Steps = append(found.Steps, store.ContactStep{Name: s.Name, State: s.State, Words: s.Words, Remedy: s.Remedy, Millis: s.Millis})
	}
	if err != nil {
		return line, found
	}
	host := windows.New(conn)
	checks, err := host.Constants(ctx)
	if os, err := host.OS(ctx); err == nil {
		found.Windows = os.Name()
	}
	line.Outcome, line.Error, line.Fault = ending(err)
	standing := map[string]windows.Standing{}
	for _, c := range windows.Constants() {
		standing[c.Name] = c.Standing
	}
	for _, c := range checks {
		line.Constants = append(line.Constants, constantLine{
			Name: c.Name, Standing: string(standing[c.Name]), Expected: c.Expected, Found: c.Found, Verdict: string(c.Verdict),
		})
		found.Checks = append(found.Checks, store.ConstantCheck{Name: c.Name, Expected: c.Expected, Found: c.Found, Verdict: string(c.Verdict)})
	}
	found.Outcome, found.Error = line.Outcome, line.Error
	return line, found
}

func (l *explainLine) ok() bool { return l.Error == "" && l.NotKept == "" }

// human is the host, a step a line with what to do below it, then what the host
// says differently.
func (l *explainLine) human() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", net.JoinHostPort(l.Host, strconv.Itoa(l.Port)), l.Outcome)
	for i, s := range l.Steps {
		fmt.Fprintf(&b, "  %d. %-14s %-9s %s\n", i+1, s.Name, s.State, printable(s.Words))
		if s.Remedy != "" {
			fmt.Fprintf(&b, "     %s\n", printable(s.Remedy))
		}
	}
	if l.Error != "" && !l.stepFailed() {
		fmt.Fprintf(&b, "  %s\n", printable(l.Error))
	}
	if l.NotKept != "" {
		fmt.Fprintf(&b, "  not kept: %s\n", l.NotKept)
	}
	if l.Kept != "" {
		fmt.Fprintf(&b, "  kept with the host %s of the inventory, see its server's page\n", l.Kept)
	}
	counts := map[string]int{}
	for _, c := range l.Constants {
		counts[c.Verdict]++
	}
	if len(l.Constants) == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "  constants: %d hold, %d differ, %d are not for this host, %d could not be asked\n",
		counts[string(windows.Holds)], counts[string(windows.Differs)], counts[string(windows.Moot)], counts[string(windows.Unasked)])
	for _, c := range l.Constants {
		if c.Verdict == string(windows.Differs) || c.Verdict == string(windows.Unasked) {
			fmt.Fprintf(&b, "     %s %s (%s): expected %s, found %s\n", c.Name, c.Verdict, c.Standing, printable(c.Expected), printable(c.Found))
		}
	}
	return b.String()
}

func (l *explainLine) stepFailed() bool {
	for _, s := range l.Steps {
		if s.State == winrm.StepFailed {
			return true
		}
	}
	return false
}
