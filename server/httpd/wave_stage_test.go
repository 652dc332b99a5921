package httpd_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// TestMediaOfAWaveAreAskedForOnItsPage: what is bound is shown with the hash of
// every file, and an operator brings it to the hosts before anybody approves.
func TestMediaOfAWaveAreAskedForOnItsPage(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead, operator, auditor := c.signedIn(t, "lead"), c.signedIn(t, "operator"), c.signedIn(t, "auditor")
	base := submitted(t, lead)
	if page := operator.page(base + "/waves/1"); strings.Contains(page, "wave-media") {
		t.Error("a package that lies on the hosts already shows media")
	}
	if _, err := c.store.AddMedia(t.Context(), store.Actor{Name: "wavekeeper"}, store.Medium{
		Package: "sp1", Languages: []string{"en-US"}, Arch: "x64", SetupSHA256: sumOf("setup"), Files: 1, TreeSize: 1, ManifestSHA256: sumOf("manifest"),
		BundleSHA256: sumOf("bundle"), BundleSize: 890_000_000,
	}, []byte("manifest"), ""); err != nil {
		t.Fatal(err)
	}
	operator.page(base+"/waves/1", "nobody asked for it yet", sumOf("manifest"), "Bring the media to the hosts", `action="`+base+`/waves/1/stage"`)
	if page := auditor.page(base + "/waves/1"); strings.Contains(page, "/waves/1/stage") {
		t.Error("an auditor is offered to stage")
	}
	if status, _ := auditor.post(base+"/waves/1/stage", url.Values{"reason": {"x"}}); status != http.StatusForbidden {
		t.Errorf("an auditor stages: status %d", status)
	}
	if status, page := operator.post(base+"/waves/1/stage", url.Values{"reason": {""}}); status == http.StatusOK {
		t.Errorf("without a reason: %s", words(page))
	}
	status, page := operator.post(base+"/waves/1/stage", url.Values{"reason": {"before the <weekend>"}, "not_before": {"2036-05-02T22:00"}})
	if status != http.StatusOK || !strings.Contains(page, "The media are asked for on 1 host.") {
		t.Errorf("stage: status %d: %s", status, words(page))
	}
	all, err := c.store.Stagings(t.Context(), 0, 0)
	if err != nil || len(all) != 1 || all[0].State != rollout.Waiting || all[0].NotBefore.Year() != 2036 || all[0].Reason != "before the <weekend>" {
		t.Errorf("asked for %+v, %v", all, err)
	}
	operator.page("/history", "before the &lt;weekend&gt;")
}
