package exchange

// Service is a Windows service of Exchange 2007 by its short name.
type Service struct {
	Name   string
	Roles  []Role
	Manual bool // start type after an installation; POP3 and IMAP4 are not started by themselves
}

// services are Exchange's own, in start order: topology first, since most
// others cannot start without it. Short names partly as remembered.
var services = []Service{
	{Name: "MSExchangeADTopology", Roles: []Role{Mailbox, HubTransport, ClientAccess, UnifiedMessaging}},
	{Name: "ADAM_MSExchange", Roles: []Role{EdgeTransport}},
	{Name: "MSExchangeSA", Roles: []Role{Mailbox}},
	{Name: "MSExchangeIS", Roles: []Role{Mailbox}},
	{Name: "MSExchangeServiceHost", Roles: []Role{Mailbox, ClientAccess}},
	{Name: "EdgeCredentialSvc", Roles: []Role{EdgeTransport}},
	{Name: "MSExchangeTransport", Roles: []Role{HubTransport, EdgeTransport}},
	{Name: "MSExchangeTransportLogSearch", Roles: []Role{HubTransport, Mailbox, EdgeTransport}},
	{Name: "MSExchangeEdgeSync", Roles: []Role{HubTransport}},
	{Name: "MSExchangeAntispamUpdate", Roles: []Role{HubTransport, EdgeTransport}},
	{Name: "MSExchangeFDS", Roles: []Role{ClientAccess, UnifiedMessaging}},
	{Name: "MSExchangeMailboxAssistants", Roles: []Role{Mailbox}},
	{Name: "MSExchangeMailSubmission", Roles: []Role{Mailbox}},
	{Name: "MSExchangeRepl", Roles: []Role{Mailbox}},
	{Name: "MSExchangeSearch", Roles: []Role{Mailbox}},
	{Name: "msftesql-Exchange", Roles: []Role{Mailbox, HubTransport}},
	{Name: "MSSpeechService", Roles: []Role{UnifiedMessaging}},
	{Name: "MSExchangeUM", Roles: []Role{UnifiedMessaging}},
	{Name: "MSExchangeMonitoring", Roles: Roles()},
	{Name: "MSExchangePop3", Roles: []Role{ClientAccess}, Manual: true},
	{Name: "MSExchangeImap4", Roles: []Role{ClientAccess}, Manual: true},
}

// Monitoring lists the services that watch performance counters or send alarms:
// they hold what Setup replaces. Source: the founding document (monitoring is
// stopped); the names as remembered: Microsoft Operations Manager 2005, System
// Center Operations Manager 2007, Performance Logs and Alerts of 2003 and 2008.
func Monitoring() []string { return []string{"MOM", "HealthService", "SysmonLog", "pla"} }

// Services lists Exchange's own services of a server with these roles, in
// start order; stopping goes the other way.
func Services(roles []Role) []Service {
	var out []Service
	for _, s := range services {
		if (Server{Roles: s.Roles}).hasAny(roles) {
			out = append(out, s)
		}
	}
	return out
}

func (s Server) hasAny(roles []Role) bool {
	for _, r := range roles {
		if s.Has(r) {
			return true
		}
	}
	return false
}

// Processes are the images that mean that a Setup runs on a host. msiexec may
// run for other reasons; together with a watermark it means Setup as well.
func Processes() []string {
	return []string{"Setup.com", "setup.exe", "ExSetup.exe", "ExSetupUI.exe", "msiexec.exe"}
}
