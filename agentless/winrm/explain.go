package winrm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// The steps of a first contact, in the order in which they are tried.
const (
	StepName       = "name"
	StepPort       = "port"
	StepTLS        = "tls"
	StepListener   = "listener"
	StepLogin      = "authentication"
	StepGeneration = "generation"
	StepRights     = "rights"
	StepShell      = "shell"
	StepClock      = "clock"
)

// How a step ended.
const (
	StepDone    = "ok"
	StepDoubt   = "warning" // it works, and somebody should look at it
	StepFailed  = "failed"
	StepSkipped = "not tried" // one before it failed
)

// Step is one thing that was tried at a first contact, in words.
type Step struct {
	Name   string `json:"step"`
	State  string `json:"state"`
	Words  string `json:"words"`  // what was tried, and what came of it
	Remedy string `json:"remedy"` // what to do when it failed or is doubtful
	Millis int64  `json:"ms"`
}

// clockLimit is how far a host's clock may be off: Kerberos allows no more.
const clockLimit = 5 * time.Minute

// Explain makes a first contact step by step and says what came of each; after
// one that failed, those that rest on it are not tried. Nothing is written on
// the host: a shell that ends at once is opened. The error is that of the step
// that failed, nil when none did.
func (c *Conn) Explain(ctx context.Context) ([]Step, error) {
	x := &explained{Conn: c}
	for _, s := range []struct {
		name string
		try  func(context.Context) (Step, error)
	}{
		{StepName, x.name},
		{StepPort, x.port},
		{StepTLS, x.secure},
		{StepListener, x.listener},
		{StepLogin, x.login},
		{StepGeneration, x.generation},
		{StepRights, x.rights},
		{StepShell, x.shell},
		{StepClock, x.clock},
	} {
		if x.stop {
			x.steps = append(x.steps, Step{Name: s.name, State: StepSkipped})
			continue
		}
		began := time.Now()
		step, err := s.try(ctx)
		step.Name, step.Millis = s.name, time.Since(began).Milliseconds()
		if err != nil {
			step.State, step.Words = StepFailed, err.Error()
			if x.failed == nil {
				x.failed = err
			}
			x.stop = x.stop || s.name != StepRights && s.name != StepShell
		} else if step.State == "" {
			step.State = StepDone
		}
		x.steps = append(x.steps, step)
	}
	return x.steps, x.failed
}

// explained is a first contact under way.
type explained struct {
	*Conn
	steps  []Step
	failed error
	stop   bool
	offers string    // ways to log on, as the host names them
	now    time.Time // the host's clock
	asked  time.Time // ours, in the middle of that question
}

func (x *explained) name(ctx context.Context) (Step, error) {
	if ip := net.ParseIP(x.cfg.Address); ip != nil {
		if x.cfg.Account.cfg.Auth == AuthKerberos && net.ParseIP(x.cfg.Host) != nil {
			return Step{Remedy: "Name the host by its full DNS name: a ticket is for a name."},
				&Refused{Reason: "Kerberos needs the host's full DNS name, not the address " + x.cfg.Host}
		}
		return Step{Words: fmt.Sprintf("%s is an address: no name had to be looked up", ip)}, nil
	}
	found, err := net.DefaultResolver.LookupIPAddr(ctx, x.cfg.Address)
	if err != nil {
		return Step{Remedy: "Correct the name, add it to DNS, or give the host's address."}, x.transport.unreached(ctx, err)
	}
	all := make([]string, len(found))
	for i, a := range found {
		all[i] = a.String()
	}
	return Step{Words: fmt.Sprintf("%s is %s", x.cfg.Address, strings.Join(all, ", "))}, nil
}

// port makes a TCP connection and closes it. Where none comes about the other
// ports of WinRM are tried, to say which of them would answer.
func (x *explained) port(ctx context.Context) (Step, error) {
	if err := x.knock(ctx, x.transport.address); err != nil {
		var rule *Refused
		if err = x.transport.unreached(ctx, err); errors.As(err, &rule) {
			return Step{Remedy: "Use https, or --auth ntlm or kerberos, which seal each message over http. --allow-plain lets the password travel unprotected."}, err
		}
		remedy := "On the host: winrm enumerate winrm/config/listener shows its listeners (winrm quickconfig makes one), sc query WinRM the service; let the firewalls on the host and between pass the port."
		if open := x.open(ctx); len(open) > 0 {
			remedy = fmt.Sprintf("Port %s of the host takes a connection: use that one (%s).", strings.Join(open, " and "), usualPorts)
		}
		return Step{Remedy: remedy}, err
	}
	return Step{Words: x.transport.address + " takes a TCP connection"}, nil
}

func (x *explained) knock(ctx context.Context, address string) error {
	limited, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := x.transport.dialer.DialContext(limited, "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// open lists which of WinRM's usual ports take a connection.
func (x *explained) open(ctx context.Context) []string {
	var open []string
	for _, port := range []int{5985, 5986, 80, 443} {
		if port != x.cfg.Port && x.knock(ctx, joinPort(x.cfg.Address, port)) == nil {
			open = append(open, fmt.Sprint(port))
		}
	}
	return open
}

func (x *explained) secure(ctx context.Context) (Step, error) {
	if x.cfg.TLS == nil {
		words := "http; the password and each message can be read on the way"
		if !x.cfg.plain() {
			words = "http; each message is sealed once the login is done, never sent otherwise"
		}
		return Step{Words: words}, nil
	}
	l, _, err := x.transport.dial(ctx)
	if err != nil {
		return Step{Remedy: x.trustRemedy(err)}, err
	}
	defer l.close()
	secure, ok := l.net.(*tls.Conn)
	if !ok {
		return Step{}, fmt.Errorf("%w: no TLS", ErrUnreachable)
	}
	s := secure.ConnectionState()
	step := Step{Words: fmt.Sprintf("%s, %s", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite))}
	if len(s.PeerCertificates) > 0 {
		leaf := s.PeerCertificates[0]
		step.Words += fmt.Sprintf("; certificate %s, valid until %s, SHA-256 %s, is trusted by %s", subject(leaf), leaf.NotAfter.UTC().Format(time.DateOnly),
			Fingerprint(pinOf(leaf)), map[bool]string{true: "its pin", false: "its authority"}[len(x.cfg.TLS.Pins) > 0])
		if left := time.Until(leaf.NotAfter); left < 30*24*time.Hour {
			step.State, step.Remedy = StepDoubt, fmt.Sprintf("The certificate ends in %d days: renew it.", int(left.Hours()/24))
		}
	}
	return step, nil
}

// compare is how a certificate is compared; the SHA-1 helps where Windows shows
// nothing else.
const compare = "Compare the SHA-256 on the host itself, " + CompareOnHost + ". Windows Server 2003 and 2008 show the thumbprint (SHA-1) and the serial number only (certutil -store my): with these one finds the certificate there, they are never trusted. If it is the host's: "

// trustRemedy says what to do where no TLS came about: for a certificate how it
// is compared and trusted.
func (x *explained) trustRemedy(err error) string {
	var (
		doubt   *Untrusted
		changed *PinChanged
	)
	switch {
	case errors.As(err, &doubt) && doubt.Got != Pin{}:
		return compare + x.cfg.TLS.trusting(doubt.Got)
	case errors.As(err, &changed):
		return "Ask who gave the host another certificate. " + compare + x.cfg.TLS.trusting(changed.Got)
	case strings.Contains(err.Error(), "(--tls10)"):
		return "Allow TLS 1.0 in the profile (--tls10), which Windows Server 2003 and 2008 need. When that changes nothing, the https listener may have lost its certificate: winrm enumerate winrm/config/listener on the host shows its CertificateThumbprint."
	case strings.Contains(err.Error(), "speaks no TLS"):
		return "Use http with --auth ntlm or kerberos, which seal each message, or the port of the https listener (" + usualPorts + ")."
	case errors.Is(err, ErrTimeout):
		return ""
	}
	return "On the host: winrm enumerate winrm/config/listener shows whether the https listener names a certificate (CertificateThumbprint) that is still there."
}

// listener asks whether it is WinRM that listens, without a login, and which
// ways to log on it offers.
func (x *explained) listener(ctx context.Context) (Step, error) {
	const wrong = "Another program answers on this port. On the host: winrm enumerate winrm/config/listener shows WinRM's ports."
	l, _, err := x.transport.dial(ctx)
	if err != nil {
		return Step{}, err
	}
	untie := l.until(ctx)
	answer, err := l.exchange("", soapType, []byte(identifyEnvelope))
	untie()
	l.close()
	if err != nil {
		return Step{Remedy: wrong}, x.transport.ended(ctx, err)
	}
	switch answer.status {
	case http.StatusUnauthorized:
		x.offers = offers(answer.header)
	case http.StatusNotFound:
		return Step{Remedy: wrong}, fmt.Errorf("%w: a web server answers, and has no /wsman: this is no listener of WinRM", ErrUnreachable)
	case http.StatusServiceUnavailable:
		return Step{Remedy: "Wait a minute, then look at the service: sc query WinRM; sc start WinRM."}, &Fault{HTTPStatus: answer.status, Reason: "WinRM is starting or stopped"}
	}
	id, err := x.IdentifyAnonymous(ctx)
	switch {
	case err == nil:
		return Step{Words: fmt.Sprintf("WinRM answers without a login (%s %s), and offers %s", id.Vendor, id.Version, x.offered())}, nil
	case answer.status == http.StatusUnauthorized:
		return Step{Words: "a login is asked for; offered: " + x.offered()}, nil
	}
	return Step{Remedy: wrong}, err
}

// nobody is what offers says of an answer that names no way to log on.
const nobody = "nothing"

func (x *explained) offered() string {
	if x.offers == "" {
		return nobody
	}
	return x.offers
}

// offeredFor is what stands in WWW-Authenticate for a way to log on, as this
// package does it: NTLM and Kerberos within Negotiate.
var offeredFor = map[Auth][]string{AuthBasic: {"basic"}, AuthNTLM: {"negotiate"}, AuthKerberos: {"negotiate"}}

// login shows the credential once, and only to a host that offers the way.
func (x *explained) login(ctx context.Context) (Step, error) {
	a := &x.cfg.Account.cfg
	words := offeredFor[a.Auth]
	fits := len(words) == 0 || x.offered() == nobody
	for _, w := range words {
		fits = fits || strings.Contains(strings.ToLower(x.offers), w)
	}
	if !fits {
		return Step{Remedy: x.switchRemedy(a.Auth)}, &Refused{Reason: fmt.Sprintf("the host does not offer %s, but %s; the password was not sent", a.Auth, x.offers)}
	}
	began := time.Now()
	if _, err := x.Identify(ctx); err != nil {
		remedy := loginRemedy(a.Auth)
		if !errors.Is(err, ErrDenied) && a.Auth != AuthKerberos {
			remedy = ""
		}
		return Step{Remedy: remedy}, err
	}
	return Step{Words: fmt.Sprintf("%s logs on with %s in %d ms", x.who(), a.Auth, time.Since(began).Milliseconds())}, nil
}

func (x *explained) who() string {
	if user := x.cfg.Account.cfg.User; user != "" {
		return user
	}
	return "the client certificate"
}

// switchRemedy says how a host comes to offer the way to log on, or which other
// way it offers already.
func (x *explained) switchRemedy(a Auth) string {
	const set = "On the host: winrm set winrm/config/service/auth "
	offers := strings.ToLower(x.offers)
	other := ""
	switch {
	case a == AuthBasic && strings.Contains(offers, "negotiate"):
		other = "Use --auth ntlm or --auth kerberos, which it offers. "
	case a != AuthBasic && strings.Contains(offers, "basic") && x.cfg.TLS != nil:
		other = "Use --auth basic, which it offers, with an account of the host itself. "
	}
	switch a {
	case AuthBasic:
		return other + set + `@{Basic="true"} lets accounts of the host itself in by Basic; over https only.`
	case AuthNTLM:
		return other + set + `@{Negotiate="true"}.`
	case AuthKerberos:
		return other + set + `@{Negotiate="true";Kerberos="true"}.`
	case AuthCertificate:
	}
	return loginRemedy(a)
}

// loginRemedy says what may be wrong with an account that the host refused,
// though it offers the way to log on.
func loginRemedy(a Auth) string {
	switch a {
	case AuthBasic:
		return `Look at the password and at the account's state (locked, expired, denied logon from the network). Basic is for accounts of the host itself; an account of a domain needs --auth ntlm or --auth kerberos.`
	case AuthNTLM:
		return `Look at the password; name the account as DOMAIN\user, or .\user for one of the host itself; look at its state (locked, expired, denied logon from the network). In a workgroup, Windows Server 2008 lets only the built-in Administrator in, unless LocalAccountTokenFilterPolicy is 1.`
	case AuthKerberos:
		return `The message says who refused. klist on the host, setspn -L HOST for its names; the clocks of this machine, the domain controller and the host may differ by 5 minutes at most.`
	case AuthCertificate:
		return `Map the certificate to an account of the host: winrm enumerate winrm/config/service/certmapping; @{Certificate="true"} must be on in winrm/config/service/auth. WinRM 2.0 and later.`
	}
	return ""
}
