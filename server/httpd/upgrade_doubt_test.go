package httpd_test

import (
	"net/http"
	"strings"
	"testing"

	"wavekeeper/server/rollout"
)

// TestADeadHostIsNotWaitedForUntilItsLimit: a person stops waiting, and then all
// that is decided about what is unknown can be.
func TestADeadHostIsNotWaitedForUntilItsLimit(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.OutOfSight)
	operator, lead := c.signedIn(t, "operator"), c.signedIn(t, "lead")
	operator.page("/", base+"/doubt", "Stop waiting: it is not known")
	asks := operator.page(base+"/doubt", "Nothing is done on the host", "no other server is started on it", "number of failures")
	given := form(t, asks)
	given.Set("reason", "the mainboard is dead")
	if status, page := lead.post(base+"/doubt", given); status != http.StatusForbidden {
		t.Errorf("as a planner: status %d: %s", status, words(page))
	}
	if status, page := operator.post(base+"/doubt", given); status != http.StatusOK || !strings.Contains(page, "it counts as unknown") {
		t.Fatalf("status %d: %s", status, words(page))
	}
	operator.page(base, "the mainboard is dead", base+"/retry", base+"/verify", base+"/look", base+"/clear", base+"/skip")
	if status, page := operator.post(base+"/doubt", given); status != http.StatusConflict || !strings.Contains(page, "Nothing was done.") {
		t.Errorf("a second time: status %d: %s", status, words(page))
	}
	lead.page("/history", "the mainboard is dead", "decision Stop waiting: it is not known")
}

// TestVerifyingSaysThatItStartsServices, whatever it is used for: no approval of
// a wave binds that.
func TestVerifyingSaysThatItStartsServices(t *testing.T) {
	t.Parallel()
	c, base := in(t, rollout.Waiting)
	operator := c.signedIn(t, "operator")
	for _, state := range []rollout.State{rollout.Waiting, rollout.Failed, rollout.Interrupted, rollout.Unknown} {
		c.stands(t, state)
		operator.page(base+"/verify", "are started after some minutes", "also on a server on which nothing began")
	}
}
