package httpd_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"wavekeeper/server/rollout"
)

// TestASilentHostMayBeLeftAsItIs: putting back in vain waits for a person, and
// the page says what stays.
func TestASilentHostMayBeLeftAsItIs(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Running)
	const mine = "(SELECT u.id FROM upgrade u JOIN server s ON s.id = u.server_id WHERE s.name = 'MBX01')"
	c.db.Admin(t,
		"UPDATE step SET state = 'unknown' WHERE name = 'setup' AND upgrade_id = "+mine,
		"UPDATE step SET state = 'running', started_at = now() - interval '30 minutes' WHERE name = 'tidy' AND upgrade_id = "+mine,
		"INSERT INTO ledger (upgrade_id, host_id, kind, name, before, meant) SELECT u.id, h.host_id, 'service', 'Backup', '{}', '{}' FROM upgrade u JOIN server_host h ON h.server_id = u.server_id WHERE u.id = "+mine,
	)
	heard := func(minutes int) {
		t.Helper()
		c.db.Admin(t, fmt.Sprintf("UPDATE upgrade SET step = 'tidy', unwinding = true, skipping = true, saved_at = now(), last_heard_at = now() - interval '%d minutes' WHERE id = %s", minutes, mine))
	}
	operator := c.signedIn(t, "operator")
	leave := base + "/skip?leave=yes"
	heard(5)
	if page := operator.page("/") + operator.page(base); strings.Contains(page, "skip?leave") {
		t.Error("a host that was heard five minutes ago may be left")
	}
	given := form(t, operator.page(leave, "disabled>"))
	given.Set("reason", "the host burnt")
	if status, answer := operator.post(leave, given); status != http.StatusConflict {
		t.Errorf("left while it answers: status %d: %s", status, words(answer))
	}
	heard(20)
	operator.page("/", "MBX01 does not answer: what was changed on it is not put back", leave, "Skip and leave as it is")
	operator.page(base, "MBX01 does not answer", "Skip and leave as it is", leave)
	asks := operator.page(leave, "What stays on the host", "Stays changed on the host", "Backup", "Setup may be running there", "removed when the host answers again")
	if strings.Contains(asks, "disabled>") {
		t.Errorf("it cannot be confirmed: %s", words(asks))
	}
	given = form(t, asks)
	given.Set("reason", "the host burnt")
	if status, answer := operator.post(leave, given); status >= http.StatusBadRequest {
		t.Fatalf("status %d: %s", status, words(answer))
	}
	operator.page(base, "Skipped", "left as it is by")
}
