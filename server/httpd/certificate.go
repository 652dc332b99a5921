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
	switch {
	case p.State == store.PinRejected:
		return "Trust the rejected certificate"
	case len(p.Known) == 0:
		return "Trust the certificate"
	}
	return "Trust the new certificate"
}

// certificateThen is what to know before deciding about it.
func certificateThen(p store.Pin) string {
	const after = " Then this goes on by itself; nothing is started a second time."
	switch {
	case p.State == store.PinRejected:
		return fmt.Sprintf("%s rejected it (%s), and nothing is sent to %s while it shows it. Give %s back its certificate, or, when this one is right, take the rejection back.", orDash(p.DecidedBy), clean(p.Reason), p.Host, p.Host) + after
	case len(p.Known) == 0:
		return p.Host + " is known by the certificate that it shows. Nothing but the TLS handshake was sent to it until then."
	}
	return "Compare its SHA-256 on " + p.Host + " itself first: somebody else may answer in its place." + after
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

// offeredBy lists the certificates of a server's hosts that wait for a person,
// and the rejected ones that an upgrade waits for.
func (s *server) offeredBy(ctx context.Context, server string) ([]store.Pin, error) {
	open, err := s.Store.OpenPins(ctx)
	if err != nil {
		return nil, err
	}
	rejected, err := s.Store.RejectedPinsInTheWay(ctx)
	if err != nil {
		return nil, err
	}
	if open = append(open, rejected...); len(open) == 0 {
		return nil, nil
	}
	one, err := s.Store.ServerByName(ctx, server)
	if err != nil {
		return nil, err
	}
	var mine []store.Pin
	for _, p := range open {
		for _, h := range one.Hosts {
			if p.HostID != h.ID {
				continue
			}
			if p.Known, err = s.Store.KnownBy(ctx, h.ID); err != nil {
				return nil, err
			}
			mine = append(mine, p)
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
				p.Known, err = s.Store.KnownBy(r.Context(), h.ID)
				return one, p, err
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
	thumbprint, serial, err := s.Store.PinForWindows(r.Context(), p.HostID, p.SHA256)
	if err != nil {
		return err
	}
	state, setup, err := s.stateNow(r.Context(), one)
	if err != nil {
		return err
	}
	view := page.Confirm{
		Crumbs: []ui.Link{{Href: "/servers", Text: "Servers"}, {Href: serverHref(one.Name), Text: one.Name}},
		Title:  certificateTitle(p) + " of " + p.Host, Lead: certificateThen(p),
		Field: "verdict", Rulings: []page.Ruling{{Value: "trust", Text: "Trust it", Kind: "primary", Hint: "I compared its SHA-256 on " + p.Host + " itself."}},
		Action: certificateHref(one.Name, p.ID), Reason: "Reason, kept on record: where it was compared, or why it is rejected",
		Back: ui.Link{Href: serverHref(one.Name), Text: "Back, change nothing"}, Why: v.why(auth.Profiles), Hidden: []page.Hidden{{Name: "sha256", Value: p.SHA256}},
		Parts: certificateParts(p, thumbprint, serial, v.clock(s.Now())),
	}
	if p.State == store.PinRejected {
		view.Reason = "Reason, kept on record: where it was compared, and why it is trusted after all"
	} else {
		view.Rulings = append(view.Rulings, page.Ruling{Value: "reject", Text: "Reject it", Kind: "danger", Hint: "Nothing is sent to " + p.Host + " while it shows it. That can be taken back."})
	}
	row := page.ConfirmRow{Server: one.Name, State: state, Then: "Trusted: " + p.Host + " is asked again at once, with the account of profile " + one.Profile + "."}
	if setup != "" && len(p.Known) > 0 {
		view.Lead = fmt.Sprintf("The certificate of %s changed, and %s. ", p.Host, setup) + view.Lead
		row.Then += " The upgrade goes on where it is: Setup is watched, not started."
	}
	view.Rows = []page.ConfirmRow{row}
	if p.State != store.PinOffered && p.State != store.PinRejected && view.Why == "" {
		view.Why = "It was decided about: " + p.State + " by " + p.DecidedBy + "."
	}
	view.Frame = s.frame(r, v, view.Title, "servers")
	return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
}

// stateNow is how a server's upgrade stands, and in words when Setup was begun
// there and has not ended as far as is known.
func (s *server) stateNow(ctx context.Context, one store.Server) (state ui.State, setup string, err error) {
	all, err := s.Store.UpgradesOfServer(ctx, one.ID)
	if err != nil {
		return state, "", err
	}
	if len(all) == 0 || all[0].Over || rollout.State(all[0].State).Decided() {
		return ui.State{}, "", nil
	}
	state = ui.State{Key: all[0].State}
	if all[0].Step != "" {
		state.Note = "step " + shortStep(all[0].Step)
	}
	if all[0].Step == "setup" {
		switch rollout.State(all[0].State) {
		case rollout.Running:
			setup = "Setup runs there"
		case rollout.OutOfSight, rollout.Unknown, rollout.Interrupted:
			setup = "Setup was begun there and may run"
		case rollout.Waiting, rollout.Held, rollout.Paused, rollout.Failed, rollout.Skipped, rollout.Done:
		}
	}
	return state, setup, nil
}

// certificateParts shows the certificate beside those that the host is known by,
// and how it is compared.
func certificateParts(p store.Pin, thumbprint, serial string, clock ui.Clock) []page.ConfirmPart {
	shows := page.ConfirmPart{Title: p.Host + " shows", Sums: []page.Sum{{Name: "SHA-256", Value: fingerprint(p.SHA256)}}, Lines: []string{
		"Subject " + orDash(clean(p.Subject)), "Issuer " + orDash(clean(p.Issuer)), sentenceCase(validWords(p)), "Seen " + clock.Ago(p.SeenAt),
	}}
	known := page.ConfirmPart{Title: p.Host + " is known by"}
	for _, k := range p.Known {
		known.Sums = append(known.Sums, page.Sum{Name: "SHA-256", Value: fingerprint(k)})
	}
	if len(p.Known) == 0 {
		known.Lines = []string{"No certificate yet: this is the first contact."}
	}
	how := page.ConfirmPart{Title: "How to compare it", Lines: []string{
		"In PowerShell on " + p.Host + " itself, not over the network:", "The SHA-256 that it shows must be the one above, digit by digit.",
	}, Code: compareCommand}
	parts := []page.ConfirmPart{shows, known, how}
	if thumbprint == "" {
		return parts
	}
	return append(parts, page.ConfirmPart{
		Title: "What Windows Server 2003 and 2008 show of it",
		Sums:  []page.Sum{{Name: "Thumbprint (SHA-1)", Value: fingerprint(thumbprint)}, {Name: "Serial number", Value: serial}},
		Lines: []string{"certutil -store my and the Certificates snap-in show these two only. They help to find the certificate there; SHA-1 can be forged, so they are never what a host is known by."},
	})
}

// compareCommand shows the SHA-256 of a host's certificates: PowerShell 1.0 has
// the drive cert:, .NET 2.0 the classes. certutil of 2003 and 2008 shows no SHA-256.
const compareCommand = `dir cert:\LocalMachine\My | % { $_.Subject; [BitConverter]::ToString((New-Object Security.Cryptography.SHA256Managed).ComputeHash($_.RawData)) }`

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
