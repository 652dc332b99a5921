package jobs

import (
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"time"

	"wavekeeper/agentless/runbook"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// triedPause is how long a host waits while a credential is tried at another.
const triedPause = 2 * time.Second

// barred is why nothing is sent to a host although it may answer: its
// certificate is not confirmed, or the credential was refused. A person ends it,
// or, when it is brief, another coordinator does in a moment.
type barred struct {
	outcome string // of a probe
	message string
	remedy  string
	brief   bool
}

// Error says why.
func (b *barred) Error() string { return strings.TrimRight(b.message+" "+b.remedy, " ") }

// out is the outcome of a tick: the time until it is over counts for no limit,
// and what runs on the host is neither judged nor touched.
func (b *barred) out(state rollout.State) *runbook.Outcome {
	out := runbook.Outcome{
		Kind: runbook.OutOfSight, After: refusedPause, Barred: true, Unheard: true, Message: b.message, Remedy: b.remedy,
	}
	if b.brief {
		out.After = triedPause
		if state != rollout.OutOfSight {
			out.Kind = runbook.Again
		}
	}
	return &out
}

// refusedBy is a credential that is not sent to the host any more.
func refusedBy(r store.Refusal, profile, host string) *barred {
	since, why := r.At.UTC().Format("2006-01-02 15:04"), strings.TrimRight(r.Reason, ". ")
	message := fmt.Sprintf("Nothing is sent to %s: the credential of %s (profile %s) is held back from every host that has not taken it, since %s UTC: %s", host, r.Account, profile, since, why)
	switch {
	case r.Host != "":
		message = fmt.Sprintf("Nothing is sent to %s: %s refused the credential of %s (profile %s) on %s UTC: %s", host, r.Host, r.Account, profile, since, why)
	case r.ForAll:
		message = fmt.Sprintf("Nothing is sent to %s: the credential of %s (profile %s) is held back from every host, since %s UTC: %s", host, r.Account, profile, since, why)
	}
	return &barred{
		outcome: winrm.OutcomeDenied, message: message,
		remedy: fmt.Sprintf("An admin sets the right secret (wavekeeper credential rotate --profile %s --purpose winrm), or, when the cause was another and is cured, has it tried again (wavekeeper credential retry). Then this goes on by itself; nothing that runs on the host is touched meanwhile.", profile),
	}
}

// triedAt is a new secret that is tried at another host first.
func triedAt(account, host string) *barred {
	return &barred{
		outcome: winrm.OutcomeTimeout, brief: true,
		message: fmt.Sprintf("Waits: the new secret of %s is tried at %s first, so that a wrong one is sent once", account, host),
	}
}

// shown is the certificate that a host showed and that it may not show, for as
// long as the connection's way lasts.
type shown struct {
	allowed map[winrm.Pin]bool

	mu   sync.Mutex
	leaf *x509.Certificate
	pin  winrm.Pin
	new  bool // it showed pin, which it may, since again was asked last
}

// see is winrm.TLS.Seen: it hears of every certificate before anything is sent.
func (s *shown) see(pin winrm.Pin, leaf *x509.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaf = leaf; s.allowed[pin] {
		s.leaf = nil
	}
	s.pin, s.new = pin, s.allowed[pin]
}

// again is the certificate of a handshake since the last call, when the host may
// show it.
func (s *shown) again() (winrm.Pin, bool) {
	if s == nil {
		return winrm.Pin{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.new
	s.new = false
	return s.pin, was
}

// wrong is what the host showed last when it may not be trusted, else nil.
func (s *shown) wrong() (winrm.Pin, *x509.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pin, s.leaf
}

// untrusted is a host that shows a certificate which nobody confirmed.
func untrusted(p store.Pin, profile store.Profile, host string) *barred {
	b := &barred{outcome: winrm.OutcomeUntrusted}
	valid := ""
	if !p.NotAfter.IsZero() {
		valid = fmt.Sprintf(", valid from %s to %s", p.NotBefore.UTC().Format(time.DateOnly), p.NotAfter.UTC().Format(time.DateOnly))
	}
	sum := fingerprint(p.SHA256)
	const after = " Then this goes on by itself; nothing but the TLS handshake is sent meanwhile."
	switch {
	case p.State == store.PinRejected:
		b.message = fmt.Sprintf("Nothing is sent to %s: it shows a certificate that %s rejected (SHA-256 %s): %s", host, p.DecidedBy, sum, p.Reason)
		b.remedy = "Give the host back its certificate, or have an admin take the rejection back on the server's page." + after
	case len(p.Known) > 0:
		known := make([]string, len(p.Known))
		for i, k := range p.Known {
			known[i] = fingerprint(k)
		}
		b.message = fmt.Sprintf("Nothing is sent to %s: it shows another certificate (%s%s, SHA-256 %s) than the one it is known by (SHA-256 %s)",
			host, p.Subject, valid, sum, strings.Join(known, " or "))
		b.remedy = "Somebody else may answer in its place. Compare the SHA-256 on the host itself; then an admin trusts the new certificate, or rejects it, on the server's page." + after
	case profile.Trust == store.TrustPin:
		b.message = fmt.Sprintf("Nothing is sent to %s: no certificate of it is known, and profile %s trusts by pin. It shows %s%s, SHA-256 %s", host, profile.Name, p.Subject, valid, sum)
		b.remedy = fmt.Sprintf("Read the SHA-256 on the host itself and add it: wavekeeper pin add %s SHA256 --reason TEXT.", host) + after
	default:
		b.message = fmt.Sprintf("Nothing is sent to %s before its certificate is confirmed: this is the first contact. It shows %s%s, SHA-256 %s", host, p.Subject, valid, sum)
		b.remedy = "Compare the SHA-256 on the host itself; then an admin confirms it on the server's page." + after
	}
	return b
}

// fingerprint writes the SHA-256 of a certificate as Windows and browsers do.
func fingerprint(sha256 string) string {
	pin, err := winrm.ParsePin(sha256)
	if err != nil {
		return sha256
	}
	return winrm.Fingerprint(pin)
}
