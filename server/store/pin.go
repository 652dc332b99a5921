package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// The states of a pin.
const (
	PinOffered   = "offered"   // the host showed it; a person decides
	PinConfirmed = "confirmed" // the host is known by it
	PinRejected  = "rejected"  // a person said no; the host is not contacted while it shows it
	PinReplaced  = "replaced"  // another was confirmed in its place
)

// Pin is a certificate by which a host is, was or wants to be known.
type Pin struct {
	ID        int64
	HostID    int64
	Host      string
	SHA256    string // 64 hexadecimal digits in lower case
	Subject   string // "" = never seen, only its sum was given
	Issuer    string
	NotBefore time.Time // zero = not known
	NotAfter  time.Time
	State     string
	SeenAt    time.Time
	DecidedAt time.Time
	DecidedBy string
	Reason    string
	Known     []string // for one that is offered: the confirmed ones beside it; none = first contact
}

func pinOf(p db.HostPin, host string) Pin {
	pin := Pin{
		ID: p.ID, HostID: p.HostID, Host: host, SHA256: p.Sha256, Subject: p.Subject, Issuer: p.Issuer,
		State: p.State, SeenAt: p.SeenAt, DecidedBy: p.DecidedBy, Reason: p.Reason,
	}
	for from, to := range map[*time.Time]*time.Time{p.NotBefore: &pin.NotBefore, p.NotAfter: &pin.NotAfter, p.DecidedAt: &pin.DecidedAt} {
		if from != nil {
			*to = *from
		}
	}
	return pin
}

// PinsOf returns all certificates of a host, oldest first.
func (s *Store) PinsOf(ctx context.Context, host int64) ([]Pin, error) {
	rows, err := s.q.PinsOf(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("load certificates of host %d: %w", host, err)
	}
	var pins []Pin
	var known []string
	for _, r := range rows {
		pins = append(pins, pinOf(r, ""))
		if r.State == PinConfirmed {
			known = append(known, r.Sha256)
		}
	}
	for i := range pins {
		if pins[i].State == PinOffered {
			pins[i].Known = known
		}
	}
	return pins, nil
}

// OpenPins returns the certificates that wait for a person, by host.
func (s *Store) OpenPins(ctx context.Context) ([]Pin, error) {
	rows, err := s.q.OpenPins(ctx)
	if err != nil {
		return nil, fmt.Errorf("load certificates that wait for a person: %w", err)
	}
	var pins []Pin
	for _, r := range rows {
		pin := pinOf(db.HostPin{
			ID: r.ID, HostID: r.HostID, Sha256: r.Sha256, Subject: r.Subject, Issuer: r.Issuer,
			NotBefore: r.NotBefore, NotAfter: r.NotAfter, State: PinOffered, SeenAt: r.SeenAt,
		}, r.Host)
		pin.Known = r.Known
		pins = append(pins, pin)
	}
	return pins, nil
}

// OfferPin keeps that a host showed a certificate that nobody confirmed, and
// returns the state that it has. Only the newest of a host is a question.
func (s *Store) OfferPin(ctx context.Context, p Pin) (state string, err error) {
	err = s.inTx(ctx, func(t *txn) error {
		row := db.OfferPinParams{HostID: p.HostID, Sha256: p.SHA256, Subject: short(p.Subject), Issuer: short(p.Issuer)}
		if !p.NotAfter.IsZero() {
			row.NotBefore, row.NotAfter = &p.NotBefore, &p.NotAfter
		}
		if err := t.q.DropOffers(ctx, db.DropOffersParams{HostID: p.HostID, Sha256: p.SHA256}); err != nil {
			return fmt.Errorf("drop what it offered before: %w", err)
		}
		got, err := t.q.OfferPin(ctx, row)
		if err != nil {
			return fmt.Errorf("keep what it offers: %w", err)
		}
		state = got.State
		if !got.Fresh {
			return nil
		}
		h, err := t.q.HostByID(ctx, p.HostID)
		if err != nil {
			return missing(err, "There is no such host.")
		}
		t.record(Actor{Name: "wavekeeper"}, Record{
			What: "pin.offer", Subject: h.Name, Detail: map[string]any{"sha256": p.SHA256, "subject": row.Subject},
		})
		return t.ring(ctx, "host", p.HostID)
	})
	if err != nil {
		return "", fmt.Errorf("offer the certificate of host %d: %w", p.HostID, err)
	}
	return state, nil
}

// WithdrawOffers ends the question about a host's certificate, since the host
// shows again one that it may show (sha256), and lets what waited for it go on.
func (s *Store) WithdrawOffers(ctx context.Context, host int64, sha256 string) error {
	pins, err := s.PinsOf(ctx, host)
	if err != nil || !slices.ContainsFunc(pins, func(p Pin) bool { return p.State == PinOffered }) {
		return err
	}
	err = s.inTx(ctx, func(t *txn) error {
		waiting, err := t.q.RolloutsStartingHost(ctx, host)
		if err != nil {
			return fmt.Errorf("load the rollouts that wait for it: %w", err)
		}
		for _, id := range waiting {
			if err := t.requestAdvance(ctx, id); err != nil {
				return err
			}
		}
		gone, err := t.q.WithdrawOffers(ctx, host)
		if err != nil || len(gone) == 0 {
			return err
		}
		h, err := t.q.HostByID(ctx, host)
		if err != nil {
			return missing(err, "There is no such host.")
		}
		t.record(Actor{Name: "wavekeeper"}, Record{What: "pin.withdraw", Subject: h.Name, Detail: map[string]any{"sha256": list(gone), "shows": sha256}})
		return t.ring(ctx, "host", host)
	})
	if err != nil {
		return fmt.Errorf("withdraw the certificate that host %d offered: %w", host, err)
	}
	return nil
}

// short is a name of a certificate as it is kept; a host can say anything.
func short(name string) string {
	name = strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", ""), "\uFFFD")
	const most = 500
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most]) + " ..."
	}
	return name
}

// ConfirmPin makes an offered or rejected certificate the one by which the host
// is known, in place of all others. An admin does it, who says why, and names
// the sum that was shown to him, so that he confirms what he saw.
func (s *Store) ConfirmPin(ctx context.Context, actor Actor, id int64, sha256, reason string) error {
	return s.decidePin(ctx, actor, id, sha256, reason, PinConfirmed, []string{PinOffered, PinRejected})
}

// RejectPin says no to an offered certificate: while the host shows it, nothing
// is sent there. An admin does it, and says why.
func (s *Store) RejectPin(ctx context.Context, actor Actor, id int64, sha256, reason string) error {
	return s.decidePin(ctx, actor, id, sha256, reason, PinRejected, []string{PinOffered})
}

func (s *Store) decidePin(ctx context.Context, actor Actor, id int64, sha256, reason, to string, from []string) error {
	err := s.inTx(ctx, func(t *txn) error {
		if strings.TrimSpace(reason) == "" {
			return rollout.Invalid("Say why, such as where the fingerprint was compared: the reason is kept on record.")
		}
		if err := t.acts(ctx, actor, "admin"); err != nil {
			return err
		}
		pin, err := t.q.LockPin(ctx, id)
		if err != nil {
			return missing(err, "The host offers another certificate meanwhile. Nothing was done: look at the one that it shows now.")
		}
		if pin.Sha256 != sha256 || !slices.Contains(from, pin.State) {
			return rollout.Conflict("This certificate is %s now. Nothing was done.", pin.State)
		}
		h, err := t.q.HostByID(ctx, pin.HostID)
		if err != nil {
			return missing(err, "There is no such host.")
		}
		n, err := t.q.DecidePin(ctx, db.DecidePinParams{ID: id, State: to, DecidedBy: actor.Name, Reason: reason, FromStates: from})
		if err != nil || n == 0 {
			return err
		}
		detail := map[string]any{"sha256": pin.Sha256, "subject": pin.Subject, "state": to}
		if to == PinConfirmed {
			before, err := t.q.ReplacePins(ctx, db.ReplacePinsParams{HostID: pin.HostID, But: id, DecidedBy: actor.Name, Reason: reason})
			if err != nil {
				return fmt.Errorf("replace the certificates before: %w", err)
			}
			detail["before"] = list(before)
		}
		t.record(actor, Record{What: "pin." + map[string]string{PinConfirmed: "confirm", PinRejected: "reject"}[to], Subject: h.Name, Reason: reason, Detail: detail})
		return t.askAgain(ctx, pin.HostID)
	})
	if err != nil {
		return fmt.Errorf("decide about certificate %d: %w", id, err)
	}
	return nil
}

// AddPin makes a certificate known before the host showed it, beside those by
// which it is known already: a renewal that is planned. An admin does it.
func (s *Store) AddPin(ctx context.Context, actor Actor, host, sha256, reason string) error {
	err := s.inTx(ctx, func(t *txn) error {
		sum, err := Fingerprint(sha256)
		if err != nil {
			return err
		}
		if strings.TrimSpace(reason) == "" {
			return rollout.Invalid("Say why, such as where the fingerprint was read: the reason is kept on record.")
		}
		if err := t.acts(ctx, actor, "admin"); err != nil {
			return err
		}
		h, err := t.q.HostByName(ctx, strings.ToUpper(strings.TrimSpace(host)))
		if err != nil {
			return missing(err, "There is no host %s.", host)
		}
		if _, err := t.q.AddPin(ctx, db.AddPinParams{HostID: h.ID, Sha256: sum, DecidedBy: actor.Name, Reason: reason}); err != nil {
			return fmt.Errorf("keep the certificate's sum: %w", err)
		}
		t.record(actor, Record{What: "pin.add", Subject: h.Name, Reason: reason, Detail: map[string]any{"sha256": sum}})
		return t.askAgain(ctx, h.ID)
	})
	if err != nil {
		return fmt.Errorf("add a certificate: %w", err)
	}
	return nil
}

// askAgain asks a host for its facts again after a decision about it; an upgrade
// in work finds the decision at its next tick.
func (t *txn) askAgain(ctx context.Context, host int64) error {
	if err := t.s.insertJobs(ctx, t.tx, Probe{Host: host}); err != nil {
		return err
	}
	return t.ring(ctx, "host", host)
}

// notLetIn says of servers why nothing is sent to one of their hosts until a
// person decides.
func (t *txn) notLetIn(ctx context.Context) (map[string]string, error) {
	rows, err := t.q.ServersNotLetIn(ctx)
	if err != nil {
		return nil, fmt.Errorf("load hosts that nothing is sent to: %w", err)
	}
	barred := map[string]string{}
	for _, r := range rows {
		switch r.What {
		case "certificate":
			barred[r.Server] = fmt.Sprintf("Nothing is sent to %s: nobody confirmed the certificate that it shows (SHA-256 %s). An admin trusts or rejects it on the server's page.", r.Host, r.Detail)
		default:
			barred[r.Server] = fmt.Sprintf("Nothing is sent to %s: the account %s was refused (%s). An admin sets another secret, or has it tried again.", r.Host, r.Account, strings.TrimRight(r.Detail, ". "))
		}
	}
	return barred, nil
}
