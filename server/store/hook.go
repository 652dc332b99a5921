package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// Webhook is an address outside that an admin allowed to be called at points of
// upgrades. Its secret is sealed.
type Webhook struct {
	Name      string // lower case, "balancer"
	URL       string // https
	Points    []string
	Networks  []string // ranges in which its host may lie although they are private
	CA        string   // PEM; "" = the system's certificates
	Sealed    []byte   // the secret, for profile 0 and WebhookPurpose(Name)
	KeyID     string
	SHA256    string // of all of it: what approvals bind
	AllowedBy string
	AllowedAt time.Time
	Reason    string
}

// WebhookPurpose is what the secret of a webhook is sealed for, with profile 0.
func WebhookPurpose(name string) string { return "webhook " + name }

// WebhookHook is the name of a webhook among hooks, where files have theirs.
func WebhookHook(name string) string { return "webhook:" + name }

var webhookName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

func webhookOf(r db.Webhook) Webhook {
	return Webhook{
		Name: r.Name, URL: r.Url, Points: r.Points, Networks: r.Networks, CA: r.Ca, Sealed: r.Sealed, KeyID: r.KeyID, SHA256: r.Sha256,
		AllowedBy: r.AllowedBy, AllowedAt: r.AllowedAt, Reason: r.Reason,
	}
}

// Webhooks returns the webhooks that are allowed, by name.
func (s *Store) Webhooks(ctx context.Context) ([]Webhook, error) {
	rows, err := s.q.AllowedWebhooks(ctx)
	if err != nil {
		return nil, fmt.Errorf("load webhooks: %w", err)
	}
	var all []Webhook
	for _, r := range rows {
		all = append(all, webhookOf(r))
	}
	return all, nil
}

// Webhook returns an allowed webhook; rollout.ErrNotFound when none has the name.
func (s *Store) Webhook(ctx context.Context, name string) (Webhook, error) {
	r, err := s.q.AllowedWebhook(ctx, strings.ToLower(name))
	if err != nil {
		return Webhook{}, fmt.Errorf("load the webhook %s: %w", name, missing(err, "No webhook named %s is allowed.", name))
	}
	return webhookOf(r), nil
}

// AllowWebhook allows a webhook, in place of one of the same name. Approvals of
// waves whose runbook comes to one of its points, or to one of the old one's, do
// not fit any more.
func (s *Store) AllowWebhook(ctx context.Context, actor Actor, w Webhook) error {
	switch {
	case !webhookName.MatchString(w.Name):
		return fmt.Errorf("allow a webhook: %w", rollout.Invalid("%q is no name of a webhook: lower-case letters, digits, dots, dashes and underscores, a letter or digit first, at most 63.", w.Name))
	case strings.TrimSpace(w.Reason) == "":
		return fmt.Errorf("allow the webhook %s: %w", w.Name, rollout.Invalid("Say why the webhook is allowed."))
	}
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "admin"); err != nil {
			return err
		}
		detail := map[string]any{"url": w.URL, "points": w.Points, "networks": w.Networks, "sha256": w.SHA256}
		old, err := t.q.ForbidWebhook(ctx, db.ForbidWebhookParams{Name: w.Name, ForbiddenBy: actor.Name})
		switch {
		case err == nil:
			detail["instead_of"] = old.Sha256
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		if err := t.q.InsertWebhook(ctx, db.InsertWebhookParams{
			Name: w.Name, Url: w.URL, Points: w.Points, Networks: append([]string{}, w.Networks...), Ca: w.CA, Sealed: w.Sealed, KeyID: w.KeyID,
			Sha256: w.SHA256, AllowedBy: actor.Name, Reason: w.Reason,
		}); err != nil {
			return err
		}
		t.record(actor, Record{What: "hook.allow", Subject: "webhook " + w.Name, Reason: w.Reason, Detail: detail})
		return nil
	})
	if err != nil {
		return fmt.Errorf("allow the webhook %s: %w", w.Name, err)
	}
	return nil
}

// ForbidWebhook takes a webhook back: it is not called any more.
func (s *Store) ForbidWebhook(ctx context.Context, actor Actor, name, reason string) error {
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "admin"); err != nil {
			return err
		}
		if strings.TrimSpace(reason) == "" {
			return rollout.Invalid("Say why the webhook is forbidden.")
		}
		old, err := t.q.ForbidWebhook(ctx, db.ForbidWebhookParams{Name: strings.ToLower(strings.TrimSpace(name)), ForbiddenBy: actor.Name})
		if err != nil {
			return missing(err, "No webhook named %s is allowed.", name)
		}
		t.record(actor, Record{What: "hook.forbid", Subject: "webhook " + old.Name, Reason: reason, Detail: map[string]any{"url": old.Url, "sha256": old.Sha256}})
		return nil
	})
	if err != nil {
		return fmt.Errorf("forbid the webhook %s: %w", name, err)
	}
	return nil
}
