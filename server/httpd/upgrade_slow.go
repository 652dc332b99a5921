package httpd

import (
	"fmt"
	"strings"
	"time"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/web/ui"
)

// silence says since when nothing new came, and how long is normal.
func silence(u store.UpgradeView, st rollout.Step, clock ui.Clock) string {
	switch {
	case u.OutputAt != nil && clock.Now.Sub(*u.OutputAt) >= time.Minute:
		return fmt.Sprintf("nothing new for %s; quiet for up to %s is normal here", ui.Duration(clock.Now.Sub(*u.OutputAt)), ui.Duration(st.Silence))
	case u.LastHeardAt != nil:
		return fmt.Sprintf("heard %s; quiet for up to %s is normal here", clock.Ago(*u.LastHeardAt), ui.Duration(st.Silence))
	default:
		return ""
	}
}

// slowness says that the step at work takes longer than expected, or that
// nothing new comes from it. Neither interrupts anything.
func (s *server) slowness(u store.UpgradeView, clock ui.Clock) string {
	plain, work, ok := s.stepNow(u.UpgradeRow)
	if !ok || u.State != rollout.Running || work.State != rollout.Running || work.StartedAt == nil {
		return ""
	}
	var said []string
	if work.SilentAt != nil && (u.OutputAt == nil || u.OutputAt.Before(*work.SilentAt)) {
		last := limitsFrom(work)
		if u.OutputAt != nil && u.OutputAt.After(last) {
			last = *u.OutputAt
		}
		said = append(said, fmt.Sprintf("Nothing new came since %s, for longer than the %s that are normal here. The host answers.", clock.Moment(last).Text, ui.Duration(plain.Silence)))
	}
	if work.SoftAt != nil {
		said = append(said, fmt.Sprintf("It takes longer than the %s that are expected at most, since %s.", ui.Duration(plain.Soft), clock.Moment(*work.SoftAt).Text))
	}
	if len(said) == 0 {
		return ""
	}
	end := "Nothing is interrupted by that."
	if plain.Hard > 0 && !plain.Repeatable {
		end += " A person decides from " + clock.Moment(limitsFrom(work).Add(plain.Hard)).Text + " on, if it has not ended by then."
	}
	return strings.Join(append(said, end), " ")
}
