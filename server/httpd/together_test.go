package httpd_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"wavekeeper/server/store"
)

// streamOf opens the stream of a page; until reads on to a text, end to its end.
func (b *browser) streamOf(path string) (until func(string) string, end func() error) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { response.Body.Close() })
	rest, piece := "", make([]byte, 64<<10)
	until = func(text string) string {
		b.t.Helper()
		for !strings.Contains(rest, text) {
			n, err := response.Body.Read(piece)
			rest += string(piece[:n])
			if err != nil && !strings.Contains(rest, text) {
				b.t.Fatalf("the stream of %s ended before %q: %v", path, text, err)
			}
		}
		before, after, _ := strings.Cut(rest, text)
		rest = after
		return before + text
	}
	end = func() error {
		_, err := io.ReadAll(response.Body)
		return err
	}
	return until, end
}

func TestOpenStreamFollowsTheRightsOfItsViewer(t *testing.T) {
	t.Parallel()
	c := start(t)
	base := submitted(t, c.signedIn(t, "lead"))
	p, err := c.store.PersonByName(t.Context(), "operator")
	if err != nil {
		t.Fatal(err)
	}
	until, end := c.signedIn(t, "operator").streamOf(base + "/stream")
	until("Look and approve")
	actor := store.Actor{Name: "test"}
	if err := c.store.SetRoles(t.Context(), actor, p.ID, []string{"auditor"}); err != nil {
		t.Fatal(err)
	}
	if next := until(`hx-target="#decisions"`) + until("</hx-partial>"); strings.Contains(next, "Look and approve") {
		t.Errorf("what is drawn for an auditor still offers the approval: %s", words(next))
	}
	if err := c.store.SetDisabled(t.Context(), actor, p.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil {
		t.Errorf("the stream of a disabled person did not end by itself: %v", err)
	}
}

func TestSecondOfTwoPeopleSeesWhoWasQuickerAndWhen(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead, operator := c.signedIn(t, "lead"), c.signedIn(t, "operator")
	base := submitted(t, lead)
	given := form(t, operator.page(base+"/stop"))
	given.Set("reason", "mine")
	if status, page := lead.post(base+"/stop", url.Values{"reason": {"wrong fleet"}}); status != http.StatusOK {
		t.Fatalf("stop: status %d: %s", status, words(page))
	}
	if status, page := operator.post(base+"/stop", given); status != http.StatusConflict || !strings.Contains(page, "The rollout was waiting when you opened the page; now it is stopped. Nothing was done.") {
		t.Errorf("stop from a stale page: status %d: %s", status, words(page))
	}
	for _, path := range []string{base + "/stop", base + "/waves/1/approve"} {
		status, page := operator.post(path, url.Values{"reason": {"mine"}, "seen": {"anything"}})
		if status != http.StatusConflict || !strings.Contains(page, "lead stopped the rollout: wrong fleet") || !strings.Contains(page, "What happened last") || !strings.Contains(page, "<time ") {
			t.Errorf("POST %s after the other: status %d: %s", path, status, words(page))
		}
	}
}
