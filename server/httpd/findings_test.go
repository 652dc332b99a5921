package httpd_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"wavekeeper/server/httpd"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// checked has a server's host checked by hand: what a coordinator would save.
func (c console) checked(t *testing.T, server string, found ...preflight.Finding) {
	t.Helper()
	c.checkedFor(t, "sp1", server, found...)
}

func (c console) checkedFor(t *testing.T, pkg, server string, found ...preflight.Finding) {
	t.Helper()
	ctx := t.Context()
	one, err := c.store.ServerByName(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := c.store.AskChecks(ctx, store.Actor{Name: "test"}, store.CheckAsk{Servers: []int64{one.ID}, Package: pkg})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.store.RunByID(ctx, asked.Runs[0])
	if err != nil {
		t.Fatal(err)
	}
	lease, taken, err := c.store.AcquireHost(ctx, "test", r.Host.ID)
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	if err := c.store.BeginRun(ctx, lease, r.ID, r.Generation); err != nil {
		t.Fatal(err)
	}
	save := r.Save()
	save.From, save.To, save.Ended, save.Judged, save.Findings = rollout.Running, rollout.Done, rollout.Done, true, found
	if err := c.store.SaveRun(ctx, lease, save); err != nil {
		t.Fatal(err)
	}
	if err := c.store.ReleaseLease(ctx, lease); err != nil {
		t.Fatal(err)
	}
}

var (
	noBackup = preflight.Finding{Rule: "backup", Severity: preflight.Blocker, Text: "A database has no full backup", Waivable: true, At: time.Now().Add(-time.Hour)}
	stopped  = preflight.Finding{Rule: "msdtc", Severity: preflight.Blocker, Text: "The service MSDTC does not run", Fix: "start-msdtc"}
	fine     = preflight.Finding{Rule: "clock", Severity: preflight.Pass, Text: "The host's clock is right"}
)

// TestAFindingIsAcceptedByTwo: who planned asks, an operator grants it, and it is
// shown wherever the finding is, until somebody takes it back.
func TestAFindingIsAcceptedByTwo(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead, operator := c.signedIn(t, "lead"), c.signedIn(t, "operator")
	submitted(t, lead)
	lead.page("/findings", "no host was checked for SP1 yet")
	c.checked(t, "MBX01", noBackup, stopped, fine)
	lead.page("/findings", "1 host checked for SP1: 2 blockers", "A database has no full backup", "MBX01")
	if page := lead.page("/findings?rule=backup"); strings.Contains(page, "MSDTC does not run") {
		t.Error("the filter by rule shows another rule")
	}
	lead.page("/servers/MBX01", "2 blockers, 0 warnings of 3 rules")
	lead.page("/servers/MBX01/findings?package=sp1", "Accept for a while", "1 rule passed")
	ask := url.Values{"package": {"sp1"}, "rule": {"backup"}, "days": {"7"}, "text": {"another text"}, "reason": {"the backup runs tonight"}}
	if status, page := lead.post("/servers/MBX01/waive", ask); status != 409 || !strings.Contains(page, "not as you saw it") {
		t.Errorf("of another finding than the page showed: status %d: %s", status, words(page))
	}
	ask.Set("text", noBackup.Text)
	if status, page := lead.post("/servers/MBX01/waive", ask); status != 200 || !strings.Contains(page, "An operator who did not plan") {
		t.Fatalf("ask: status %d: %s", status, words(page))
	}
	operator.page("/", "Accept a finding on MBX01: backup", "Look and decide")
	if status, page := operator.post("/waivers/1", url.Values{"ruling": {"grant"}, "reason": {"agreed with the storage team"}}); status != 200 || !strings.Contains(page, "It is accepted.") {
		t.Fatalf("grant: status %d: %s", status, words(page))
	}
	for _, path := range []string{"/findings", "/servers/MBX01/findings?package=sp1", "/servers/MBX01/findings?package=sp1&stored=1"} {
		page := operator.page(path)
		if path != "/servers/MBX01/findings?package=sp1&stored=1" && !strings.Contains(page, "Waived until") {
			t.Errorf("%s does not say that the finding is waived", path)
		}
	}
	operator.page("/findings", "1 blocker, 0 warnings, 1 waived")
	operator.page("/servers/MBX01/findings?package=sp1", "1 blocker, 0 warnings, 1 waived of 3 rules")
	operator.page("/servers/MBX01", "1 blocker, 0 warnings, 1 waived of 3 rules")
	if status, page := operator.post("/waivers/1", url.Values{"ruling": {"withdraw"}, "reason": {"the backup failed"}}); status != 200 || !strings.Contains(page, "taken back") {
		t.Fatalf("withdraw: status %d: %s", status, words(page))
	}
	operator.page("/findings", "2 blockers, 0 warnings")
	c.checked(t, "MBX01", stopped, fine)
	lead.page("/findings", "Gone since the check before", "MBX01: backup")
}

// TestAFixIsOfferedWhereItsFindingIs and never to be approved by who asked.
func TestAFixIsOfferedWhereItsFindingIs(t *testing.T) {
	t.Parallel()
	c := startWith(t, func(o *httpd.Options) {
		o.Fixes = []httpd.Fix{{Name: "start-msdtc", Words: "The service is started", Undo: "The service is stopped again", Before: "Its start type is left as it is."}}
	})
	lead, operator := c.signedIn(t, "lead"), c.signedIn(t, "operator")
	submitted(t, lead)
	c.checked(t, "MBX01", stopped)
	lead.page("/servers/MBX01/findings?package=sp1", "Have it fixed")
	lead.page("/servers/MBX01/fix?name=start-msdtc&host=MBX01&rule=msdtc&package=sp1", "The service is started", "The service is stopped again")
	form := url.Values{"name": {"start-msdtc"}, "host": {"MBX01"}, "rule": {"msdtc"}, "package": {"sp1"}, "reason": {"the check found it"}}
	for _, b := range []*browser{lead, operator} {
		if status, page := b.post("/servers/MBX01/fix", form); b == lead && status != 200 {
			t.Fatalf("ask: status %d: %s", status, words(page))
		} else if b == operator && status != 409 {
			t.Errorf("asked for twice: status %d: %s", status, words(page))
		}
	}
	for _, path := range []string{"/findings?package=sp1", "/servers/MBX01/findings?package=sp1"} {
		if page := words(lead.page(path, "lead asked to have it fixed", "the check found it (it waits for an operator)")); strings.Contains(page, "Have it fixed") {
			t.Errorf("%s offers what was asked for: %s", path, page)
		}
	}
	lead.page("/servers/MBX01/fix?name=start-msdtc&host=MBX01&rule=msdtc&package=sp1", "Fix 1: start-msdtc on MBX01", "the check found it")
	if status, page := lead.get("/servers/MBX01/waive?package=sp1&rule=msdtc"); status != 409 || !strings.Contains(page, "cannot be waived") {
		t.Errorf("a rule that cannot be waived: status %d: %s", status, words(page))
	}
	operator.page("/", "Approve a fix on MBX01: start-msdtc")
	if status, page := lead.post("/fixes/1", url.Values{"ruling": {"approve"}, "reason": {"x"}}); status != 403 {
		t.Errorf("a planner approves: status %d: %s", status, words(page))
	}
	if status, page := operator.post("/fixes/1", url.Values{"ruling": {"approve"}, "reason": {"nothing speaks against it"}}); status != 200 || !strings.Contains(page, "Running") {
		t.Errorf("approve: status %d: %s", status, words(page))
	}
	if status, _ := operator.post("/fixes/1", url.Values{"ruling": {"undo"}, "reason": {"x"}}); status != 409 {
		t.Errorf("undone before it was done: status %d", status)
	}
}

// TestTheOrganizationIsEnteredWithHowItIsKnown in the shape that rules read.
func TestTheOrganizationIsEnteredWithHowItIsKnown(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	submitted(t, lead)
	lead.page("/organization", "Nothing is known of the organization yet", "Not known: the versions")
	for value, want := range map[string]int{"not json": 422, `"text"`: 422, "10637": 200} {
		if status, page := lead.post("/organization", url.Values{"name": {"schema"}, "value": {value}, "reason": {"adsiedit on DC01"}}); status != want {
			t.Errorf("schema %s: status %d, want %d: %s", value, status, want, words(page))
		}
	}
	lead.page("/organization", "10637", "entered by hand", "adsiedit on DC01")
	enter := func(name, value string) string {
		t.Helper()
		status, page := lead.post("/organization", url.Values{"name": {name}, "value": {value}, "reason": {"adsiedit on DC01"}})
		if status != 200 {
			t.Fatalf("%s %s: status %d: %s", name, value, status, words(page))
		}
		return page
	}
	enter("organization", "10666")
	if page := enter("schema", "14622"); !strings.Contains(page, "waits for another operator") {
		t.Errorf("who is held is released: %s", words(page))
	}
	lead.page("/organization", "Waits for a second person", "10637", "is to be 14622", "somebody else has to confirm it", "Take it back")
	if status, page := lead.post("/organization/withdraw", url.Values{"wish": {"1"}, "reason": {"mistyped"}}); status != 200 || !strings.Contains(page, "It is taken back") || strings.Contains(page, "Waits for a second person") {
		t.Errorf("who asked takes it back: status %d: %s", status, words(page))
	}
	enter("schema", "14622")
	if status, page := lead.post("/organization/drop", url.Values{"name": {"organization"}, "reason": {"x"}}); status != 200 || !strings.Contains(page, "waits for another operator") {
		t.Errorf("status %d: %s", status, words(page))
	}
	operator := c.signedIn(t, "operator")
	operator.page("/", "Confirm a fact of the organization: schema is to be 14622", "Look and decide")
	operator.page("/organization", "Refuse")
	if status, page := operator.post("/organization/withdraw", url.Values{"wish": {"2"}, "reason": {"x"}}); status != 409 {
		t.Errorf("another one takes it back: status %d: %s", status, words(page))
	}
	for ruling, want := range map[string]int{"": 422, "confirm": 200} {
		if status, page := operator.post("/organization/decide", url.Values{"wish": {"2"}, "ruling": {ruling}, "reason": {"seen"}}); status != want {
			t.Errorf("status %d: %s", status, words(page))
		}
	}
	operator.page("/organization", "14622", "entered by hand by lead, confirmed by operator")
	operator.page("/rollouts/1/waves/1", "Not read from Active Directory", "entered by hand by lead, confirmed by operator")
	lead.page("/rules", "msdtc", "backup-age-hours")
	lead.page("/rules/msdtc", "280ca216", "no, it has to be cured")
}

// TestWhoApprovesSeesTheLastChecks: a wave whose servers were never checked says
// so, blockers are shown with their words, and what is accepted stands beside.
func TestWhoApprovesSeesTheLastChecks(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead, operator := c.signedIn(t, "lead"), c.signedIn(t, "operator")
	base := submitted(t, lead)
	wave := "/waves/" + waveWith(t, operator, base, "MBX01")
	operator.page(base+wave, "was ever checked for SP1", "Never checked for SP1.")
	c.checked(t, "MBX01", noBackup, stopped, fine)
	page := operator.page(base+wave, "found 2 blockers on 1 host", "backup: A database has no full backup", "/servers/MBX01/findings?package=sp1")
	if strings.Contains(page, "Planning found nothing that speaks against this wave") {
		t.Error("a wave with blockers is said to have nothing against it")
	}
	lead.page("/plans/1", "2 blockers on 1 host", "/findings?package=sp1", "never checked")
	ask := url.Values{"package": {"sp1"}, "rule": {"backup"}, "days": {"7"}, "text": {noBackup.Text}, "reason": {"the backup runs tonight"}}
	if status, page := lead.post("/servers/MBX01/waive", ask); status != 200 {
		t.Fatalf("ask: status %d: %s", status, words(page))
	}
	operator.page(base+wave, "found 2 blockers on 1 host", "asks that it be accepted")
	if status, page := operator.post("/waivers/1", url.Values{"ruling": {"grant"}, "reason": {"agreed"}}); status != 200 {
		t.Fatalf("grant: status %d: %s", status, words(page))
	}
	operator.page(base+wave, "found 1 blocker on 1 host", "1 waived", "backup accepted until", "the backup runs tonight")
	c.checked(t, "MBX01", fine)
	operator.page(base+wave, "found no blocker")
}

// waveWith is the number of the wave that a server is in.
func waveWith(t *testing.T, b *browser, base, server string) string {
	t.Helper()
	for n := 1; n < 9; n++ {
		if page := b.page(base + "/waves/" + strconv.Itoa(n)); strings.Contains(page, "/servers/"+server+`"`) {
			return strconv.Itoa(n)
		}
	}
	t.Fatalf("no wave has %s", server)
	return ""
}

// TestAFailedPreflightLeadsToItsCure: an upgrade that its preflight stopped says
// what can be done, without a check beside it.
func TestAFailedPreflightLeadsToItsCure(t *testing.T) {
	t.Parallel()
	c := startWith(t, func(o *httpd.Options) {
		o.Fixes = []httpd.Fix{{Name: "start-msdtc", Words: "The service is started", Undo: "The service is stopped again", Before: "Its start type is left as it is."}}
	})
	lead, operator, auditor := c.signedIn(t, "lead"), c.signedIn(t, "operator"), c.signedIn(t, "auditor")
	base := submitted(t, lead) + "/upgrades/MBX01"
	c.stands(t, rollout.Failed)
	c.db.Admin(t, `INSERT INTO finding (upgrade_id, node, rule, severity, evidence, remedy)
		SELECT u.id, '', f.rule, 'blocker', f.found, 'cure it' FROM upgrade u JOIN server s ON s.id = u.server_id,
		(VALUES ('backup-recent', 'No full backup of DB1'), ('msdtc', 'MSDTC Stopped'), ('no-backup-running', 'A backup runs'), ('interrupted-setup', 'Watermark of Mailbox')) AS f(rule, found) WHERE s.name = 'MBX01'`)
	page := lead.page(base, "No full backup of DB1", "/servers/MBX01/waive?package=sp1&amp;rule=backup-recent", "/servers/MBX01/fix?host=MBX01&amp;name=start-msdtc", "/recovery/interrupted-setup")
	if strings.Contains(page, "rule=no-backup-running") {
		t.Error("what has to be cured can be accepted")
	}
	if page := auditor.page(base); strings.Contains(page, "Have it fixed") {
		t.Error("an auditor is offered a fix")
	}
	lead.page("/servers/MBX01/waive?package=sp1&rule=backup-recent", "No full backup of DB1", "Ask for it")
	ask := url.Values{"package": {"sp1"}, "rule": {"backup-recent"}, "days": {"7"}, "text": {"No full backup of DB1"}, "reason": {"the backup runs tonight"}}
	if status, page := lead.post("/servers/MBX01/waive", ask); status != 200 {
		t.Fatalf("ask: status %d: %s", status, words(page))
	}
	operator.page(base, "asks that it be accepted")
}

// TestAPlanOfTwoPackagesShowsTheChecksForBoth: what a check for the rollup finds
// about the service pack that is still missing is no trouble, and nothing of it
// keeps a server from starting.
func TestAPlanOfTwoPackagesShowsTheChecksForBoth(t *testing.T) {
	t.Parallel()
	both := runbook
	both.Name += "-and-rollup"
	c := startWith(t, func(o *httpd.Options) { o.Runbooks = both })
	lead, operator := c.signedIn(t, "lead"), c.signedIn(t, "operator")
	base := submittedThen(t, lead, "sp1-ru4")
	wave := "/waves/" + waveWith(t, operator, base, "MBX01")
	for _, b := range []*browser{lead, operator} {
		for _, path := range []string{"/plans/1", base + wave} {
			b.page(path, "was ever checked for SP1: what", "None of its hosts was ever checked for SP1 RU4, which follows SP1.")
		}
	}
	c.checked(t, "MBX01", noBackup)
	c.checkedFor(t, "sp1-ru4", "MBX01", preflight.Finding{Rule: "rollup-level", Severity: preflight.Blocker, Text: "The rollup is for another service pack"}, stopped)
	for _, path := range []string{"/plans/1", base + wave} {
		page := operator.page(path, "for SP1 found 1 blocker on 1 host: each keeps", "for SP1 RU4 found 1 blocker on 1 host: a server starts all the same", "/findings?package=sp1-ru4")
		if strings.Contains(page, "another service pack") {
			t.Errorf("%s tells of the service pack that the first package brings", path)
		}
	}
	operator.page(base+wave, "msdtc: The service MSDTC does not run")
}

// TestCancelledChecksSayHowFarTheyCame: hosts that were never asked do not count.
func TestCancelledChecksSayHowFarTheyCame(t *testing.T) {
	t.Parallel()
	c := start(t)
	lead := c.signedIn(t, "lead")
	submitted(t, lead)
	if status, page := lead.post("/findings/check", url.Values{"package": {"sp1"}}); status != 200 {
		t.Fatalf("ask: status %d: %s", status, words(page))
	}
	lead.page("/findings?package=sp1", "0 of ", "Cancel these checks")
	status, page := lead.post("/findings/cancel", url.Values{"batch": {"1"}, "package": {"sp1"}, "reason": {"the wrong fleet"}})
	if text := words(page); status != 200 || !strings.Contains(text, "cancelled after 0 of ") || !strings.Contains(text, "by lead") || strings.Contains(text, " over") {
		t.Errorf("status %d: %s", status, text)
	}
}
