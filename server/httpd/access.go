package httpd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// stateWords is what the states of a certificate are called.
var stateWords = map[string]string{
	store.PinOffered: "Waits for a person", store.PinConfirmed: "Known by it", store.PinRejected: "Rejected", store.PinReplaced: "Replaced",
}

// wayIn fills in how a host is reached, and what keeps us from it.
func (s *server) wayIn(ctx context.Context, v viewer, one store.Server, h store.Host, out *page.Host, clock ui.Clock) error {
	all, err := s.Store.Profiles(ctx)
	if err != nil {
		return err
	}
	var p store.Profile
	for _, each := range all {
		if strings.EqualFold(each.Name, one.Profile) {
			p = each
		}
	}
	if p.ID == 0 {
		out.Refused = "There is no profile " + clean(one.Profile) + ": the host cannot be reached."
		out.Way = []page.Item{{Name: "Profile", Value: clean(one.Profile)}}
		return nil
	}
	out.Way = []page.Item{
		{Name: "Profile", Value: p.Name, Href: profileHref(p.Name)},
		{Name: "Way in", Value: wayWords(p)},
		{Name: "Certificate", Value: trustWords(p)},
	}
	if err := s.accountOf(ctx, p, h, out); err != nil {
		return err
	}
	pins, err := s.Store.PinsOf(ctx, h.ID)
	if err != nil {
		return err
	}
	known, err := s.Store.KnownBy(ctx, h.ID)
	if err != nil {
		return err
	}
	for i := len(pins) - 1; i >= 0; i-- { // the newest first
		c := certificateView(pins[i], clock)
		pins[i].Host, pins[i].Known = h.Name, known
		if c.Waits || pins[i].State == store.PinRejected {
			c.Act = ui.Act{Href: certificateHref(one.Name, pins[i].ID), Text: certificateTitle(pins[i]) + " …", Why: v.why(auth.Profiles)}
		}
		if c.Waits {
			c.Act.Kind = "primary"
		}
		out.Certificates = append(out.Certificates, c)
	}
	return s.profilePins(ctx, h, out)
}

// profilePins adds the certificates that a host may show by its profile.
func (s *server) profilePins(ctx context.Context, h store.Host, out *page.Host) error {
	pins, err := s.Store.ProfilePinsOf(ctx, h.ID)
	if err != nil {
		return err
	}
	for _, p := range pins {
		out.Certificates = append(out.Certificates, page.Certificate{
			State: "Known by its profile", SHA256: fingerprint(p.SHA256), Decided: "pinned for every host of profile " + p.Profile,
		})
	}
	return nil
}

// accountOf says which account signs in to the host, and what stands against it.
func (s *server) accountOf(ctx context.Context, p store.Profile, h store.Host, out *page.Host) error {
	c, ok, err := s.credential(ctx, p, store.PurposeWinRM)
	if err != nil {
		return err
	}
	if !ok {
		out.Refused = "The profile has no account to sign in with: an admin stores one (wavekeeper credential set)."
		return nil
	}
	known, err := s.Store.Standing(ctx, store.SealedCredential{ID: c.ID, Version: c.Version})
	if err != nil {
		return err
	}
	account := page.Item{Name: "Account", Value: clean(c.Account), Note: "not used here by an upgrade or a probe yet"}
	if at, took := known.Taken[h.ID]; took {
		account.Note = "taken here since " + at.UTC().Format("2006-01-02 15:04 UTC")
	}
	out.Way = append(out.Way, account)
	if r, refused := known.Against(h.ID); refused {
		what := "it is held back from every host that has not taken it, since"
		switch {
		case r.Host != "":
			what = r.Host + " refused it on"
		case r.ForAll:
			what = "it is held back from every host, since"
		}
		out.Refused = fmt.Sprintf("Not used here: %s %s UTC: %s. An admin sets another secret, or has it tried again.",
			what, r.At.UTC().Format("2006-01-02 15:04"), strings.TrimRight(clean(r.Reason), ". "))
	}
	return nil
}

// credential returns a profile's account for a purpose, without its secret.
func (s *server) credential(ctx context.Context, p store.Profile, purpose string) (store.Credential, bool, error) {
	all, err := s.Store.Credentials(ctx)
	if err != nil {
		return store.Credential{}, false, err
	}
	for _, c := range all {
		if c.ProfileID == p.ID && c.Purpose == purpose {
			return c, true, nil
		}
	}
	return store.Credential{}, false, nil
}

func certificateView(p store.Pin, clock ui.Clock) page.Certificate {
	out := page.Certificate{
		State: stateWords[p.State], Waits: p.State == store.PinOffered, SHA256: fingerprint(p.SHA256),
		Subject: clean(p.Subject), Issuer: clean(p.Issuer), Valid: validWords(p), Seen: clock.Moment(p.SeenAt),
	}
	if !p.DecidedAt.IsZero() {
		out.Decided = clean(fmt.Sprintf("%s, %s: %s", p.DecidedBy, clock.Moment(p.DecidedAt).Text, p.Reason))
	}
	return out
}

// wayWords says how a profile signs in and over what.
func wayWords(p store.Profile) string {
	auths := map[string]string{store.AuthBasic: "Basic", store.AuthNTLM: "NTLM", store.AuthKerberos: "Kerberos", store.AuthCertificate: "Client certificate"}
	switch {
	case p.PlainBasic:
		return auths[p.Auth] + " over http, unencrypted"
	case !p.HTTPS:
		return auths[p.Auth] + " over http, each message sealed"
	case p.TLS10:
		return auths[p.Auth] + " over https, also TLS 1.0"
	}
	return auths[p.Auth] + " over https"
}

// trustWords says what a host's certificate is checked against.
func trustWords(p store.Profile) string {
	switch {
	case !p.HTTPS:
		return "none: http"
	case p.Trust == store.TrustPin:
		return "pinned by its SHA-256"
	case p.Trust == store.TrustFirstUse:
		return "confirmed by a person on first use"
	case p.CAPEM != "":
		return "checked against the profile's authorities"
	}
	return "checked against the system's authorities"
}

// accessNotices is what keeps us out of hosts, for everybody: refused accounts
// and certificates that wait, with who can end it.
func (s *server) accessNotices(ctx context.Context) ([]page.AccessNotice, error) {
	refused, err := s.Store.Refusals(ctx)
	if err != nil {
		return nil, err
	}
	open, err := s.Store.OpenPins(ctx)
	if err != nil {
		return nil, err
	}
	type account struct{ profile, name string }
	var order []account
	by := map[account][]store.Refusal{}
	for _, r := range refused {
		key := account{r.Profile, r.Account}
		if len(by[key]) == 0 {
			order = append(order, key)
		}
		by[key] = append(by[key], r)
	}
	var list []page.AccessNotice
	for _, key := range order {
		all := by[key]
		n := page.AccessNotice{
			Title: clean(fmt.Sprintf("The account %s of profile %s is refused by %s", key.name, key.profile, ui.Count(len(all), "host", "hosts"))),
			Who:   "An admin sets the right secret (wavekeeper credential rotate), or has it tried again when the cause was another.",
			Link:  ui.Link{Href: profileHref(key.profile), Text: "Look at the profile"},
		}
		last := all[len(all)-1]
		for _, r := range all {
			if r.HostID == 0 {
				last = r
				n.Title = clean(fmt.Sprintf("The account %s of profile %s is refused: no host gets it that has not taken it", key.name, key.profile))
			}
		}
		n.Detail = fmt.Sprintf("%s UTC: %s", last.At.UTC().Format("2006-01-02 15:04"), clean(last.Reason))
		list = append(list, n)
	}
	if len(open) == 0 {
		return list, nil
	}
	var hosts []string
	for _, p := range open {
		hosts = append(hosts, p.Host)
	}
	server, err := s.serverOfHost(ctx, open[0].HostID)
	if err != nil {
		return nil, err
	}
	return append(list, page.AccessNotice{
		Title:  ui.Count(len(open), "host shows a certificate", "hosts show certificates") + " that nobody confirmed: " + ui.List(hosts, 4),
		Detail: "Nothing but the TLS handshake is sent there.", Who: "An admin compares the SHA-256 on the host itself and trusts or rejects it.",
		Link: ui.Link{Href: certificateHref(server, open[0].ID), Text: "Look at " + open[0].Host},
	}), nil
}

// serverOfHost names a server on the host, for its address.
func (s *server) serverOfHost(ctx context.Context, host int64) (string, error) {
	target, err := s.Store.ProbeTarget(ctx, host)
	return target.Server, err
}

// toLetIn lists what an admin can do so that hosts are reached again.
func (s *server) toLetIn(ctx context.Context, v viewer) ([]page.Waiting, error) {
	if !v.may(auth.Profiles) {
		return nil, nil
	}
	clock := v.clock(s.Now())
	open, err := s.Store.OpenPins(ctx)
	if err != nil {
		return nil, err
	}
	var list []page.Waiting
	rejected, err := s.Store.RejectedPinsInTheWay(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range slices.Concat(open, rejected) {
		server, err := s.serverOfHost(ctx, p.HostID)
		if err != nil {
			return nil, err
		}
		if p.Known, err = s.Store.KnownBy(ctx, p.HostID); err != nil {
			return nil, err
		}
		w := page.Waiting{
			State: ui.State{Key: "warning"}, Title: certificateTitle(p) + " of " + p.Host, Detail: "SHA-256 " + fingerprint(p.SHA256),
			Href: certificateHref(server, p.ID), Act: "Look and decide", Since: clock.Moment(p.SeenAt),
		}
		list = append(list, w)
	}
	refused, err := s.Store.Refusals(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{}
	for _, r := range refused {
		if seen[r.CredentialID] {
			continue
		}
		seen[r.CredentialID] = true
		list = append(list, page.Waiting{
			State: ui.State{Key: "warning"}, Title: clean("The account " + r.Account + " is refused"), Detail: brief(clean(r.Reason)),
			Href: profileHref(r.Profile), Act: "Look and decide", Since: clock.Moment(r.At),
		})
	}
	return list, nil
}

// day writes a day of the record.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
