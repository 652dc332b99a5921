package httpd

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"wavekeeper/server/auth"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func certificateHref(server string, pin int64) string {
	return fmt.Sprintf("%s/certificates/%d", serverHref(server), pin)
}

// certificateTitle is the decision's name on all pages.
func certificateTitle(p store.Pin) string {
	if len(p.Known) == 0 {
		return "Trust the certificate"
	}
	return "Trust the new certificate"
}

func certificateThen(p store.Pin) string {
	if len(p.Known) == 0 {
		return p.Host + " is known by the certificate that it shows. Nothing but the TLS handshake was sent to it until then."
	}
	return "Compare its SHA-256 on " + p.Host + " itself first: somebody else may answer in its place. Then this goes on by itself; nothing is started a second time."
}

// fingerprint writes a SHA-256 as Windows and browsers show it.
func fingerprint(sha256 string) string {
	var b strings.Builder
	for i := 0; i+2 <= len(sha256); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(strings.ToUpper(sha256[i : i+2]))
	}
	return b.String()
}

func validWords(p store.Pin) string {
	if p.NotAfter.IsZero() {
		return "never seen: its sum was given"
	}
	return "valid from " + p.NotBefore.UTC().Format(time.DateOnly) + " until " + p.NotAfter.UTC().Format(time.DateOnly)
}

// offeredBy lists the certificates of a server's hosts that wait for a person.
func (s *server) offeredBy(ctx context.Context, server string) ([]store.Pin, error) {
	open, err := s.Store.OpenPins(ctx)
	if err != nil || len(open) == 0 {
		return nil, err
	}
	one, err := s.Store.ServerByName(ctx, server)
	if err != nil {
		return nil, err
	}
	var mine []store.Pin
	for _, p := range open {
		for _, h := range one.Hosts {
			if p.HostID == h.ID {
				mine = append(mine, p)
			}
		}
	}
	return mine, nil
}

// certificateOf loads the certificate of the address, which must be one of the
// server's.
func (s *server) certificateOf(r *http.Request) (store.Server, store.Pin, error) {
	one, err := s.Store.ServerByName(r.Context(), part(r, "server"))
	if err != nil {
		return store.Server{}, store.Pin{}, err
	}
	id, err := number(r, "pin")
	if err != nil {
		return one, store.Pin{}, err
	}
	for _, h := range one.Hosts {
		pins, err := s.Store.PinsOf(r.Context(), h.ID)
		if err != nil {
			return one, store.Pin{}, err
		}
		for _, p := range pins {
			if p.ID == id {
				p.Host = h.Name
				return one, p, nil
			}
		}
	}
	return one, store.Pin{}, rollout.NotFound("%s offers no such certificate any more: look at the one that it shows now.", one.Name)
}

// certificateAsk asks whether the certificate that a host offers is trusted.
func (s *server) certificateAsk(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	one, p, err := s.certificateOf(r)
	if err != nil {
		return err
	}
	clock := v.clock(s.Now())
	view := page.Confirm{
		Crumbs: []ui.Link{{Href: "/servers", Text: "Servers"}, {Href: serverHref(one.Name), Text: one.Name}},
		Title:  certificateTitle(p) + " of " + p.Host, Lead: certificateThen(p),
		Field: "verdict", Choices: []page.Choice{
			{Value: "trust", Text: "Trust it", Hint: "I compared its SHA-256 on " + p.Host + " itself"},
			{Value: "reject", Text: "Reject it", Hint: "nothing is sent to " + p.Host + " while it shows it"},
		},
		Action: certificateHref(one.Name, p.ID), Reason: "Reason, kept on record: where it was compared, or why it is rejected", Button: "Decide about 1 certificate", Kind: "danger",
		Back: ui.Link{Href: serverHref(one.Name), Text: "Back, change nothing"}, Why: v.why(auth.Profiles), Hidden: []page.Hidden{{Name: "sha256", Value: p.SHA256}},
		Parts: []page.ConfirmPart{{Title: p.Host + " shows", Lines: []string{
			"SHA-256 " + fingerprint(p.SHA256), "Subject " + orDash(clean(p.Subject)), "Issuer " + orDash(clean(p.Issuer)), sentenceCase(validWords(p)), "Seen " + clock.Ago(p.SeenAt),
		}}},
	}
	row := page.ConfirmRow{Server: one.Name, State: ui.State{Key: "waiting"}, Then: "trusted: " + p.Host + " is asked again at once, with the account of profile " + one.Profile}
	view.Rows = []page.ConfirmRow{row}
	known := page.ConfirmPart{Title: p.Host + " is known by"}
	for _, k := range p.Known {
		known.Lines = append(known.Lines, "SHA-256 "+fingerprint(k))
	}
	if len(known.Lines) == 0 {
		known.Lines = []string{"No certificate yet: this is the first contact."}
	}
	view.Parts = append(view.Parts, known)
	if p.State != store.PinOffered && view.Why == "" {
		view.Why = "It was decided about: " + p.State + " by " + p.DecidedBy + "."
	}
	view.Frame = s.frame(r, v, view.Title, "servers")
	return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
}

func sentenceCase(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// certificateDecide trusts or rejects the certificate that was shown.
func (s *server) certificateDecide(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Profiles)
	if err != nil {
		return err
	}
	one, p, err := s.certificateOf(r)
	if err != nil {
		return err
	}
	sum := r.PostFormValue("sha256")
	switch r.PostFormValue("verdict") {
	case "trust":
		if err := s.Store.ConfirmPin(r.Context(), v.actor(r), p.ID, sum, reason(r)); err != nil {
			return err
		}
		return s.done(w, r, serverHref(one.Name), p.Host+" is known by that certificate now. What waited for it goes on by itself.")
	case "reject":
		if err := s.Store.RejectPin(r.Context(), v.actor(r), p.ID, sum, reason(r)); err != nil {
			return err
		}
		return s.done(w, r, serverHref(one.Name), "Rejected: nothing is sent to "+p.Host+" while it shows that certificate.")
	}
	return rollout.Invalid("Choose whether the certificate is trusted or rejected.")
}
