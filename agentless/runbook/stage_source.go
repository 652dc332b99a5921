package runbook

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"wavekeeper/agentless/windows"
)

// awayTries is how many tasks may hear nothing of the source, each for five
// minutes, before a person is asked. One to whom bytes came begins the count anew.
const awayTries = 3

// damagedCode is what the console's listener answers when its own file is not
// what was registered any more: 410 Gone, which no retry mends.
const damagedCode = "410"

// What stageFetch remembers of a source that is away.
const (
	stageAway   = "away"    // tasks in a row that heard nothing
	stageAwayAt = "away-at" // bytes that were there then
)

// sourceAway is a task that heard nothing of the source: another goes on, since
// the console may just be restarted, but not for ever.
func sourceAway(w *Work, failed Outcome) Outcome {
	if w.Memory[stageAwayAt] != w.Memory[stageBytes] {
		delete(w.Memory, stageAway)
	}
	w.Memory[stageAwayAt] = w.Memory[stageBytes]
	w.raise(stageMore + windows.MediaPull)
	if w.raise(stageAway) >= awayTries {
		return failed
	}
	failed.Kind, failed.After, failed.Message, failed.Remedy = Again, later, failed.Message+". It is tried again", ""
	return failed
}

// sourceWords says what a code of media-pull means: the code of HTTP's answer, or
// an HRESULT with the WebExceptionStatus of .NET behind it.
func sourceWords(code string) string {
	hresult, status, web := strings.Cut(code, "-")
	known := map[string]string{
		"80070002": "there is no such file",
		"80070003": "there is no such folder",
		"80070005": "the computer's account may not read it",
		"80070020": "another program holds the file open",
		"80070035": "the server of the share is not found",
		"80070040": "the share was taken away",
		"80070043": "the server has no share of that name",
		"8007052E": "the computer's account is not let in",
		"80070070": "the host's disk is full",
	}
	ofWeb := map[string]string{
		"1": "its name is not found", "2": "no connection comes about: nothing listens there, or something on the way refuses it", "3": "the answer broke off", "4": "the request was not taken",
		"8": "the connection was closed", "14": "it does not answer in time", "15": "a proxy's name is not found",
	}
	switch {
	case code == "":
		return "no reason"
	case len(code) == 3:
		return "HTTP " + code
	case web && ofWeb[status] != "":
		return ofWeb[status] + " (" + code + ")"
	case known[hresult] != "":
		return known[hresult] + " (" + code + ")"
	}
	return code
}

// lastWords is the last error of a fetch that ended.
func lastWords(said windows.Records) string {
	if code := said.Get("code"); code != "" && code != "0" {
		return sourceWords(code)
	}
	if _, code, ok := strings.Cut(said.Get("why"), " "); ok {
		return sourceWords(strings.ReplaceAll(code, " ", "-"))
	}
	return cmp.Or(said.Get("why"), "no reason")
}

// changedWords says how what the source has differs from the registered bundle.
func changedWords(said windows.Records, m Medium) string {
	if length := said.Get("source"); length != "" {
		return fmt.Sprintf("it has %s bytes there, not %d", length, m.BundleSize)
	}
	if said.Get("code") == strconv.Itoa(416) {
		return fmt.Sprintf("it ends before its %d bytes", m.BundleSize)
	}
	return "it came twice with another SHA-256 than " + m.BundleSHA256
}

// changedRemedy says whom to doubt. The console looks at its own file when a host
// asks a second time, and would not have given it.
func changedRemedy(m Medium) string {
	if m.Token == "" {
		return "Export the media anew to the share or mirror; then try again."
	}
	return "The console's own file was right when the host asked again: look at what is on the way (proxies, virus scanners) and at the host's disk; then try again."
}

func refusedRemedy(m Medium, code string) string {
	if m.Token != "" && code == damagedCode {
		return "Add the media again on the console (wavekeeper media add); then try again: it goes on from what came."
	}
	if m.Token == "" {
		return "See that the share or mirror has the file under that name, and that the computer accounts of the servers (DOMAIN\\HOST$) may read it; then try again."
	}
	return "See on the page of the package what the listener says: mostly the host asks from an address that is none of its known ones. Then try again."
}
