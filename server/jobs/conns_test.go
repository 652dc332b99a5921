package jobs

import (
	"testing"
	"time"

	"wavekeeper/agentless/twin"
	"wavekeeper/agentless/windows"
	"wavekeeper/agentless/winrm"
	"wavekeeper/server/exchange"
)

// TestWhatAHostTaughtOutlivesATick: the tick after one that WMI hung in does not
// ask WMI, even though it is well again, and another connection does.
func TestWhatAHostTaughtOutlivesATick(t *testing.T) {
	t.Parallel()
	const port = 5985
	fleet, err := twin.Start(t.Context(), twin.Options{
		User: "wkadmin", Password: "winrm-Secret1", RunAs: `LAB\svc`, RunAsPassword: "x", Speed: 1000,
		Faults: []twin.Fault{{Host: "MBX1", Name: "wmi-hangs", Lasts: 1000 * time.Hour, At: "request:1"}},
		Servers: []exchange.Server{{
			Name: "MBX1", FQDN: "mbx1.lab.test", Roles: []exchange.Role{exchange.Mailbox}, Language: "en-US", Arch: "x64", Address: "127.0.128.9", Port: port,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fleet.Close() })
	c := conns{by: map[int64]cachedConn{}}
	t.Cleanup(c.close)
	dial := func(*shown) (*winrm.Conn, error) {
		return winrm.New(winrm.Config{Address: "127.0.128.9", Port: port, Account: winrm.Basic("wkadmin", "winrm-Secret1"), OperationTimeout: time.Second})
	}
	for _, one := range []struct{ way, via string }{{"a", windows.ViaPrograms}, {"a", windows.ViaPrograms}, {"b", ""}} {
		conn, _, err := c.of(1, one.way, "127.0.128.9", nil, nil, dial)
		if err != nil {
			t.Fatal(err)
		}
		if os, err := c.round(1, conn).OS(t.Context()); err != nil || os.Via != one.via {
			t.Errorf("by way %s it was read via %q, %v, want %q", one.way, os.Via, err, one.via)
		}
		if err := fleet.Mend("MBX1"); err != nil {
			t.Fatal(err)
		}
	}
}
