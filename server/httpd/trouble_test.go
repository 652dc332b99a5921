package httpd_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/net/html"

	"wavekeeper/server/rollout"
)

// markersReg is the markers of two roles as regedit.exe exports them.
const markersReg = "Windows Registry Editor Version 5.00\r\n" +
	"\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Exchange\\v8.0\\MailboxRole]\r\n\"Action\"=\"BuildToBuildUpgrade\"\r\n" +
	"\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Exchange\\v8.0\\MailboxRole]\r\n\"Watermark\"=\"2a2fa9a4-\\\\-<b>\"\r\n"

func utf16Bytes(s string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// stands puts MBX01 into a state, as ticks that nobody runs here would have.
func (c console) stands(t *testing.T, state rollout.State) {
	t.Helper()
	at := string(state)
	c.db.Admin(t,
		"UPDATE rollout SET state = 'running', started_at = now() - interval '2 hours' WHERE id = 1",
		fmt.Sprintf(`UPDATE upgrade SET state = '%s', step = 'setup', started_at = now() - interval '1 hour', last_heard_at = now() - interval '20 minutes', output_at = now() - interval '30 minutes',
			due_at = now(), decision = '', returns = '', unwinding = false, skipping = false, repaired = false, ended_at = NULL, phase = 'Configuring Mailbox role', percent = 62, message = 'Setup began and did not end' WHERE server_id = (SELECT id FROM server WHERE name = 'MBX01')`, at),
		fmt.Sprintf("UPDATE step SET state = '%s', started_at = now() - interval '50 minutes' WHERE name = 'setup' AND upgrade_id = (SELECT u.id FROM upgrade u JOIN server s ON s.id = u.server_id WHERE s.name = 'MBX01')", at),
		"DELETE FROM step WHERE position > 100",
		"UPDATE step SET state = 'done', started_at = now() - interval '1 hour', ended_at = now() - interval '50 minutes' WHERE name = 'facts' AND upgrade_id = (SELECT u.id FROM upgrade u JOIN server s ON s.id = u.server_id WHERE s.name = 'MBX01')",
	)
}

// shows keeps evidence of MBX01.
func (c console) shows(t *testing.T, kind, name string, data []byte) {
	t.Helper()
	c.db.Admin(t, fmt.Sprintf(`INSERT INTO evidence (upgrade_id, host_id, attempt, step, kind, name, data, sha256)
		SELECT u.id, h.host_id, 1, 'setup', '%s', '%s', '\x%x', '%x' FROM upgrade u JOIN server s ON s.id = u.server_id JOIN server_host h ON h.server_id = s.id WHERE s.name = 'MBX01'`,
		kind, name, data, sha256.Sum256(data)))
}

// form is what the form of a page that asks carries back.
func form(t *testing.T, page string) url.Values {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	values := url.Values{}
	for n := range doc.Descendants() {
		if n.Data != "input" || !slices.Contains(n.Attr, html.Attribute{Key: "type", Val: "hidden"}) {
			continue
		}
		name, value := "", ""
		for _, a := range n.Attr {
			switch a.Key {
			case "name":
				name = a.Val
			case "value":
				value = a.Val
			}
		}
		values.Set(name, value)
	}
	return values
}

// in gives a console with MBX01 in a state, and its upgrade's address.
func in(t *testing.T, state rollout.State) (console, string) {
	t.Helper()
	c := start(t)
	base := submitted(t, c.signedIn(t, "lead")) + "/upgrades/MBX01"
	c.stands(t, state)
	return c, base
}

func TestInterruptedUpgradeSaysWhatIsKnownSafeAndToDecide(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Interrupted)
	c.shows(t, "registry", "markers.reg", utf16Bytes(markersReg))
	c.shows(t, "sessions", "sessions", []byte("session 2: CONTOSO\\maria\r\nroles without WMI: query: The RPC server is unavailable.\r\nsystem without WMI: query: no\r\n"))
	operator := c.signedIn(t, "operator")
	operator.page(base, "What is known", "What is safe", "What you can decide", "Last contact", "Configuring Mailbox role",
		`MailboxRole\Action`, "BuildToBuildUpgrade", "2a2fa9a4-\\-&lt;b&gt;", "session 2: CONTOSO\\maria", "WMI did not answer on the host. Read without it: roles, system.",
		base+"/retry", base+"/verify", base+"/look", base+"/clear", base+"/skip", "Stop the rollout", "Setup is meant to go on from its Watermark", "2 values are deleted on the host")
	page := operator.page(base)
	if strings.Contains(page, "RPC server") {
		t.Error("WMI's own words stand where it says who is on the host")
	}
	if strings.Contains(page, base+"/undo") || strings.Contains(page, "skip?leave") {
		t.Errorf("decisions are offered that the store refuses: %s", words(page))
	}
	auditor := c.signedIn(t, "auditor").page(base, "Only an operator can do this.", "Only a planner or an operator can do this.")
	if strings.Contains(auditor, `href="`+base+"/clear") {
		t.Error("an auditor is led to a decision")
	}
	home := operator.page("/", "Decide about MBX01", base+"/look", base+"/retry", base+"/verify", base+"/skip")
	if strings.Contains(home, base+"/clear") {
		t.Error("the home page leads straight to a break-glass action")
	}
	operator.page("/rollouts/1", "Decide about MBX01")
}

func TestDecisionsAreThoseOfTheState(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Waiting)
	operator := c.signedIn(t, "operator")
	for state, want := range map[rollout.State][]string{
		rollout.OutOfSight:  {"look", "doubt"},
		rollout.Interrupted: {"look", "retry", "verify", "clear", "skip"},
		rollout.Unknown:     {"look", "retry", "verify", "clear", "skip"},
		rollout.Failed:      {"retry", "verify", "clear", "skip"},
		rollout.Running:     nil,
		rollout.Waiting:     {"verify", "skip"},
	} {
		t.Run(string(state), func(t *testing.T) {
			c.stands(t, state)
			page := operator.page(base)
			for _, verb := range []string{"look", "doubt", "retry", "verify", "clear", "undo", "skip"} {
				offered := strings.Contains(page, `href="`+base+"/"+verb+`"`)
				if offered != slices.Contains(want, verb) {
					t.Errorf("%s: %s offered = %t", state, verb, offered)
				}
				asks := operator.page(base + "/" + verb)
				if possible := !strings.Contains(asks, "disabled>"); possible != slices.Contains(want, verb) {
					t.Errorf("%s: the page of %s can be confirmed = %t: %s", state, verb, possible, words(asks))
				}
				if slices.Contains(want, verb) {
					continue
				}
				given := form(t, asks)
				given.Set("reason", "because")
				given.Set("typed", "MBX01")
				if status, answer := operator.post(base+"/"+verb, given); status != http.StatusConflict {
					t.Errorf("%s: POST %s: status %d: %s", state, verb, status, words(answer))
				}
			}
		})
	}
}

// TestASetupThatIsWaitedForIsNoLostHost: a step that can be repeated waits for a Setup that runs, on
// a host that answers, and its limit makes it unknown, too.
func TestASetupThatIsWaitedForIsNoLostHost(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.OutOfSight)
	const ofMBX01 = " AND upgrade_id = (SELECT u.id FROM upgrade u JOIN server s ON s.id = u.server_id WHERE s.name = 'MBX01')"
	c.db.Admin(t,
		"UPDATE step SET state = 'failed', ended_at = now() WHERE name = 'setup'"+ofMBX01,
		"UPDATE step SET state = 'out-of-sight', started_at = now() - interval '5 minutes' WHERE name = 'tidy'"+ofMBX01,
		"UPDATE upgrade SET step = 'tidy', unwinding = true WHERE state = 'out-of-sight'",
	)
	body := c.signedIn(t, "operator").page(base, "A Setup runs on MBX01", "when nothing of Setup runs any more", "the outcome counts as unknown")
	for _, wrong := range []string{"MBX01 does not answer", "the step fails"} {
		if strings.Contains(body, wrong) {
			t.Errorf("the page says %q", wrong)
		}
	}
}

func TestOutOfSightSaysHowFarItsLimitsAre(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.OutOfSight)
	operator := c.signedIn(t, "operator")
	operator.page(base, "does not answer", "The step's limits", "in 1 h 9 min", "in 5 h 9 min", "Setup is not started a second time", "Nothing has to be decided; who knows that it will not, may stop waiting.")
	operator.page("/rollouts/1", "last heard ", "Out of sight: MBX01.")
	operator.page("/", "MBX01 is out of sight")
	given := form(t, operator.page(base+"/look"))
	if status, page := operator.post(base+"/look", given); status != http.StatusOK || !strings.Contains(page, "MBX01 is asked now.") {
		t.Errorf("look: status %d: %s", status, words(page))
	}
	operator.page(base, "in 5 h 59 min")
}

func TestEachDecisionIsDoneOnceByWhoMayOnWhatHeSaw(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Interrupted)
	c.shows(t, "registry", "markers.reg", utf16Bytes(markersReg))
	operator, lead := c.signedIn(t, "operator"), c.signedIn(t, "lead")
	for verb, done := range map[string]string{
		"verify": "MBX01 is verified now.", "look": "MBX01 is asked now.", "clear": "are kept on record and cleared now.", "undo": "are put back now.", "retry": "is tried again", "skip": "MBX01 is skipped once",
	} {
		t.Run(verb, func(t *testing.T) {
			c.stands(t, rollout.Interrupted)
			c.db.Admin(t, `INSERT INTO marker (upgrade_id, host_id, role, name, kind, value, cleared_by)
				SELECT u.id, h.host_id, 'MailboxRole', 'Action', 'REG_SZ', 'Install', 'operator' FROM upgrade u JOIN server s ON s.id = u.server_id JOIN server_host h ON h.server_id = s.id WHERE s.name = 'MBX01'`)
			given := form(t, operator.page(base+"/"+verb))
			given.Set("reason", "repaired by hand, change 4713 "+verb)
			given.Set("typed", "mbx01")
			if status, page := lead.post(base+"/"+verb, given); status != http.StatusForbidden {
				t.Errorf("as a planner: status %d: %s", status, words(page))
			}
			if status, page := operator.post(base+"/"+verb, given); status != http.StatusOK || !strings.Contains(page, done) {
				t.Fatalf("status %d: %s", status, words(page))
			}
			status, page := operator.post(base+"/"+verb, given)
			if status != http.StatusConflict || !strings.Contains(page, "Nothing was done.") || !strings.Contains(page, "What happened last") || !strings.Contains(page, "operator") {
				t.Errorf("a second time: status %d: %s", status, words(page))
			}
			lead.page("/history", "change 4713 "+verb)
		})
	}
}

func TestDecisionOfAStalePageIsRefusedInWords(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Interrupted)
	operator, lead := c.signedIn(t, "operator"), c.signedIn(t, "lead")
	for _, verb := range []string{"verify", "look", "clear", "retry", "skip"} {
		given := form(t, operator.page(base+"/"+verb))
		given.Set("reason", "because")
		given.Set("typed", "MBX01")
		c.stands(t, rollout.Unknown)
		status, page := operator.post(base+"/"+verb, given)
		if status != http.StatusConflict || !strings.Contains(page, "MBX01 was interrupted at the step Setup, attempt 1, when you opened the page; now it is unknown") {
			t.Errorf("%s after the state changed: status %d: %s", verb, status, words(page))
		}
		c.stands(t, rollout.Interrupted)
	}
	given := form(t, operator.page(base+"/retry"))
	given.Set("reason", "because")
	if status, page := lead.post("/rollouts/1/pause", url.Values{"reason": {"lunch"}}); status != http.StatusOK {
		t.Fatalf("pause: status %d: %s", status, words(page))
	}
	status, page := operator.post(base+"/retry", given)
	if status != http.StatusConflict || !strings.Contains(page, "The rollout was running when you opened the page; now it is paused.") || !strings.Contains(page, "lead paused the rollout: lunch") {
		t.Errorf("run again after a pause: status %d: %s", status, words(page))
	}
	operator.page(base+"/retry", "waits until the rollout is resumed")
}

func TestClearAsksForTheNameAndShowsTheValues(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Interrupted)
	c.shows(t, "registry", "markers.reg", utf16Bytes(markersReg))
	operator := c.signedIn(t, "operator")
	page := operator.page(base+"/clear", `HKLM\SOFTWARE\Microsoft\Exchange\v8.0\MailboxRole\Watermark`, "2a2fa9a4-\\-&lt;b&gt;", "the sources disagree", "InstallWatermark", "Clear 2 values on MBX01", `name="typed"`)
	given := form(t, page)
	given.Set("reason", "Setup refuses")
	for _, typed := range []string{"", "MBX02"} {
		given.Set("typed", typed)
		if status, page := operator.post(base+"/clear", given); status != http.StatusUnprocessableEntity || !strings.Contains(page, "Nothing was done.") {
			t.Errorf("typed %q: status %d: %s", typed, status, words(page))
		}
	}
	given.Set("typed", "MBX01")
	c.shows(t, "registry", "markers.reg", utf16Bytes(strings.Replace(markersReg, "BuildToBuildUpgrade", "DisasterRecovery", 1)))
	if status, page := operator.post(base+"/clear", given); status != http.StatusConflict || !strings.Contains(page, "were read anew since you opened the page") {
		t.Errorf("values that changed: status %d: %s", status, words(page))
	}
	given = form(t, operator.page(base+"/clear", "DisasterRecovery"))
	given.Set("typed", "MBX01")
	if status, page := operator.post(base+"/clear", given); status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: status %d: %s", status, words(page))
	}
	given.Set("reason", "Setup refuses")
	if status, page := operator.post(base+"/clear", given); status != http.StatusOK || !strings.Contains(page, "By a decision of operator") {
		t.Errorf("clear: status %d: %s", status, words(page))
	}
	operator.page("/rollouts/1", "MBX01 is asked by a decision of operator")
	c.shows(t, "registry", "markers.reg", utf16Bytes("Windows Registry Editor Version 5.00\r\n"))
	c.db.Admin(t, "UPDATE upgrade SET decision = '', returns = '', state = 'interrupted' WHERE decision <> ''")
	if page := operator.page(base, "No role carries either."); strings.Contains(page, base+"/clear") {
		t.Error("clearing is offered though nothing is there")
	}
}

func TestClearedValuesAreNotShownAsThereAnyMore(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Interrupted)
	c.shows(t, "registry", "markers.reg", utf16Bytes(markersReg))
	operator := c.signedIn(t, "operator")
	for _, name := range []string{"Action", "Watermark"} {
		c.db.Admin(t, fmt.Sprintf(`INSERT INTO marker (upgrade_id, host_id, role, name, kind, value, cleared_by, cleared_at)
			SELECT u.id, h.host_id, 'MailboxRole', '%s', 'REG_SZ', 'kept', 'operator', clock_timestamp() FROM upgrade u JOIN server s ON s.id = u.server_id JOIN server_host h ON h.server_id = s.id WHERE s.name = 'MBX01'`, name))
	}
	if page := operator.page(base, "No role carries either.", "can be put back", base+"/undo"); strings.Contains(page, "BuildToBuildUpgrade") || strings.Contains(page, base+"/clear") {
		t.Errorf("what was cleared is shown as there: %s", words(page))
	}
	c.db.Admin(t, "UPDATE marker SET put_back_at = clock_timestamp() WHERE name = 'Action'")
	operator.page(base, "1 value is deleted on the host", "1 value is written again")
}

func TestEvidenceIsShownAndTakenAway(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Interrupted)
	reg := utf16Bytes(markersReg)
	c.shows(t, "registry", "markers.reg", reg)
	c.shows(t, "log-tail", `C:\ExchangeSetupLogs\ExchangeSetup.log`, []byte("[1] <script>alert(1)</script>\r\n\x1b[2J last line \xe4\r\n"))
	auditor := c.signedIn(t, "auditor")
	auditor.page(base, "End of the setup log", "Action and Watermark", fmt.Sprintf("%x", sha256.Sum256(reg))[:12])
	auditor.page(base+"/evidence/2", "&lt;script&gt;", "last line ä", "␛[2J")
	if status, _ := auditor.get("/rollouts/1/upgrades/MBX02/evidence/2"); status != http.StatusNotFound {
		t.Errorf("evidence under another server: status %d", status)
	}
	if _, got := auditor.get(base + "/evidence/1/raw"); got != string(reg) {
		t.Errorf("the download is not what was kept: %q", got)
	}
	auditor.page("/history", "Evidence exported")
	for _, path := range []string{"/evidence/1/raw", "/evidence.zip"} {
		_, header := auditor.status(http.MethodGet, base+path)
		if !strings.HasPrefix(header.Get("Content-Disposition"), "attachment") || strings.Contains(header.Get("Content-Type"), "html") {
			t.Errorf("%s: header %v", path, header)
		}
	}
	_, body := auditor.get(base + "/evidence.zip")
	archive, err := zip.NewReader(bytes.NewReader([]byte(body)), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files["0001-registry-markers.reg"], reg) || len(files["0002-log-tail-ExchangeSetup.log"]) == 0 || !bytes.Contains(files["SHA256SUMS"], fmt.Appendf(nil, "%x  0001-registry-markers.reg", sha256.Sum256(reg))) || !bytes.Contains(files["index.json"], []byte(`"kind": "log-tail"`)) {
		t.Errorf("the archive holds %d files", len(files))
	}
	auditor.page("/history", "Evidence exported")
}

func TestSilenceAndDeviationsAreOnTheHomePage(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Running)
	c.db.Admin(t,
		"UPDATE step SET silent_at = now() - interval '1 minute', soft_at = now() - interval '2 minutes' WHERE name = 'setup' AND state = 'running'",
		"UPDATE upgrade SET output_at = now() - interval '41 minutes' WHERE state = 'running'",
	)
	operator := c.signedIn(t, "operator")
	operator.page("/", "MBX01 has been silent for 41 min")
	operator.page(base, "Nothing new came since", "It takes longer than the 2 h", "Nothing is interrupted by that.")
	operator.page("/rollouts/1", "Slow or silent: MBX01.")
	c.stands(t, rollout.Failed)
	c.db.Admin(t, `INSERT INTO ledger (upgrade_id, host_id, kind, name, before, meant)
		SELECT u.id, h.host_id, 'service', 'SMTPFILTER', '{"start":"auto"}', '{"start":"disabled"}' FROM upgrade u JOIN server s ON s.id = u.server_id JOIN server_host h ON h.server_id = s.id WHERE s.name = 'MBX01'`)
	operator.page(base, "1 thing is not put back. Running again, verifying and skipping each end with the steps that put it back exactly.", "Still changed for a while: service SMTPFILTER.")
	operator.page("/", "not put back: Service SMTPFILTER")
	c.db.Admin(t, "UPDATE upgrade SET state = 'skipped' WHERE state = 'failed'")
	operator.page("/", "MBX01: 1 thing is not put back")
	operator.page(base, "nothing does it by itself any more")
}

// TestAnUpgradeThatRunsSaysWhoDoesNotAnswer: a host that is asked in vain is not
// shown as one that works.
func TestAnUpgradeThatRunsSaysWhoDoesNotAnswer(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Running)
	mbx01 := " FROM server s WHERE s.id = server_id AND s.name = 'MBX01'"
	c.db.Admin(t, "UPDATE upgrade SET step = 'put-back', unwinding = true, skipping = true"+mbx01)
	operator := c.signedIn(t, "operator")
	operator.page(base, "MBX01 was heard last at", "and is asked again")
	c.db.Admin(t, "UPDATE upgrade SET last_heard_at = now()"+mbx01)
	if page := operator.page(base); strings.Contains(page, "was heard last at") {
		t.Errorf("a host that answers: %s", words(page))
	}
	c.db.Admin(t, "UPDATE upgrade SET state = 'skipped', unwinding = false, skipping = false, ended_at = now()"+mbx01)
	operator.page(base, "out of this rollout")
}
