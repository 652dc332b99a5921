package winrm

import (
	"fmt"
	"net/http"
)

// meanings are the codes in words, with what to do where something can be done.
// Sources: winrm.md 1.7, wsmerror.h and winerror.h by name; the host's own text
// is in its own language.
var meanings = map[uint32]string{
	CodeTimedOut:        "the host had nothing to say within the time limit of one request",
	CodeGone:            "the host does not know this shell or command: it was restarted, or let the shell idle out",
	CodeFilter:          "the host does not take this WMI question: its WMI lacks the class, or the class one of the properties",
	CodeBadTimeout:      "the host does not take the time limit that was asked for",
	CodeShellQuota:      "the host has as many remote shells open for this account as it allows",
	CodeOperationQuota:  "the host carries out as many operations for this account as it allows",
	CodeRequestQuota:    "this account asked the host more often in a time than it allows",
	CodeSystemQuota:     "the host carries out as many operations as it allows",
	CodeUserQuota:       "as many accounts have remote shells on the host as it allows",
	CodeQuota:           "a limit of the host was reached",
	CodeEnvelopeWish:    "the host does not give answers as large as was asked for",
	CodeEnvelope:        "the answer is larger than was asked for (150 KB): ask for less at once",
	CodeEnvelopeLimit:   "the answer is larger than the host may send",
	CodeNoResource:      "the host has no such resource: its WinRM is older, or the plug-in is not installed",
	CodeShellsForbidden: "the host allows no remote shells: winrm set winrm/config/winrs @{AllowRemoteShellAccess=\"true\"}",
	CodeSchema:          "the host does not take the form of this message",
	CodeCodePage:        "the host does not have the code page that was asked for",
	CodeAccessDenied:    "the account may not do this on the host: it must be one of its administrators, with its full token",
	CodeAccessDeniedHR:  "the account may not do this on the host: it must be one of its administrators, with its full token",
	CodeWMIDenied:       "the host's WMI service does not let the account in",
	CodeWMIProvider:     "the WMI provider does not let the account in",
	CodeWMIConnect:      "the host's WMI namespace does not let the account in",
	CodeParameter:       "the host found a value of this message wrong",
	CodeParameterHR:     "the host found a value of this message wrong",
	CodeFileNotFound:    "there is no such program on the host",
	CodePathNotFound:    "there is no such folder on the host",
	CodeNotExecutable:   "the file is no program that this Windows can run",
	CodeLineTooLong:     "the command line is longer than the host takes",
	CodeKeyDeleted:      "the account's profile is being unloaded on the host: it passes within seconds",
	CodeElevationNeeded: "the program asks for elevation, which a remote shell cannot give",
}

// Meaning says in words what a fault is, or "" when its code is none that is
// known.
func (f *Fault) Meaning() string {
	if f.Blame != "" {
		return meanings[f.Code]
	}
	switch f.HTTPStatus {
	case http.StatusUnauthorized:
		return "the host does not take this account and password by this authentication"
	case http.StatusForbidden:
		return "the host does not let this account use WinRM"
	case http.StatusNotFound:
		return "something else than WinRM listens there, or below another path"
	case http.StatusRequestEntityTooLarge:
		return "the message is larger than the host takes"
	case http.StatusServiceUnavailable:
		return "WinRM is starting, or it is stopped"
	default:
		return ""
	}
}

// TooMuch is an answer beyond a limit of ours: it was not read to its end.
type TooMuch struct {
	What  string // such as "bytes of output"
	Limit int64
}

// Error names the limit.
func (t *TooMuch) Error() string {
	return fmt.Sprintf("%v: more than %d %s", errAnswer, t.Limit, t.What)
}

// Is reports a TooMuch as an answer that is not what was asked for.
func (t *TooMuch) Is(target error) bool { return target == errAnswer }
