package twin

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"time"

	"wavekeeper/agentless/kerberos"
	"wavekeeper/agentless/ntlm"
	"wavekeeper/agentless/sealed"
)

// certificateLogon is the Authorization header of a caller who proves itself
// with its certificate (DSP0226, appendix C.3.5).
const certificateLogon = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"

// seals is NTLMSSP_NEGOTIATE_SEAL (MS-NLMP 2.2.2.5).
const seals = 1 << 5

// Limits of clocks: Kerberos' default, and how old an NTLMv2 answer may be by
// the clock of a host that tells no time in its challenge (KB239869, as
// remembered: K).
const (
	kerberosSkew = 5 * time.Minute
	ntlmSkew     = 30 * time.Minute
)

// identified finds out who sends the request, and answers it when that takes no
// message: false when the request is answered. The user is "" for nobody.
func (h *host) identified(w http.ResponseWriter, r *http.Request, c *connection, empty bool) (user string, on bool) {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch low := strings.ToLower(scheme); {
	case low == "basic" && h.access.offers(AuthBasic):
		user = h.basic(r)
	case low == certificateLogon && h.access.offers(AuthCertificate):
		user = h.certified(r, c)
	case low == "negotiate" || low == "kerberos":
		token, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			token = nil
		}
		var ok bool
		if user, ok = h.negotiate(w, r, c, token); !ok {
			return "", false
		}
	case scheme == "":
		if h.access.Forgets && empty {
			c.forget()
		}
		user = c.user
	}
	if user == "" {
		return "", true
	}
	if empty && c.seal != nil { // the logon is complete; there is nothing to carry out
		w.WriteHeader(http.StatusOK)
		return user, false
	}
	return user, true
}

// refuse answers 401 with what the host offers.
func (h *host) refuse(w http.ResponseWriter) {
	if h.access.offers(AuthNTLM) || h.access.offers(AuthKerberos) {
		w.Header().Add("WWW-Authenticate", "Negotiate")
	}
	if h.access.offers(AuthKerberos) {
		w.Header().Add("WWW-Authenticate", "Kerberos")
	}
	if h.access.offers(AuthBasic) {
		w.Header().Add("WWW-Authenticate", `Basic realm="WSMAN"`)
	}
	w.WriteHeader(http.StatusUnauthorized)
}

// judged enters a proof into ledger and journal; false when it does not count.
func (h *host) judged(way, user, domain string, right bool) bool {
	o := h.fleet.opt
	lasts := time.Duration(float64(lockLasts) / o.Speed)
	right, p := h.fleet.ledger.proved(h.ledgerName(user, domain), right, o.LockoutThreshold, lasts)
	if right && way == AuthBasic {
		return true
	}
	what := "logon"
	if !right {
		what = "access-refused"
	}
	if domain != "" {
		user = domain + `\` + user
	}
	h.update(func() {
		h.happened(what, map[string]any{"account": user, "by": way, "sent": p.Sent, "refused": p.Refused})
	})
	return right
}

// basic checks Basic, which WinRM allows for local accounts only (Ansible's
// Windows documentation; MS-WSMV). Each request brings the password, so only
// what is refused is journaled.
func (h *host) basic(r *http.Request) string {
	name, password, ok := r.BasicAuth()
	if !ok {
		return ""
	}
	user, domain := name, ""
	if d, u, ok := strings.Cut(name, `\`); ok {
		user, domain = u, d
	}
	a, known := h.accountOf(user, domain)
	local := known && !strings.Contains(a.Name, `\`) && !strings.Contains(name, "@")
	if !h.judged(AuthBasic, user, domain, local && same(password, a.Password)) {
		return ""
	}
	return a.Name
}

// certified takes the caller's certificate for the account that it is mapped to.
func (h *host) certified(r *http.Request, c *connection) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	if !r.TLS.PeerCertificates[0].Equal(h.fleet.client) {
		h.update(func() {
			h.happened("access-refused", map[string]any{"account": r.TLS.PeerCertificates[0].Subject.String(), "by": AuthCertificate})
		})
		return ""
	}
	if !c.certified {
		c.certified = true
		h.update(func() { h.happened("logon", map[string]any{"account": h.fleet.opt.User, "by": AuthCertificate}) })
	}
	return h.fleet.opt.User
}

// negotiate goes on with a logon of several tokens; false when it has answered.
func (h *host) negotiate(w http.ResponseWriter, r *http.Request, c *connection, token []byte) (string, bool) {
	isNTLM := len(token) > 12 && string(token[:8]) == "NTLMSSP\x00"
	switch {
	case isNTLM && token[8] == 1 && h.access.offers(AuthNTLM):
		h.challenge(w, r, c, token)
		return "", false
	case isNTLM && token[8] == 3 && c.pending != nil:
		return h.authenticate(w, c, token)
	case !isNTLM && len(token) > 0 && h.access.offers(AuthKerberos):
		return h.ticket(w, r, c, token)
	}
	c.forget()
	h.refuse(w)
	return "", false
}

// challenge answers the first token of NTLM.
func (h *host) challenge(w http.ResponseWriter, r *http.Request, c *connection, token []byte) {
	c.forget()
	server := &ntlm.Server{Computer: h.name, Domain: h.domainName(), Old: h.platform.before6(), Lookup: h.lookup}
	h.update(func() {
		if h.strikes("no-sealing", nil) != nil {
			server.Without = seals
		}
	})
	if r.TLS != nil && h.access.Binding {
		cert, err := h.certificate()
		if err != nil {
			h.refuse(w)
			return
		}
		server.Bindings = sealed.ChannelBinding(cert.Leaf)
	}
	answer, err := server.Challenge(token)
	if err != nil {
		h.refuse(w)
		return
	}
	c.pending = server
	w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(answer))
	w.WriteHeader(http.StatusUnauthorized)
}

// authenticate checks NTLM's proof. What is sealed and what is not, only the
// messages that follow tell.
func (h *host) authenticate(w http.ResponseWriter, c *connection, token []byte) (string, bool) {
	server := c.pending
	c.forget()
	err := server.Authenticate(token)
	user, domain := server.Account()
	cut, away := false, false
	h.update(func() {
		cut = h.strikes("login-dropped", nil) != nil
		away = h.on("unauthorized")
	})
	if err == nil && (away || h.platform.before6() && h.tooOld(token)) {
		err = ntlm.ErrLogon
	}
	right := h.judged(AuthNTLM, user, domain, err == nil)
	switch {
	case cut:
		drop(w)
		return "", false
	case !right:
		h.refuse(w)
		return "", false
	}
	a, _ := h.accountOf(user, domain)
	c.seal, c.user = server.Session(), a.Name
	return a.Name, true
}

// tooOld looks at the time in an NTLMv2 answer, which is the caller's own when
// the challenge told none: the field NtChallengeResponse is at 20 of the message,
// its time at 24 of the answer (MS-NLMP 2.2.1.3, 2.2.2.7, 2.2.2.8). ntlm_auth 1.4,
// under pywinrm, tells the year 5291, since its 1601 is off by a factor of ten;
// what Windows says to that is not known, and it passes here.
func (h *host) tooOld(token []byte) bool {
	if len(token) < 28 {
		return true
	}
	at := int64(binary.LittleEndian.Uint32(token[24:]))
	if at+32 > int64(len(token)) {
		return true
	}
	ticks := int64(binary.LittleEndian.Uint64(token[at+24:]))
	told := time.Unix((ticks-116444736000000000)/1e7, 0)
	var now time.Time
	h.look(func() { now = h.now() })
	return told.Year() < 5000 && now.Sub(told).Abs() > ntlmSkew
}

// ticket checks a Kerberos token against the keytab.
func (h *host) ticket(w http.ResponseWriter, r *http.Request, c *connection, token []byte) (string, bool) {
	c.forget()
	var now time.Time
	changed, away := false, false
	h.update(func() {
		now = h.now()
		changed = h.strikes("ticket-refused", nil) != nil
		away = h.on("unauthorized")
	})
	keys := h.keys()
	if changed { // the service's key is another than the one that the ticket was made with
		for i := range keys {
			keys[i].Key.KeyValue = append([]byte{^keys[i].Key.KeyValue[0]}, keys[i].Key.KeyValue[1:]...)
		}
	}
	var binding []byte
	if r.TLS != nil && h.access.Binding {
		cert, err := h.certificate()
		if err != nil {
			h.refuse(w)
			return "", false
		}
		binding = sealed.ChannelBinding(cert.Leaf)
	}
	x, answer, err := kerberos.AcceptAt(now, keys, token, binding, kerberosSkew)
	if err == nil && away {
		x, err = nil, errors.New("the domain controller is away")
	}
	var a Account
	if err == nil {
		name, realm, _ := strings.Cut(x.Peer, "@")
		var known bool
		if a, known = h.accountOf(name, realm); !known { // it has a ticket, so it is of the domain
			a = Account{Name: strings.ToUpper(firstLabel(realm)) + `\` + name}
		}
	}
	if answer != nil {
		w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(answer))
	}
	if err != nil {
		h.update(func() { h.happened("access-refused", map[string]any{"by": AuthKerberos, "error": err.Error()}) })
		if answer == nil {
			h.refuse(w)
		} else {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return "", false
	}
	h.update(func() { h.happened("logon", map[string]any{"account": a.Name, "by": AuthKerberos}) })
	c.seal, c.user = x, a.Name
	return a.Name, true
}

// keys are the keytab's keys of the host's own names.
func (h *host) keys() []kerberos.KeytabKey {
	var own []kerberos.KeytabKey
	for _, k := range h.fleet.keys {
		if n := k.Name.NameString; len(n) == 2 && (strings.EqualFold(n[1], h.fqdn()) || strings.EqualFold(n[1], h.name)) {
			own = append(own, k)
		}
	}
	return own
}

// firstLabel is what is before the first dot.
func firstLabel(name string) string {
	first, _, _ := strings.Cut(name, ".")
	return first
}

// admin reports whether an account may use WinRM: only Administrators may, by
// default [MS-WSMV, RootSDDL].
func (h *host) admin(user string) bool {
	for _, a := range h.accounts {
		if a.Admin && strings.EqualFold(a.Name, user) {
			return true
		}
	}
	return false
}
