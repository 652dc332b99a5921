package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"wavekeeper/agentless/winrm"
)

// HostFlags are the flags of the commands that talk to hosts directly: exec
// and probe. They need no database.
type HostFlags struct {
	Host         []string `help:"Host; several with commas, or the flag repeated. NAME=ADDRESS dials an address, which DNS need not know, for a host whose certificate and Kerberos name are NAME. This or --hosts." placeholder:"[NAME=]HOST[:PORT]" xor:"target"`
	Hosts        string   `help:"File with one [NAME=]HOST[:PORT] a line; blank lines and lines that start with # are skipped. This or --host." placeholder:"FILE" type:"path" xor:"target"`
	User         string   `help:"WinRM account: user, DOMAIN\\user, user@domain, or .\\user for one of the host itself."`
	PasswordFile string   `help:"File that holds the account's password; one line end at its end is not part of it." placeholder:"FILE" type:"path"`
	HTTPS        bool     `name:"https" help:"Use https, always verified; the default port is then 5986, not 5985."`
	AccessFlags
	CA         string        `name:"ca" help:"PEM file with the authorities to trust for https instead of the system's." placeholder:"FILE" type:"path"`
	AllowPlain bool          `help:"Let the password and the commands travel unprotected to hosts outside 127.0.0.0/8."`
	Parallel   int           `help:"Hosts at the same time (${default})." default:"20" placeholder:"N"`
	Timeout    time.Duration `help:"Time for one host (${default})." default:"60s" placeholder:"DURATION"`
	JSON       bool          `name:"json" help:"One JSON object a line, as each host ends."`
}

// Target is one host of the command line.
type Target struct {
	Host    string // what the host is called: certificates and tickets are for it
	Address string // what is dialled, a name or a number; mostly the same
	Port    int
}

// ending puts how the calls to a host ended into a line's outcome, error and
// fault code.
func ending(err error) (outcome, words string, fault *uint32) {
	outcome = winrm.Outcome(err)
	if err == nil {
		return outcome, "", nil
	}
	if code, ok := winrm.FaultCode(err); ok {
		fault = &code
	}
	if words = err.Error(); errors.Is(err, context.Canceled) {
		words = strings.ReplaceAll(words, winrm.ErrTimeout.Error()+": "+context.Canceled.Error(), "broken off here before it ended (Ctrl-C or a signal)")
	}
	return outcome, words, fault
}

// hostResult is one host's line.
type hostResult interface {
	ok() bool      // counts as success for the exit status
	human() string // for people, ends with a line end
}

// connector makes the connections of one command.
type connector struct {
	flags   *HostFlags
	account *winrm.Account // one for all hosts: a password that one refuses does not go to the next
	tls     *winrm.TLS     // nil = http
}

// connect prepares a connection to a host; nothing is sent yet.
func (c *connector) connect(t Target) (*winrm.Conn, error) {
	cfg := winrm.Config{
		Address: t.Address, Host: t.Host, Port: t.Port, AllowPlain: c.flags.AllowPlain,
		Account: c.account, TLS: c.tls,
		// Only --timeout ends a request.
		OperationTimeout: c.flags.Timeout + 2*time.Second,
	}
	return winrm.New(cfg)
}

// eachHost visits every host, at most --parallel at once and each with its own
// --timeout, and prints each result as it comes. The error is Exit(0 or more).
func (f *HostFlags) eachHost(g *Globals, visit func(context.Context, *connector, Target) hostResult) error {
	targets, c, err := f.prepare()
	if err != nil {
		fmt.Fprintln(g.Stderr, "wavekeeper:", err)
		return Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // a reader that went away must not leave shells open on hosts

	var (
		results = make(chan hostResult)
		next    = make(chan Target)
		workers sync.WaitGroup
	)
	for range min(f.Parallel, len(targets)) {
		workers.Go(func() {
			for t := range next {
				limited, cancel := context.WithTimeout(ctx, f.Timeout)
				r := visit(limited, c, t)
				cancel()
				results <- r
			}
		})
	}
	go func() {
		for _, t := range targets {
			next <- t
		}
		close(next)
		workers.Wait()
		close(results)
	}()

	failed := false
	for r := range results {
		failed = failed || !r.ok()
		if writeErr := f.print(g.Stdout, r); writeErr != nil && err == nil {
			err = fmt.Errorf("write result: %w", writeErr)
			stop() // nobody reads any more; end what runs, in order
		}
	}
	switch {
	case err != nil:
		return err
	case failed:
		return Exit(1)
	default:
		return nil
	}
}

func (f *HostFlags) print(w io.Writer, r hostResult) error {
	if !f.JSON {
		_, err := io.WriteString(w, r.human())
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// prepare reads what the flags name. Its errors are wrong usage.
func (f *HostFlags) prepare() ([]Target, *connector, error) {
	switch {
	case f.Parallel < 1:
		return nil, nil, fmt.Errorf("--parallel %d: at least 1", f.Parallel)
	case f.Timeout <= 0:
		return nil, nil, fmt.Errorf("--timeout %s: more than 0", f.Timeout)
	}
	targets, err := f.targets()
	if err != nil {
		return nil, nil, err
	}
	c := &connector{flags: f}
	if c.tls, err = f.tls(f.HTTPS, f.CA); err != nil {
		return nil, nil, err
	}
	if c.account, err = f.account(f.User, f.PasswordFile); err != nil {
		return nil, nil, err
	}
	return targets, c, nil
}

// readPassword gives a file's content without one line end at its end and
// without the byte order mark that Windows' editors write.
func readPassword(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read --password-file: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(string(raw), "\uFEFF"), "\n"), "\r")
	if password == "" {
		return "", fmt.Errorf("--password-file %s: it is empty", path)
	}
	return password, nil
}

func (f *HostFlags) targets() ([]Target, error) {
	if f.Hosts == "" {
		return f.named()
	}
	file, err := os.Open(f.Hosts)
	if err != nil {
		return nil, fmt.Errorf("read --hosts: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	var (
		targets []Target
		seen    = map[Target]int{}
		lines   = bufio.NewScanner(file)
	)
	for number := 1; lines.Scan(); number++ {
		text := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\uFEFF"))
		if text == "" || text[0] == '#' {
			continue
		}
		t, err := f.target(text)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %q: %w", f.Hosts, number, text, err)
		}
		if first, twice := seen[t]; twice {
			return nil, fmt.Errorf("%s, line %d: %q is on line %d already", f.Hosts, number, text, first)
		}
		seen[t] = number
		targets = append(targets, t)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read --hosts: %w", err)
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("--hosts %s: no host in it", f.Hosts)
	}
	return targets, nil
}

// named are the hosts of --host.
func (f *HostFlags) named() ([]Target, error) {
	if len(f.Host) == 0 {
		return nil, errors.New("name the hosts with --host or --hosts")
	}
	var targets []Target
	for _, text := range f.Host {
		t, err := f.target(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("--host %q: %w", text, err)
		}
		if slices.Contains(targets, t) {
			return nil, fmt.Errorf("--host %q: it is named twice", text)
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// target reads host, host:port, [address]:port or a bare IPv6 address, and before
// it the name that the host goes by.
func (f *HostFlags) target(text string) (Target, error) {
	name, dialled, named := strings.Cut(text, "=")
	if !named {
		dialled = text
	}
	t := Target{Address: dialled, Port: 5985}
	if f.HTTPS {
		t.Port = 5986
	}
	if bare := strings.Trim(dialled, "[]"); net.ParseIP(bare) != nil {
		t.Address = bare
	} else if strings.Contains(dialled, ":") {
		host, port, err := net.SplitHostPort(dialled)
		if err != nil {
			return Target{}, errNoHost
		}
		number, err := strconv.Atoi(port)
		if err != nil || number < 1 || number > 65535 {
			return Target{}, fmt.Errorf("port %q is not between 1 and 65535", port)
		}
		t.Address, t.Port = host, number
	}
	if t.Host = t.Address; named {
		t.Host = name
	}
	if !hostlike(t.Host) || !hostlike(t.Address) || named && strings.Contains(name, ":") {
		return Target{}, errNoHost
	}
	return t, nil
}

var errNoHost = errors.New("it should be host, host:port or name=host:port")

// hostlike refuses what is no name and no number of a host.
func hostlike(text string) bool { return text != "" && !strings.ContainsAny(text, " \t/@\\,;=") }

// printable makes a host's text safe for a terminal: line ends of Unix, other
// control characters as U+FFFD.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return -1
		case r == '\n', r == '\t':
			return r
		case r < 0x20, r >= 0x7F && r < 0xA0:
			return '\uFFFD'
		default:
			return r
		}
	}, s)
}
