package windows

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"wavekeeper/agentless/winrm"
)

// Cause says in a few words why a host did not do what it was asked, as a
// headline; empty where nothing shorter is known than the error itself. It is
// decided by the kind of the error and by codes, never by a host's text.
func Cause(err error) string {
	switch winrm.Outcome(err) {
	case winrm.OutcomeDenied:
		return "the host refuses the account"
	case winrm.OutcomeUntrusted:
		return "the host's certificate is not trusted"
	case winrm.OutcomeTimeout:
		return "the host does not answer in time"
	case winrm.OutcomeUnreachable:
		return unreached(err)
	}
	var no *NoWMI
	if errors.As(err, &no) {
		return wmiWords
	}
	var script *ScriptError
	if errors.As(err, &script) {
		if wmiAway(script.Code()) {
			return wmiWords
		}
		return ""
	}
	if code, ok := winrm.FaultCode(err); ok && wmiAway(code) {
		return wmiWords
	}
	return ""
}

const wmiWords = "WMI does not answer on the host"

// wmiAway are the answers where the service of WMI is stopped, disabled or goes
// down. Sources: winerror.h (RPC_S_SERVER_UNAVAILABLE, ERROR_SERVICE_DISABLED),
// wbemcli.h (WBEM_E_SHUTTING_DOWN, WBEM_E_TRANSPORT_FAILURE).
func wmiAway(code uint32) bool {
	switch code {
	case 0x800706ba, 0x80070422, 0x80041033, 0x80041015:
		return true
	}
	return false
}

// unreached names the address, and what became of the connection.
func unreached(err error) string {
	host := "the host"
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		host = op.Addr.String()
	}
	var slow net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return host + " refuses the connection"
	case errors.Is(err, syscall.ECONNRESET):
		return host + " broke the connection"
	case errors.As(err, &slow) && slow.Timeout():
		return host + " does not answer"
	}
	return host + " is unreachable"
}

// Headline is what was tried with its cause in words before the chain of errors,
// which is left out; all of it where no such words are known.
func Headline(doing string, err error) string {
	if cause := Cause(err); cause != "" {
		return fmt.Sprintf("%s (asked to %s)", cause, strings.TrimSpace(doing))
	}
	return fmt.Sprintf("%s: %v", doing, err)
}
