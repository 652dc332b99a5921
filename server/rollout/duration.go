package rollout

import "wavekeeper/server/exchange"

// Default minutes, used until earlier upgrades tell better. Only two figures
// have a source: a service pack on a server with several roles takes more than
// an hour, and a slow certificate revocation check makes hours of it (founding
// document); the shares of the roles are estimates.
var roleMinutes = map[exchange.Role]int{
	exchange.ClientAccess: 12, exchange.HubTransport: 10, exchange.Mailbox: 20, exchange.UnifiedMessaging: 15, exchange.EdgeTransport: 10,
}

const (
	servicePackBase = 35 // preflight, stopping services (almost five minutes), files, verification
	rollupBase      = 20
	perLanguage     = 6 // one UM language pack removed and added again
	perMove         = 8 // a clustered mailbox server stopped, moved, upgraded and started: an estimate
	boxesPerMinute  = 400
)

// duration gives the minutes that half of such upgrades, and nine in ten,
// should not exceed.
func duration(u *unit, g goal) (p50, p90 int) {
	p50 = minutesFor(u, g.first)
	if g.then != nil {
		p50 += minutesFor(u, *g.then)
	}
	if u.server.Cluster != exchange.Standalone { // node by node
		moves := 1
		if g.then != nil {
			moves = 2
		}
		p50 = p50*len(u.server.Nodes) + moves*perMove*len(u.members)
	}
	return p50, p50 * 9 / 5
}

func minutesFor(u *unit, p exchange.Package) int {
	roles := 0
	for _, r := range u.server.Roles {
		roles += roleMinutes[r]
	}
	roles += u.boxes / boxesPerMinute
	if p.Kind == exchange.Rollup {
		return rollupBase + roles/3
	}
	minutes := servicePackBase + roles
	if u.server.Has(exchange.UnifiedMessaging) {
		minutes += perLanguage * len(u.server.UMLanguages)
	}
	return minutes
}
