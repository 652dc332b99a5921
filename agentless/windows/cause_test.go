package windows

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"wavekeeper/agentless/winrm"
)

// TestTheCauseComesFirst: a headline is no chain of errors.
func TestTheCauseComesFirst(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 120, 3), Port: 5985}, Err: syscall.ECONNREFUSED}
	for want, err := range map[string]error{
		"127.0.120.3:5985 refuses the connection (asked to look at the task)": fmt.Errorf("script x: %w: %w", winrm.ErrUnreachable, refused),
		"the host's certificate is not trusted (asked to look at the task)":   fmt.Errorf("script x: %w", &winrm.PinChanged{Host: "mbx1"}),
		"the host is unreachable (asked to look at the task)":                 winrm.ErrUnreachable,
		"the host does not answer in time (asked to look at the task)":        fmt.Errorf("create shell: %w", winrm.ErrTimeout),
		"the host refuses the account (asked to look at the task)":            &winrm.Fault{HTTPStatus: 401},
		"WMI does not answer on the host (asked to look at the task)":         fmt.Errorf("query: %w", &winrm.Fault{Blame: "Receiver", Code: 0x800706ba, HTTPStatus: 500}),
		"look at the task: something else":                                    errors.New("something else"),
	} {
		if got := Headline("look at the task", err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
