package exchange

import (
	"slices"
	"strings"
	"testing"
)

// failures32 are the 32 failure modes of the project's dossier in their order,
// each as a log shows it; the rule that must be met stands before the colon.
// Rows that show in no log of Setup stand as the event or file that shows them.
var failures32 = []string{
	`interrupted-setup: [1] [ERROR] A Setup failure previously occurred while installing the HubTransport role. Either run Setup again for just this role, or remove the role using Control Panel.`,
	`receive-connector-fqdn: [1] [ERROR] When the AuthMechanism parameter on a Receive connector is set to the value ExchangeServer, you must set the FQDN parameter on the Receive connector to one of the following values: the FQDN of the transport server "A", the NetBios name "B", or $null.`,
	`um-language-packs: [1] Evaluated [Rule:AdditionalUMLangPackExists] [HasException:False] [Value:"True"]`,
	`revocation-list: [1] Could not download http://crl.microsoft.com/pki/crl/products/CSPCA.crl`,
	`service-timeout: Timeout (30000 milliseconds) waiting for the Microsoft Exchange Transport Log Search service to connect.`,
	`missing-msp: MSI (s) (80:B8) [22:57:41:526]: Couldn't find local patch 'C:\WINDOWS\Installer\33502bc.msp'.`,
	`return-value-3: Action ended 22:58:01: CA_InstallFiles. Return value 3.`,
	`wrong-architecture: The version of this file is not compatible with the version of Exchange Server 2007 that you're running.`,
	`interim-update: [1] [ERROR] An interim update is installed on this computer.`,
	`wmf3: Installation Failure: Windows failed to install the following update with error 0x80070643`,
	`not-elevated: [1] [ERROR] The requested operation requires elevation.`,
	`temporary-msp-held: Unable to delete C:\WINDOWS\Installer\77a1.msp, the file is open in another process`,
	"services-left-disabled: ServiceControl: rollup Exchange2007-KB968012 ends; MSExchangeIS remains disabled",
	"transport-with-forefront: [1] FSCController is hooked into the pipeline\n[1] [ERROR] Service MSExchangeTransport did not start",
	`transport-not-running: [1] [ERROR] サービス 'MSExchangeTransport' は状態 'Running' に達しませんでした`,
	`store-without-upgradecms: The version of this clustered mailbox server does not match: the clustered mailbox server version must be upgraded`,
	`client-access-too-old: The Client Access server is running an older version of Exchange than the Mailbox server`,
	`remote-streaming-backup: Seeding failed: remote streaming backup is disabled on the source`,
	`pop-imap-logons: Microsoft.Exchange.Pop3.exe.Config was reset to its defaults`,
	`um-configuration: Setup will overwrite C:\Exchange\bin\globcfg.xml`,
	`fqdn-not-maintained: [1] Evaluated [Setting:ComputerNameDnsFullyQualified] [HasException:False] [Value:"EX1"] [ParentValue:"<NULL>"]`,
	`server-fqdn-is-mail-domain: [1] Evaluated [Rule:ServerFQDNMatchesSMTPPolicy] [HasException:False] [Value:"True"]`,
	`schema-master-site: [1] [ERROR] Setup must be run in the same domain and site as the schema master.`,
	`msdtc-stopped: [1] [ERROR] The Distributed Transaction Coordinator service must be started before Setup can continue.`,
	`endpoint-mapper: [1] [ERROR] There are no more endpoints available from the endpoint mapper. (Exception from HRESULT: 0x800706D9)`,
	`service-disabled: [1] [ERROR] Service 'Microsoft Exchange Service Host (MSExchangeServiceHost)' cannot be started due to the following error: Cannot start service`,
	`installation-source-missing: [1] [ERROR] Couldn't remove product with code 8466eaed. The installation source for this product is not available. Error code is 1612.`,
	`installer-cache-unreadable: [1] [ERROR] Error reading from file: C:\Windows\Installer\MSI1234.tmp`,
	`shared-configuration-controller: [1] [ERROR] Unable to set shared config DC.`,
	`topology-discovery: Process MSEXCHANGEADTOPOLOGY (PID=1). Topology discovery failed, error 0x80040a02.`,
	`machine-certificate: [1] [ERROR] New-ExchangeCertificate could not make the certificate of this computer`,
	`performance-counters: [1] [ERROR] new-perfcounters: the counters are held by another process`,
}

// analogues are what a reader for later products recognises and Exchange 2007
// can show as well.
var analogues = []string{
	`pending-restart: [1] Evaluated [Rule:RebootPending] [HasException:False] [Value:"True"]`,
	`pending-restart: [1] [ERROR] A reboot from a previous installation is pending. Please restart the system and then rerun Setup.`,
	`process-to-close: [1] Evaluated [Rule:ProcessNeedsToBeClosedOnUpgrade] [HasException:False] [Value:"True"]`,
	`domain-controller-out-of-site: [1] Evaluated [Rule:DomainControllerIsOutOfSite] [HasException:False] [Value:"True"]`,
	`remote-registry: [1] Evaluated [Rule:RemoteRegException] [HasException:False] [Value:"True"]`,
	`domain-not-prepared: [1] Evaluated [Rule:DomainPrepRequired] [HasException:False] [Value:"True"]`,
	`directory-not-validated: [0] [ERROR] Setup encountered a problem while validating the state of Active Directory: no controller`,
	`prepare-with-another-group: [1] [ERROR] You must be a member of the 'Schema Admins' group`,
	`organization-administrator: [1] Evaluated [Setting:ExOrgAdmin] [HasException:False] [Value:"False"]`,
	`schema-import: [2] [ERROR] There was an error while running 'ldifde.exe' to import the schema file 'C:\schema80.ldf'. The error code is: 8245.`,
	`product-not-removed: [2] [ERROR] Unable to remove product with code 8466eaed. Fatal error`,
	`installer-fatal: [1] [ERROR] Installing product C:\x.msi failed. Fatal error during installation. Error code is 1603.`,
	"installer-null-reference: [1] Installing a new product. Package: C:\\x.msi\n[1] [ERROR] Object reference not set to an instance of an object.",
	`already-exists: [2] [ERROR] Active Directory operation failed on dc1. The object 'CN=x' already exists.`,
	`missing-path: [1] [ERROR] Cannot find path 'C:\x\grammars' because it does not exist.`,
	`missing-home-database: [1] [ERROR] Database is mandatory on UserMailbox.`,
	`mount-failed: [1] [ERROR] Failed to mount database "First".`,
	`security-groups-container: [1] at InitializeExchangeUniversalGroups.CreateOrMoveEWPGroup(ADGroup ewp)`,
	`virtual-directory: [1] [ERROR] The virtual directory 'owa' already exists under 'dc1/Default Web Site'.`,
	`install-from-bin: [1] [ERROR] The term 'C:\Exchange\bin\ManageScheduledTask.ps1' is not recognized as a cmdlet`,
	`insufficient-access-rights: [1] [ERROR] 00000005: SecErr: DSID-03152857, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0`,
	`expired-certificate: [1] [ERROR] The certificate is expired.`,
	`well-known-object-deleted: [1] [ERROR] The attribute points to an invalid DN or a deleted object`,
	`well-known-object-kind: [1] [ERROR] Microsoft.Exchange.InvalidWKObjectTargetException: the group`,
	`pending-restart: [1] [REQUIRED] There is a pending reboot from a previous installation of a Windows Server role or feature.`,
	`process-to-close: [1] [REQUIRED] Setup can't continue with the upgrade because the powershell (4711) has open files. Close the process, and then restart Setup.`,
	`prepare-with-another-group: [1] Failed [Rule:SchemaUpdateRequired] [Message:The schema isn't up-to-date.]`,
	`prepare-with-another-group: [1] [REQUIRED] Global updates need to be made to Active Directory, and this user account isn't a member of the 'Enterprise Admins' group.`,
	`organization-administrator: [1] [REQUIRED] You must use an account that's a member of the Organization Management role group to install the first server.`,
	`organization-administrator: [1] Help URL: http://technet.microsoft.com/x/ms.exch.setupreadiness.GlobalServerInstall.aspx`,
	`domain-not-prepared: [1] [REQUIRED] The local domain needs to be prepared using Setup /PrepareDomain before server roles can be installed.`,
	`domain-controller-out-of-site: [1] Failed [Rule:DomainControllerIsOutOfSite] [Message:x]`,
	`antimalware-configuration: [2] [ERROR] Upgrade of Configuration.xml was unsuccessful, Exception calling "Upgrade" with "0" argument(s): "Access to the path is denied."`,
	`arbitration-mailbox: [2] [ERROR] Additional information: The operation failed because UPN value provided for addition/modification is not unique forest-wide.`,
	"service-control-script: [1] [ERROR] The following error was generated when \"$error.Clear();\n   & $RoleBinPath\\ServiceControl.ps1 Stop $roleList;\n\" was run\n[1] [ERROR] Exception calling \"Reverse\" with \"1\" argument(s): \"Value cannot be null.",
	`virtual-directory: [2] [ERROR] The operation couldn't be performed because object 'EX1\owa (Exchange Back End)' couldn't be found on 'dc1'.`,
	`virtual-directory: [1] [ERROR] Cannot convert 'System.Object[]' to the type 'Microsoft.Exchange.Configuration.Tasks.VirtualDirectoryIdParameter' required by parameter 'Identity'.`,
	`well-known-object-kind: [1] [ERROR] The well-known object entry with the GUID "6c" refers to a group "CN=x" of the wrong group type.`,
	`installer-cache-unreadable: [2] [ERROR] Unable to remove product with code c3f1. Error code is 1603. Last error reported by the MSI package is 'Error reading from file: C:\Windows\Installer\MSI3D2F.tmp.'`,
	`installation-source-missing: [2] [ERROR] Installing product D:\x.msi failed. The installation source for this product is not available. Error code is 1612.`,
	"transport-not-running: ハブ トランスポートの役割\n失敗\nサービス ‘MSExchangeTransport’ は状態 ‘Running’ に到達できませんでした。",
	`missing-msp: Product: Microsoft Exchange Server - Update 'Update Rollup 5' could not be installed. Error code 1635.`,
	`installer-fatal: Product: Microsoft Exchange Server - Update 'Update Rollup 5' could not be installed. Error code 1603.`,
	`transport-not-running: Service 'MSExchangeTransport' failed to reach status 'Running' on this server.`,
	`transport-not-running: [2] [ERROR] Der Dienst "MSExchangeTransport" konnte den Status "Running" nicht erreichen.`,
	`single-label-domain: [1] [ERROR] Setup cannot continue: the domain has a single-labeled DNS name. XYZ`,
}

func met(t *testing.T, sample string) (want string, got []string) {
	t.Helper()
	want, text, _ := strings.Cut(sample, ": ")
	var log strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "[") {
			log.WriteString("[30.11.2007 17:35:15] ")
		}
		log.WriteString(line + "\r\n")
	}
	r := NewLogReader()
	r.Feed([]byte(log.String()))
	for _, e := range r.Report(ReportOptions{}).Errors {
		got = append(got, e.Rule)
	}
	return want, got
}

func TestEachFailureModeOfTheDossierIsRecognised(t *testing.T) {
	t.Parallel()
	if len(failures32) != 32 {
		t.Fatalf("%d failure modes, want 32", len(failures32))
	}
	for i, sample := range append(slices.Clone(failures32), analogues...) {
		if want, got := met(t, sample); !slices.Contains(got, want) {
			t.Errorf("%d: %q gives %v, want %s", i+1, sample, got, want)
		}
	}
}

// TestWhatOnlySoundsLikeAnErrorIsNone: lines of runs that went well.
func TestWhatOnlySoundsLikeAnErrorIsNone(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`[1] Evaluated [Rule:InstallWatermark] [HasException:False] [Value:"False"]`,
		`[1] Evaluated [Rule:AdditionalUMLangPackExists] [HasException:False] [Value:"False"]`,
		`[1] Evaluated [Rule:RebootPending] [HasException:False] [Value:"False"]`,
		`[1] Evaluated [Setting:ExOrgAdmin] [HasException:False] [Value:"True"]`,
		`[1] Evaluated [Setting:ComputerNameDnsFullyQualified] [HasException:False] [Value:"ex1.contoso.com"]`,
		`[2] Beginning processing new-perfcounters`,
		`[2] Service checkpoint has progressed. Previous checkpoint='0' - Current checkpoint='1'.`,
		`[2] Beginning processing set-clusteredmailboxserver -Identity 'CMS1'`,
		`[2] User specified parameters: -Identity:'MSExchangeTransport' -Status:'Running'x`,
		`[2] Service 'MSExchangeTransport' successfully reached status 'Running' on this server.`,
		`[2] サービス 'MSExchangeTransport' は正常に状態 'Running' に到達しました。`,
		`[1] Started [Rule:RebootPending] [Parent:RootAnalysisMember] [RuleType:Error]`,
		`[1] Evaluated [Rule:SchemaUpdateRequired] [HasException:False] [Value:"False"]`,
		`[2] [ServiceControl.ps1] Killing instead of Stopping 'FMS'.`,
		`MSI (s) (80:B8) [22:57:41:526]: Opening existing patch 'C:\WINDOWS\Installer\9dd4195.msp'.`,
		`Action ended 22:58:01: CA_InstallFiles. Return value 1.`,
		`[1] Windows Installer 4.5 was found`,
		`[2] Copying C:\Exchange\bin\globcfg.xml`,
		`[1] The interim result is stored`,
	} {
		if _, got := met(t, "x: "+line); len(got) > 0 {
			t.Errorf("%q gives %v", line, got)
		}
	}
}

func TestEveryKnownErrorIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range KnownErrors() {
		if k.Rule == "" || k.Words == "" || k.Remedy == "" || k.Source == "" || len(k.Any) == 0 || k.Confidence == "" || seen[k.Rule] {
			t.Errorf("incomplete, or twice: %+v", k)
		}
		seen[k.Rule] = true
		for _, text := range slices.Concat(k.Any, k.Contexts) {
			if text != strings.ToLower(text) {
				t.Errorf("%s: %q is not lower case", k.Rule, text)
			}
		}
	}
}
