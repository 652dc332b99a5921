package windows

// namedService is a service that the program stops, starts, watches or asks for.
type namedService struct {
	name     string
	roles    []string // keys of the roles that bring it; none = Windows itself
	on       []string
	standing Standing
	source   string
}

const (
	seenName    = "seen in documents about Exchange 2007"
	laterName   = "seen in a table of Exchange 2010"
	recalled    = "general knowledge"
	listed      = "lists of services of Windows Server 2003 and 2008 R2"
	needsAccess = "ClientAccessRole"
	needsHub    = "HubTransportRole"
	needsMBX    = "MailboxRole"
	needsUM     = "UnifiedMessagingRole"
	needsEdge   = "EdgeTransportRole"
)

// namedServices are Exchange's services by role, then Windows' own.
var namedServices = []namedService{
	{"MSExchangeADTopology", []string{needsMBX, needsHub, needsAccess, needsUM}, nil, Documented, seenName},
	{"ADAM_MSExchange", []string{needsEdge}, nil, Remembered, laterName},
	{"MSExchangeSA", []string{needsMBX}, nil, Documented, seenName},
	{"MSExchangeIS", []string{needsMBX}, nil, Documented, seenName},
	{"MSExchangeServiceHost", []string{needsMBX, needsAccess}, nil, Documented, seenName},
	{"EdgeCredentialSvc", []string{needsEdge}, nil, Remembered, recalled},
	{"MSExchangeTransport", []string{needsHub, needsEdge}, nil, Documented, seenName},
	{"MSExchangeTransportLogSearch", []string{needsHub, needsMBX, needsEdge}, nil, Remembered, recalled},
	{"MSExchangeEdgeSync", []string{needsHub}, nil, Remembered, recalled},
	{"MSExchangeAntispamUpdate", []string{needsHub, needsEdge}, nil, Remembered, laterName},
	{"MSExchangeFDS", []string{needsAccess, needsUM}, nil, Remembered, recalled},
	{"MSExchangeMailboxAssistants", []string{needsMBX}, nil, Remembered, recalled},
	{"MSExchangeMailSubmission", []string{needsMBX}, nil, Remembered, recalled},
	{"MSExchangeRepl", []string{needsMBX}, nil, Remembered, "its event source was seen"},
	{"MSExchangeSearch", []string{needsMBX}, nil, Remembered, recalled},
	{"msftesql-Exchange", []string{needsMBX, needsHub}, nil, Remembered, recalled},
	{"MSSpeechService", []string{needsUM}, nil, Remembered, recalled + "; MSS is said, too"},
	{"MSExchangeUM", []string{needsUM}, nil, Remembered, recalled},
	{"MSExchangeMonitoring", []string{needsMBX, needsHub, needsAccess, needsUM, needsEdge}, nil, Remembered, recalled},
	{"MSExchangePop3", []string{needsAccess}, nil, Remembered, recalled},
	{"MSExchangeImap4", []string{needsAccess}, nil, Remembered, recalled},
	{"W3SVC", []string{needsAccess, needsMBX}, nil, Remembered, recalled},
	{"IISADMIN", []string{needsAccess, needsMBX}, nil, Remembered, recalled},
	{"WinRM", nil, nil, Recorded, listed},
	{"Winmgmt", nil, nil, Recorded, listed},
	{"Schedule", nil, nil, Recorded, listed},
	{"SharedAccess", nil, only2003, Recorded, listed + "; Windows Firewall is in it"},
	{"MpsSvc", nil, from2008, Recorded, listed + "; Windows Firewall of later versions"},
	{"msiserver", nil, nil, Recorded, listed},
	{"RemoteRegistry", nil, nil, Recorded, listed},
}

// serviceConstants are the services, each expected where one of its roles' keys is.
func serviceConstants() []Constant {
	var out []Constant
	for _, s := range namedServices {
		c := Constant{
			Name: "service." + s.name, Value: s.name, What: "service of Windows", On: s.on,
			Standing: s.standing, Source: s.source, Probe: Probe{By: ProbeService, At: s.name},
		}
		if len(s.roles) > 0 {
			c.What, c.Needs = "stopped, started and verified by its short name", Needs{Role: s.roles[0]}
			for _, more := range s.roles[1:] {
				c.Needs.Role += "|" + more
			}
		}
		out = append(out, c)
	}
	return out
}
