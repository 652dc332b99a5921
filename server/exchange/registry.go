package exchange

// RegistryRoot is the key under HKEY_LOCAL_MACHINE that holds one subkey per
// installed role. It must be read with the 64-bit view.
const RegistryRoot = `SOFTWARE\Microsoft\Exchange\v8.0`

// SetupKey holds MsiInstallPath, below RegistryRoot.
const SetupKey = "Setup"

// The values of a role's key. Action and Watermark exist only while Setup runs
// or after it broke.
const (
	ConfiguredVersion = "ConfiguredVersion"
	UnpackedVersion   = "UnpackedVersion"
	ActionValue       = "Action"
	WatermarkValue    = "Watermark"
)

// roleKeys are the subkeys of RegistryRoot. HubTransportRole was seen in the
// name of Setup's generated scripts, the others are as remembered: enumerate
// the subkeys, do not rely on the list.
var roleKeys = map[Role]string{
	ClientAccess:     "ClientAccessRole",
	HubTransport:     "HubTransportRole",
	Mailbox:          "MailboxRole",
	UnifiedMessaging: "UnifiedMessagingRole",
	EdgeTransport:    "EdgeTransportRole",
}

// RegistryKey is the role's subkey of RegistryRoot.
func (r Role) RegistryKey() string { return roleKeys[r] }

// ClusteredMailboxKey is the subkey that says how the CMS part of a node stands.
const ClusteredMailboxKey = "ClusteredMailboxServer"

// RoleState is what a role's registry values say.
type RoleState string

// The states of a role on a host (the classification of watermark states).
const (
	RoleAbsent      RoleState = "absent"      // not installed
	RoleHealthy     RoleState = "healthy"     // files and configuration are at one build
	RoleUnpacked    RoleState = "unpacked"    // files replaced, configuration not done
	RoleInProgress  RoleState = "in-progress" // Action or Watermark, and Setup is alive
	RoleInterrupted RoleState = "interrupted" // Action or Watermark, and nothing runs
)

// RoleValues are the four registry values of a role, empty when absent.
type RoleValues struct {
	Configured, Unpacked, Action, Watermark string
}

// State classifies a role; setupAlive says whether a Setup process or its host
// task runs on the host.
func (v RoleValues) State(setupAlive bool) RoleState {
	switch {
	case v.Action != "" || v.Watermark != "":
		if setupAlive {
			return RoleInProgress
		}
		return RoleInterrupted
	case v.Configured == "" && v.Unpacked == "":
		return RoleAbsent
	case v.Configured == v.Unpacked:
		return RoleHealthy
	default:
		return RoleUnpacked
	}
}
