package httpd

import (
	"encoding/json"
	"strings"

	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// kindWords is how pages and exports name the kinds of decisions and events.
var kindWords = map[string]string{
	"sign-in": "Signed in", "sign-in.failed": "Sign-in failed", "sign-in.refused": "Sign-in refused", "sign-out": "Signed out",
	"person.add": "Account made", "person.password": "Password changed", "person.enable": "Account enabled", "person.disable": "Account disabled", "person.roles": "Roles changed",
	"inventory.import": "Inventory imported", "host.probe": "Hosts probed", "host.contact": "First contact asked for", "host.contacted": "First contact made",
	"media.add": "Media added", "media.forget": "Media forgotten", "media.source": "Source of media set", "media.source-removed": "Source of media removed", "media.stage": "Media asked for on hosts", "media.cancel": "Media on a host cancelled",
	"package.save": "Package registered", "package.set": "Package registered", "preparation.record": "Organization prepared",
	"check.ask": "Checks asked for", "check.cancel": "Checks cancelled", "policy.set": "Value of a rule set",
	"waiver.ask": "Waiver asked for", "waiver.grant": "Finding accepted", "waiver.refuse": "Waiver refused", "waiver.withdraw": "Waiver taken back",
	"fix.ask": "Fix asked for", "fix.approve": "Fix approved", "fix.refuse": "Fix refused", "fix.undo": "Fix undone",
	"organization.look": "Organization to be read", "organization.enter": "Fact of the organization entered", "organization.drop": "Fact of the organization taken back",
	"organization.ask": "Second person asked for a fact of the organization", "organization.confirm": "Fact of the organization confirmed", "organization.refuse": "Fact of the organization refused",
	"organization.withdraw": "Wish about a fact of the organization taken back",
	"profile.save":          "Profile changed", "credential.set": "Credential stored",
	"credential.rotate": "Credential rotated", "credential.rotate-refused": "New secret refused, the old one stays", "credential.retry": "Credential tried again", "credential.refused": "Credential refused",
	"pin.offer": "Certificate seen first", "pin.confirm": "Certificate trusted", "pin.reject": "Certificate rejected", "pin.withdraw": "Certificate in order again", "pin.add": "Certificate made known",
	"plan.create": "Plan made", "plan.revise": "Plan changed", "plan.submit": "Plan submitted", "plan.reject": "Plan rejected",
	"wave.approve": "Wave approved", "wave.withdraw": "Approval taken back", "wave.pause": "Wave paused", "wave.resume": "Wave resumed",
	"rollout.pause": "Rollout paused", "rollout.resume": "Rollout resumed", "rollout.stop": "Rollout stopped",
	"upgrade.retry": "Upgrade tried again", "upgrade.skip": "Server skipped", "upgrade.verify": "Marked as repaired", "upgrade.leave": "Skipped and left as it is",
	"upgrade.look": "Looked again", "upgrade.clear-markers": "Action and Watermark cleared", "upgrade.restore-markers": "Cleared values put back", "upgrade.doubt": "Stopped waiting", "evidence.export": "Evidence exported",
	"refused": "Refused", "history.export": "History exported",
	store.EventSubmitted: "Submitted", store.EventRejected: "Rejected", store.EventApproved: "Approved", store.EventVoided: "Approval void", store.EventRollout: "Rollout",
	store.EventWave: "Wave", store.EventUpgrade: "Upgrade", store.EventHeld: "Held", store.EventStep: "Step", store.EventIntent: "About to act",
	store.EventChanged: "Changed for a while", store.EventRestored: "Put back", store.EventRetry: "Tried again", store.EventSkip: "Skipped",
	store.EventDecide: "Decided", store.EventEvidence: "Evidence kept", store.EventMarker: "Action and Watermark", store.EventLimit: "Limit",
}

func kindWord(kind string) string {
	if w, ok := kindWords[kind]; ok {
		return w
	}
	w := strings.NewReplacer(".", " ", "-", " ", "_", " ").Replace(kind)
	return strings.ToUpper(w[:min(1, len(w))]) + w[min(1, len(w)):]
}

// eventState chooses the shape that a decision or an event is drawn with; data
// is the event's.
func eventState(kind, text string, data map[string]any) string {
	switch kind {
	case store.EventApproved, "wave.approve":
		return "approved"
	case store.EventHeld:
		return "held"
	case store.EventRejected, "plan.reject", "pin.reject":
		return "rejected"
	case store.EventVoided, "wave.withdraw", store.EventLimit:
		return "warning"
	case store.EventDecide, store.EventEvidence, store.EventMarker:
		return "info"
	case store.EventSkip, "upgrade.skip", "upgrade.leave":
		return "skipped"
	case store.EventSubmitted, "plan.submit":
		return "submitted"
	case "refused", "sign-in.failed", "sign-in.refused", "credential.refused", "credential.rotate-refused":
		return "failed"
	case "rollout.pause", "wave.pause":
		return "paused"
	case "rollout.stop":
		return "stopped"
	case store.EventStep:
		return stepState(text)
	case store.EventUpgrade:
		state, _ := data["state"].(string) // an event without one is drawn without a shape
		return state
	case store.EventWave, store.EventRollout:
		event, _ := data["event"].(string) // what a person did has none; its words say it
		return movedState(event, text)
	default:
		return ""
	}
}

// stepState reads how a step's event ends: ": begins", ": done", ": failed: why".
func stepState(text string) string {
	switch {
	case strings.HasSuffix(text, ": done"):
		return "done"
	case strings.Contains(text, ": failed"):
		return "failed"
	default:
		return "running"
	}
}

// movedState is the state that a wave or a rollout was moved to.
func movedState(event, text string) string {
	switch {
	case event == string(rollout.FinishWave):
		return "done"
	case event == string(rollout.StopWave), strings.Contains(text, " stopped the rollout"), strings.HasPrefix(text, "Stopped"):
		return "stopped"
	case event == string(rollout.PauseWave), strings.Contains(text, " paused "):
		return "paused"
	default:
		return "running"
	}
}

// dataOf reads the JSON of an event or a decision; nothing when there is none.
func dataOf(text string) map[string]any {
	var data map[string]any
	if json.Unmarshal([]byte(text), &data) != nil {
		return nil
	}
	return data
}
