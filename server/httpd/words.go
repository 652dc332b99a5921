package httpd

import (
	"strings"

	"wavekeeper/server/store"
)

// kindWords is how pages and exports name the kinds of decisions and events.
var kindWords = map[string]string{
	"sign-in": "Signed in", "sign-in.failed": "Sign-in failed", "sign-in.refused": "Sign-in refused", "sign-out": "Signed out",
	"person.add": "Account made", "person.password": "Password changed", "person.enable": "Account enabled", "person.disable": "Account disabled", "person.roles": "Roles changed",
	"inventory.import": "Inventory imported", "host.probe": "Hosts probed",
	"package.save": "Package registered", "package.set": "Package registered", "preparation.record": "Organization prepared",
	"profile.save": "Profile changed", "credential.set": "Credential stored",
	"plan.create": "Plan made", "plan.revise": "Plan changed", "plan.submit": "Plan submitted", "plan.reject": "Plan rejected",
	"wave.approve": "Wave approved", "wave.withdraw": "Approval taken back", "wave.pause": "Wave paused", "wave.resume": "Wave resumed",
	"rollout.pause": "Rollout paused", "rollout.resume": "Rollout resumed", "rollout.stop": "Rollout stopped",
	"upgrade.retry": "Upgrade tried again", "upgrade.skip": "Server skipped", "upgrade.repair": "Marked as repaired",
	"refused": "Refused", "history.export": "History exported",
	store.EventSubmitted: "Submitted", store.EventApproved: "Approved", store.EventVoided: "Approval void", store.EventRollout: "Rollout",
	store.EventWave: "Wave", store.EventUpgrade: "Upgrade", store.EventHeld: "Held", store.EventStep: "Step", store.EventIntent: "About to act",
	store.EventChanged: "Changed for a while", store.EventRestored: "Put back", store.EventRetry: "Tried again", store.EventSkip: "Skipped",
}

func kindWord(kind string) string {
	if w, ok := kindWords[kind]; ok {
		return w
	}
	w := strings.NewReplacer(".", " ", "-", " ", "_", " ").Replace(kind)
	return strings.ToUpper(w[:min(1, len(w))]) + w[min(1, len(w)):]
}

// eventState chooses the shape that an event is drawn with.
func eventState(kind, text string) string {
	lower := strings.ToLower(text)
	switch kind {
	case store.EventApproved, "wave.approve":
		return "approved"
	case store.EventHeld:
		return "held"
	case store.EventVoided, "wave.withdraw":
		return "warning"
	case store.EventSkip, "upgrade.skip":
		return "skipped"
	case store.EventSubmitted, "plan.submit":
		return "submitted"
	case "refused", "sign-in.failed", "sign-in.refused":
		return "failed"
	case store.EventUpgrade, store.EventWave, store.EventRollout, store.EventStep:
		for _, c := range []struct{ word, state string }{
			{"fail", "failed"}, {"stopped", "stopped"}, {"interrupt", "interrupted"}, {"cannot be said", "unknown"}, {"out of sight", "out-of-sight"},
			{"paused", "paused"}, {"done", "done"}, {"verified", "done"}, {"ended", "done"},
		} {
			if strings.Contains(lower, c.word) {
				return c.state
			}
		}
		return "running"
	default:
		return ""
	}
}
