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
	boxesPerMinute  = 400
)

// duration gives the minutes that half of such upgrades, and nine in ten,
// should not exceed.
func duration(u *unit, p exchange.Package) (p50, p90 int) {
	roles := 0
	for _, r := range u.server.Roles {
		roles += roleMinutes[r]
	}
	roles += u.boxes / boxesPerMinute
	if p.Kind == exchange.Rollup {
		p50 = rollupBase + roles/3
	} else {
		p50 = servicePackBase + roles
		if u.server.Has(exchange.UnifiedMessaging) {
			p50 += perLanguage * len(u.server.UMLanguages)
		}
	}
	return p50, p50 * 9 / 5
}
