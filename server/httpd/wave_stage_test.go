package httpd_test

import (
	"net/http"
	"net/url"
	"strconv"
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
	operator.page(base+"/waves/1", "not before ", "Bring the media to the hosts", "for another time")
	if status, page := operator.post(base+"/waves/1/stage", url.Values{"reason": {"sooner"}, "not_before": {"2035-05-02T22:00"}}); status != http.StatusOK || !strings.Contains(page, "Another time for "+all[0].Host.Name+".") {
		t.Errorf("another time: status %d: %s", status, words(page))
	}
	if status, page := operator.post(base+"/waves/1/stage", url.Values{"reason": {"past"}, "not_before": {"2006-05-02T22:00"}}); status == http.StatusOK || !strings.Contains(page, "2006-05-02 22:00 UTC is over already") {
		t.Errorf("a time that is over: status %d: %s", status, words(page))
	}
	if g, err := c.store.StagingByID(t.Context(), all[0].ID); err != nil || g.NotBefore.Year() != 2035 || g.Reason != "sooner" {
		t.Errorf("asked again it is %+v, %v", g, err)
	}

	id := strconv.FormatInt(all[0].ID, 10)
	operator.page(base+"/waves/1", `action="`+base+`/waves/1/unstage"`, `name="staging" value="`+id+`"`)
	if page := auditor.page(base + "/waves/1"); strings.Contains(page, "/unstage") {
		t.Error("an auditor is offered to cancel")
	}
	if status, _ := auditor.post(base+"/waves/1/unstage", url.Values{"staging": {id}, "reason": {"x"}}); status != http.StatusForbidden {
		t.Errorf("an auditor cancels: status %d", status)
	}
	for _, wrong := range []url.Values{{"staging": {"999"}, "reason": {"x"}}, {"reason": {"x"}}, {"staging": {id}}} {
		if status, page := operator.post(base+"/waves/1/unstage", wrong); status == http.StatusOK {
			t.Errorf("cancel with %v: %s", wrong, words(page))
		}
	}
	status, page = operator.post(base+"/waves/1/unstage", url.Values{"staging": {id}, "reason": {"not this <night>"}})
	if status != http.StatusOK || !strings.Contains(page, "Cancelled on ") || strings.Contains(page, "/unstage") {
		t.Errorf("cancel: status %d: %s", status, words(page))
	}
	if g, err := c.store.StagingByID(t.Context(), all[0].ID); err != nil || g.State != rollout.Skipped || !strings.Contains(g.Message, "not this <night>") {
		t.Errorf("cancelled it is %+v, %v", g, err)
	}
}
