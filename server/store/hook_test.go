package store_test

import (
	"errors"
	"strings"
	"testing"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

func webhook(name string) store.Webhook {
	return store.Webhook{
		Name: name, URL: "https://lb.contoso.com/hooks", Points: []string{"drain", "undrain"}, Networks: []string{"10.1.0.0/16"},
		Sealed: []byte("sealed"), KeyID: "k", SHA256: strings.Repeat("ab", 32), Reason: "the balancer of HQ",
	}
}

func TestWebhookIsAllowedReplacedAndForbidden(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	ctx := t.Context()
	by := store.Actor{Name: "command line", From: "test", Roles: []string{"admin"}}
	if err := s.AllowWebhook(ctx, by, webhook("balancer")); err != nil {
		t.Fatal(err)
	}
	other := webhook("balancer")
	other.URL, other.SHA256 = "https://lb2.contoso.com/hooks", strings.Repeat("cd", 32)
	if err := s.AllowWebhook(ctx, by, other); err != nil {
		t.Fatal(err)
	}
	all, err := s.Webhooks(ctx)
	if err != nil || len(all) != 1 || all[0].URL != other.URL || all[0].Name != "balancer" || all[0].AllowedBy != "command line" {
		t.Errorf("%+v, %v", all, err)
	}
	if err := s.ForbidWebhook(ctx, by, "balancer", "moved"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Webhook(ctx, "balancer"); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("a forbidden webhook: %v", err)
	}
	if err := s.ForbidWebhook(ctx, by, "balancer", "again"); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("forbidden twice: %v", err)
	}
}

func TestOnlyAnAdminAllowsWebhooks(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	ctx := t.Context()
	for _, role := range []string{"planner", "operator", "auditor", "admin"} {
		id, err := s.AddPerson(ctx, store.Actor{Name: "root", From: "test"}, store.NewPerson{Name: role, Hash: "x", Roles: []string{role}})
		if err != nil {
			t.Fatal(err)
		}
		actor := store.Actor{PersonID: id, Name: role, From: "test", Roles: []string{role}}
		err = s.AllowWebhook(ctx, actor, webhook(role))
		if refused := errors.Is(err, rollout.ErrForbidden); refused != (role != "admin") || !refused && err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
	for name, spoil := range map[string]func(*store.Webhook){
		"name":   func(w *store.Webhook) { w.Name = "a b" },
		"case":   func(w *store.Webhook) { w.Name = "Bad_Name" },
		"reason": func(w *store.Webhook) { w.Reason = " " },
	} {
		w := webhook("fine")
		spoil(&w)
		if err := s.AllowWebhook(ctx, store.Actor{Name: "root", From: "test"}, w); !errors.Is(err, rollout.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
