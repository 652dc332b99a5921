package exchange_test

import (
	"slices"
	"testing"

	"wavekeeper/server/exchange"
)

func TestRolesThatServeNobody(t *testing.T) {
	t.Parallel()
	both := []exchange.Role{exchange.ClientAccess, exchange.Mailbox}
	for _, c := range []struct {
		name  string
		state exchange.ServiceState
		want  []exchange.Role
	}{
		{"all runs", exchange.ServiceState{Name: "MSExchangeIS", State: "Running", StartMode: "Auto"}, nil},
		{"the store is stopped", exchange.ServiceState{Name: "msexchangeis", State: "Stopped", StartMode: "Auto"}, []exchange.Role{exchange.Mailbox}},
		{"the store starts", exchange.ServiceState{Name: "MSExchangeIS", State: "Start Pending", StartMode: "Auto"}, []exchange.Role{exchange.Mailbox}},
		{"a Setup left it disabled", exchange.ServiceState{Name: "MSExchangeIS", State: "Stopped", StartMode: "Disabled"}, []exchange.Role{exchange.Mailbox}},
		{"a cluster starts it", exchange.ServiceState{Name: "MSExchangeIS", State: "Stopped", StartMode: "Manual"}, nil},
		{"nobody needs it to serve", exchange.ServiceState{Name: "MSExchangeMonitoring", State: "Stopped", StartMode: "Auto"}, nil},
		{"IIS is stopped", exchange.ServiceState{Name: "W3SVC", State: "Stopped", StartMode: "Auto"}, []exchange.Role{exchange.ClientAccess}},
		{"all need the topology", exchange.ServiceState{Name: "MSExchangeADTopology", State: "Stopped", StartMode: "Auto"}, both},
	} {
		down := exchange.ServicesDown([]exchange.ServiceState{{Name: "Spooler", State: "Stopped", StartMode: "Auto"}, c.state})
		if got := exchange.RolesDown(both, down); !slices.Equal(got, c.want) {
			t.Errorf("%s: RolesDown = %v, want %v", c.name, got, c.want)
		}
	}
}
