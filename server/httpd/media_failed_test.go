package httpd_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"wavekeeper/server/store"
)

// TestMediaThatDidNotComeWaitForAPerson: a server that waits for them is on the
// lists of what waits, and its page leads to where they are asked for again.
func TestMediaThatDidNotComeWaitForAPerson(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead, operator, auditor := c.signedIn(t, "lead"), c.signedIn(t, "operator"), c.signedIn(t, "auditor")
	base := submitted(t, lead)
	if _, err := c.store.AddMedia(t.Context(), store.Actor{Name: "wavekeeper"}, store.Medium{
		Package: "sp1", Languages: []string{"en-US"}, Arch: "x64", SetupSHA256: sumOf("setup"), Files: 1, TreeSize: 1, ManifestSHA256: sumOf("manifest"),
		BundleSHA256: sumOf("bundle"), BundleSize: 890_000_000,
	}, []byte("manifest"), ""); err != nil {
		t.Fatal(err)
	}
	if status, page := operator.post(base+"/waves/1/stage", url.Values{"reason": {"early"}}); status != http.StatusOK {
		t.Fatalf("stage: status %d: %s", status, words(page))
	}
	all, err := c.store.Stagings(t.Context(), 0, 0)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	host := all[0].Host.Name
	title := "The media did not come to " + host
	if page := operator.page("/"); strings.Contains(page, title) {
		t.Error("home lists media that are on their way")
	}
	for _, sql := range []string{
		"UPDATE staging SET state = 'failed', ended_at = now(), message = 'the disk is <full>'",
		`UPDATE upgrade SET state = 'held', reasons = '[{"rule": "media-is-not-staged", "text": "The media did not come."}]' WHERE id = (SELECT min(id) FROM upgrade)`,
	} {
		if _, err := c.store.Pool().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	link := `href="` + base + `/waves/1#wave-media"`
	operator.page("/", title, link, "Look and ask again", "the disk is &lt;full&gt;")
	operator.page(base, title, link)
	if page := auditor.page("/"); strings.Contains(page, title) {
		t.Error("an auditor is told to ask for media")
	}
	servers, err := c.store.ServersOfHosts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	operator.page(base+"/upgrades/"+servers[all[0].Host.ID], link, "Media of wave 1", `href="`+base+`/waves/1"`)
	if err := c.store.CancelStaging(t.Context(), store.Actor{Name: "wavekeeper"}, all[0].ID, "the upgrade brings it"); err != nil {
		t.Fatal(err)
	}
	if page := operator.page("/"); strings.Contains(page, title) {
		t.Error("home lists media that were cancelled")
	}
}
