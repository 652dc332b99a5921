package httpd

import (
	"strings"

	"wavekeeper/web/ui"
)

// repairWords says how what is not put back gets put back.
func repairWords(t trouble) string {
	open := openLedger(t.UpgradeView)
	if len(open) == 0 {
		return ""
	}
	are := ui.Count(len(open), "thing is", "things are")
	switch {
	case t.Decision != "" || t.State.InWork() && !t.State.Broken():
		return are + " changed now; the steps that end the upgrade put it back, whatever the outcome."
	case t.state.MaySkip() || t.state.MayVerify():
		return are + " not put back. Running again, verifying and skipping each end with the steps that put it back exactly."
	default:
		return are + " not put back, and nothing does it by itself any more: put it back by hand as it was found, see below."
	}
}

// ledgerWords says a state of a ledger entry. Only its own task can read and set
// the revocation check, so until the value was read from there the host has it.
func ledgerWords(kind string, values map[string]string) string {
	switch file, bit, value := values["file"], values["bit"], values["value"]; {
	case kind == "revocation" && value == "absent":
		return "no value State"
	case kind == "revocation" && value != "":
		return clean("value State " + value)
	case kind == "revocation" && file != "":
		return clean("kept on the host by the task " + values["task"])
	case kind == "revocation" && bit != "":
		return clean("switched off (bit " + bit + ")")
	default:
		return pairs(values)
	}
}

// pairs shows the values of a ledger entry by name.
func pairs(values map[string]string) string {
	out := make([]string, 0, len(values))
	for _, key := range sortedKeys(values) {
		out = append(out, strings.ReplaceAll(key, "_", " ")+" "+orEmpty(values[key]))
	}
	return clean(strings.Join(out, ", "))
}
