package httpd_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/httpd"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// offer has MBX01 show a certificate that nobody confirmed.
func offer(t *testing.T, s *store.Store, digit string) (address string) {
	t.Helper()
	host, err := s.HostNamed(t.Context(), "MBX01")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.OfferPin(t.Context(), store.Pin{
		HostID: host.ID, SHA256: strings.Repeat(digit, 64), Subject: "CN=mbx01.example.org", Issuer: "CN=mbx01.example.org",
		NotBefore: time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	open, err := s.OpenPins(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("OpenPins = %v, %v, want one", open, err)
	}
	return "/servers/MBX01/certificates/" + ids(open[0].ID)
}

func ids(id int64) string { return strconv.FormatInt(id, 10) }

// TestAnAdminConfirmsTheCertificateThatAHostShowsFirst: shown in full, on the
// server's page and at home, and decided with a reason by who has the right.
func TestAnAdminConfirmsTheCertificateThatAHostShowsFirst(t *testing.T) {
	t.Parallel()
	c := start(t)
	submitted(t, c.signedIn(t, "lead"))
	admin, operator := c.signedIn(t, "admin"), c.signedIn(t, "operator")
	whole := strings.TrimSuffix(strings.Repeat("AA:", 32), ":")
	at := offer(t, c.store, "a")
	admin.page("/", "Trust the certificate of MBX01", whole, "nobody confirmed")
	operator.page("/", "nobody confirmed", "An admin compares")
	admin.page("/servers/MBX01", "Waits for a person", whole, "CN=mbx01.example.org", "2028-01-01")
	admin.page(at, whole, "this is the first contact", "kept on record")
	operator.page(at, "Only an admin can do this")
	given := url.Values{"verdict": {"trust"}, "sha256": {strings.Repeat("a", 64)}, "reason": {"compared at the console"}}
	if status, _ := operator.post(at, given); status != http.StatusForbidden {
		t.Errorf("confirmed by an operator: status %d, want 403", status)
	}
	other := url.Values{"verdict": {"trust"}, "sha256": {strings.Repeat("b", 64)}, "reason": {"x"}}
	if status, _ := admin.post(at, other); status != http.StatusConflict {
		t.Errorf("confirmed with the sum of another: status %d, want a conflict", status)
	}
	if status, _ := admin.post(at, url.Values{"verdict": {"trust"}, "sha256": {strings.Repeat("a", 64)}}); status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
		t.Errorf("confirmed without a reason: status %d, want a refusal", status)
	}
	if status, page := admin.post(at, given); status != http.StatusOK || !strings.Contains(page, "is known by that certificate now") {
		t.Errorf("confirmed by an admin: status %d", status)
	}
	admin.page("/servers/MBX01", "Known by it", "compared at the console")
	admin.page("/history?kind=pin.confirm", "Certificate trusted", "compared at the console")

	at = offer(t, c.store, "b")
	admin.page(at, whole, strings.TrimSuffix(strings.Repeat("BB:", 32), ":"), "Trust the new certificate of MBX01")
	given = url.Values{"verdict": {"reject"}, "sha256": {strings.Repeat("b", 64)}, "reason": {"nobody renewed it"}}
	if status, page := admin.post(at, given); status != http.StatusOK || !strings.Contains(page, "nothing is sent to MBX01") {
		t.Errorf("rejected by an admin: status %d", status)
	}
	admin.page("/servers/MBX01", "Rejected", "nobody renewed it", `href="`+at+`"`, "Trust the rejected certificate")
	if page := admin.page(at, "take the rejection back", "kept on record"); strings.Contains(page, `value="reject"`) {
		t.Error("what is rejected can be rejected")
	}
	given = url.Values{"verdict": {"trust"}, "sha256": {strings.Repeat("b", 64)}, "reason": {"it was renewed after all"}}
	if status, page := admin.post(at, given); status != http.StatusOK || !strings.Contains(page, "is known by that certificate now") {
		t.Errorf("the rejection taken back: status %d", status)
	}
}

// TestARefusedCredentialIsToldToEverybody: why, since when, who can end it, and
// an admin has it tried again.
func TestARefusedCredentialIsToldToEverybody(t *testing.T) {
	t.Parallel()
	c := start(t)
	submitted(t, c.signedIn(t, "lead"))
	admin, auditor := c.signedIn(t, "admin"), c.signedIn(t, "auditor")
	profile, err := c.store.ProfileByName(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	err = c.store.SetCredential(t.Context(), store.Actor{Name: "test"}, store.SealedCredential{ProfileID: profile.ID, Purpose: store.PurposeWinRM, Account: "wk", Sealed: []byte("x"), KeyID: "k"})
	if err != nil {
		t.Fatal(err)
	}
	cred, err := c.store.CredentialFor(t.Context(), profile.ID, store.PurposeWinRM)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.store.NoteRefusal(t.Context(), cred, 0, "the account <b>expired</b>"); err != nil {
		t.Fatal(err)
	}
	auditor.page("/", "The account wk of profile default is refused", "the account &lt;b&gt;expired", "An admin sets the right secret")
	auditor.page("/servers/MBX01", "Not used here", "has it tried again", "wk")
	auditor.page("/servers", `href="/profiles"`)
	auditor.page("/profiles", "refused", "Basic over https")
	auditor.page("/profiles/default", "the account &lt;b&gt;expired", "Have it tried again", "version 1, never shown")
	auditor.page("/history?kind=credential.refused", "Credential refused")
	given := url.Values{"reason": {"unlocked"}}
	if status, _ := auditor.post("/profiles/default/retry", given); status != http.StatusForbidden {
		t.Errorf("tried again by an auditor: status %d, want 403", status)
	}
	admin.page("/", "Look and decide")
	admin.page("/profiles/default/retry", "one more failed logon")
	if status, page := admin.post("/profiles/default/retry", given); status != http.StatusOK || !strings.Contains(page, "tried again, at one host first") {
		t.Errorf("tried again by an admin: status %d", status)
	}
	admin.page("/history?kind=credential.retry", "unlocked")
	if status, _ := admin.post("/profiles/default/retry", given); status != http.StatusConflict {
		t.Errorf("tried again when nothing stands against it: status %d, want a conflict", status)
	}
}

// TestAChangedCertificateIsADecisionOfTheUpgrade: beside "Stop waiting", with the
// page where both fingerprints stand; who may not decide is told who may.
func TestAChangedCertificateIsADecisionOfTheUpgrade(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.OutOfSight)
	c.db.Admin(t, "UPDATE profile SET trust = 'first-use', https = true, plain_basic = false")
	admin, operator := c.signedIn(t, "admin"), c.signedIn(t, "operator")
	if page := operator.page(base); strings.Contains(page, "Trust the") {
		t.Error("a certificate is to be trusted that nobody offered")
	}
	if err := c.store.AddPin(t.Context(), store.Actor{Name: "test"}, "MBX01", strings.Repeat("a", 64), "read at the console"); err != nil {
		t.Fatal(err)
	}
	at := offer(t, c.store, "b")
	body := admin.page(base, "Trust the new certificate", `href="`+at+`"`, "nothing is started a second time", "shows a certificate that is not trusted", "before an admin has decided about the certificate of MBX01")
	if strings.Contains(body, "Nothing has to be decided") {
		t.Error("nothing has to be decided, and a decision stands below it")
	}
	if page := operator.page(base, "Trust the new certificate", base+"/doubt", "Only an admin can do this."); strings.Contains(page, `href="`+at+`"`) {
		t.Error("an operator is led to a decision of an admin")
	}
	admin.page(at, strings.TrimSuffix(strings.Repeat("BB:", 32), ":"), strings.TrimSuffix(strings.Repeat("AA:", 32), ":"),
		"The certificate of MBX01 changed, and Setup was begun there and may run", "Out of sight", "step Setup", "SHA256Managed")

	// Rejected, it is in the upgrade's way until the rejection is taken back.
	given := url.Values{"verdict": {"reject"}, "sha256": {strings.Repeat("b", 64)}, "reason": {"nobody renewed it"}}
	if status, _ := admin.post(at, given); status != http.StatusOK {
		t.Fatalf("rejected: status %d", status)
	}
	admin.page(base, "Trust the rejected certificate", `href="`+at+`"`, "nobody renewed it")
	admin.page("/", "Trust the rejected certificate of MBX01", `href="`+at+`"`)
	c.db.Admin(t, "UPDATE upgrade SET last_heard_at = now() WHERE state = 'out-of-sight'")
	if page := admin.page("/"); strings.Contains(page, "Trust the rejected") {
		t.Error("a rejected certificate counts though its host was heard of since")
	}
}

// TestACertificateOfTheProfileIsKnownToo: a host that shows another than its
// profile's is no first contact; how Windows shows it stands beside, to compare.
func TestACertificateOfTheProfileIsKnownToo(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.OutOfSight)
	c.db.Admin(t, "UPDATE profile SET trust = 'pin', https = true, plain_basic = false, pins = '{"+strings.Repeat("a", 64)+"}'")
	admin := c.signedIn(t, "admin")
	at := offer(t, c.store, "b")
	host, err := c.store.HostNamed(t.Context(), "MBX01")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.store.KeepPinForWindows(t.Context(), host.ID, strings.Repeat("b", 64), strings.Repeat("c", 40), "0d0e"); err != nil {
		t.Fatal(err)
	}
	old := strings.TrimSuffix(strings.Repeat("AA:", 32), ":")
	page := admin.page(at, old, "Trust the new certificate", "The certificate of MBX01 changed", strings.TrimSuffix(strings.Repeat("CC:", 20), ":"), "0d0e", "Thumbprint (SHA-1)")
	if strings.Contains(page, "first contact") {
		t.Error("a certificate other than the profile's is called a first contact")
	}
	admin.page(base, "Trust the new certificate")
	admin.page("/servers/MBX01", old, "Known by its profile")
}

// TestASecretUnderAnotherKeyIsSaid: the console that cannot open it says so.
func TestASecretUnderAnotherKeyIsSaid(t *testing.T) {
	t.Parallel()
	c := startWith(t, func(o *httpd.Options) { o.KeyID = "0123456789abcdef" })
	set := func(key string) {
		err := c.store.SetCredential(t.Context(), store.Actor{Name: "test"}, store.SealedCredential{ProfileID: 1, Purpose: store.PurposeWinRM, Account: "wk", Sealed: []byte("x"), KeyID: key})
		if err != nil {
			t.Fatal(err)
		}
	}
	auditor := c.signedIn(t, "auditor")
	set("fedcba9876543210")
	auditor.page("/profiles/default", "sealed under the key fedcba9876543210, and this console has the key 0123456789abcdef")
	auditor.page("/profiles", "sealed under another key")
	set("0123456789abcdef")
	if page := auditor.page("/profiles"); strings.Contains(page, "another key") {
		t.Error("a secret under this console's key is called another's")
	}
}
