package windows

import "strings"

// What the scripts may use, and since when it is in Windows: the parts of
// the table of constructs by version that are in PowerShell 1.0 and in use here. What is not
// listed is refused, whether it came later or was not looked up.

// psNodes are node types of the grammar. On purpose not here though 1.0 has
// them: strings with variables in them, hash tables, switch, for, do, param
// blocks, script blocks, filters, redirections, the operators & and '.'.
var psNodes = words(`program comment statement_list empty_statement
	function_statement function_name function_parameter_declaration parameter_list script_parameter attribute_list attribute
	script_block script_block_body statement_block
	if_statement else_clause while_statement while_condition foreach_statement trap_statement flow_control_statement
	pipeline pipeline_chain command command_name command_elements command_argument_sep command_parameter generic_token
	assignment_expression left_assignment_expression assignement_operator
	logical_expression bitwise_expression comparison_expression comparison_operator additive_expression multiplicative_expression
	format_expression range_expression array_literal_expression unary_expression expression_with_unary_operator cast_expression
	logical_argument_expression bitwise_argument_expression comparison_argument_expression additive_argument_expression
	multiplicative_argument_expression format_argument_expression range_argument_expression
	parenthesized_expression invokation_expression member_access member_name simple_name element_access
	argument_list argument_expression_list argument_expression
	type_literal type_spec type_name type_identifier variable
	integer_literal decimal_integer_literal string_literal verbatim_string_characters`)

// psTokens are keywords, operators and signs.
var psTokens = words(`function trap if else while foreach in throw return exit break continue
	( ) { } [ ] , ; = + - . : :: $_ -eq -ne -lt -gt -and -or -not -band`)

// psCmdlets are cmdlets with the parameters that 1.0 has. New-Object of 1.0:
// -TypeName, -ArgumentList, -ComObject, -Strict; -Property came with 2.0.
var psCmdlets = map[string][]string{
	"New-Object":        {"-ComObject"},
	"Invoke-Expression": {},
	"Add-PSSnapin":      {},
	// Of Exchange 2007: syntax pages of each, of the service packs and, where it is
	// other, of RTM. Start-, Stop- and Move-ClusteredMailboxServer: technet bb124258,
	// aa997179, exchhelp d13d8ae3; Get-ClusteredMailboxServerStatus aa998632;
	// Get-StorageGroupCopyStatus aa997246, bb690972; Unified Messaging: white paper
	// bb738116; Set-POPSettings aa997154; Get-Queue bb124904, bb691288;
	// Get-ReceiveConnector aa998618; Test-ServiceHealth aa998852, bb629527;
	// Test-MapiConnectivity bb123681, bb676521 (of RTM none has -Confirm, and none is
	// given it here); Get-EventLogLevel bb125129, bb676443.
	"Disable-UMServer": {"-Identity", "-Immediate", "-Confirm"}, "Enable-UMServer": {"-Identity", "-Confirm"}, "Get-UMServer": {"-Identity"},
	"Get-PopSettings": {"-Server"}, "Get-ImapSettings": {"-Server"}, "Set-PopSettings": {"-Server", "-LoginType"}, "Set-ImapSettings": {"-Server", "-LoginType"},
	// Get-TransportAgent bb123536, Get-MailboxDatabase bb124924, Get-UMActiveCalls
	// aa997922, bb676469, Get-UMDialplan aa996797, bb676456, Get-ExchangeServer bb123873;
	// the others as remembered.
	"Get-AcceptedDomain": {}, "Get-EmailAddressPolicy": {}, "Get-ExchangeCertificate": {}, "Get-OfflineAddressBook": {}, "Get-TransportAgent": {},
	"Get-MailboxDatabase": {"-Server", "-Status"}, "Get-PublicFolderDatabase": {"-Server", "-Status"}, "Get-UMActiveCalls": {"-Server"}, "Get-UMDialPlan": {},
	"Get-EventLogLevel": {}, "Set-EventLogLevel": {"-Identity", "-Level"}, "Get-Queue": {"-Server"}, "Get-ReceiveConnector": {"-Server"},
	"Test-ServiceHealth": {"-Server"}, "Test-MAPIConnectivity": {"-Server"},
	"Get-ClusteredMailboxServerStatus": {"-Identity"},
	"Get-ExchangeServer":               {"-Identity", "-Status"},
	"Get-StorageGroupCopyStatus":       {"-Server"},
	"Move-ClusteredMailboxServer":      {"-Identity", "-TargetMachine", "-MoveComment", "-Confirm"},
	"Start-ClusteredMailboxServer":     {"-Identity", "-Confirm"},
	"Stop-ClusteredMailboxServer":      {"-Identity", "-StopReason", "-Confirm"},
}

// psAutomatic are variables that PowerShell 1.0 sets.
var psAutomatic = words(`$_ $null $true $false $input $ErrorActionPreference`)

// psScopes may stand before a variable's name.
var psScopes = words(`$global`)

// netStatic are static members by type: .NET Framework 2.0 (type accelerators:
// PowerShell 1.0). A type without members is only cast to.
var netStatic = map[string]string{
	"string": "Join", "int": "", "long": "", "void": "", // accelerators of 1.0, void by System.Void
	"BitConverter":                "ToString",
	"Console":                     "In Out",
	"Convert":                     "FromBase64String ToBase64String",
	"DateTime":                    "UtcNow",
	"Diagnostics.FileVersionInfo": "GetVersionInfo",
	"Diagnostics.Process":         "EnterDebugMode GetProcesses",
	"DirectoryServices.ActiveDirectory.ActiveDirectorySite": "GetComputerSite",   // 2.0
	"DirectoryServices.ActiveDirectory.Domain":              "GetComputerDomain", // 2.0
	"Environment":                        "GetEnvironmentVariable NewLine OSVersion",
	"Globalization.CultureInfo":          "InvariantCulture",
	"Guid":                               "Empty",
	"IO.Compression.CompressionMode":     "Decompress",                                          // 2.0
	"IO.Directory":                       "CreateDirectory Delete Exists GetAccessControl Move", // with security: 2.0
	"IO.File":                            "Delete Exists GetAttributes Move WriteAllText ReadAllBytes ReadAllLines ReadAllText WriteAllBytes",
	"IO.DriveInfo":                       "GetDrives", // 2.0
	"IO.FileAccess":                      "Read ReadWrite Write",
	"IO.FileMode":                        "CreateNew Open OpenOrCreate",
	"IO.FileShare":                       "None Read ReadWrite",
	"IO.Path":                            "GetDirectoryName",
	"Net.GlobalProxySelection":           "GetEmptyWebProxy", // 1.0; obsolete since 2.0 and there
	"Net.WebRequest":                     "Create",
	"Microsoft.Win32.Registry":           "LocalMachine Users",
	"Reflection.Assembly":                "LoadWithPartialName",
	"Runtime.InteropServices.Marshal":    "GetHRForException",
	"Security.Principal.NTAccount":       "", // 2.0
	"Security.Principal.WindowsIdentity": "GetCurrent",
	"ServiceProcess.ServiceController":   "GetServices",
	"StringComparison":                   "OrdinalIgnoreCase", // 2.0
	"Text.Encoding":                      "UTF8",
	"Threading.Thread":                   "Sleep",
	"TimeSpan":                           "FromSeconds",
	"TimeZone":                           "CurrentTimeZone",
	"Security.AccessControl.AccessControlType": "", "Security.AccessControl.FileSystemRights": "", // 2.0
	"Security.AccessControl.InheritanceFlags": "", "Security.AccessControl.PropagationFlags": "", // 2.0
}

// netNew are the types that New-Object may make.
// (IO.DriveInfo, IO.InvalidDataException and IO.Compression came with 2.0.)
var netNew = words(`DirectoryServices.DirectoryEntry IO.DirectoryInfo IO.EndOfStreamException IO.FileStream UnauthorizedAccessException byte[]
	Collections.ArrayList Collections.Hashtable DirectoryServices.DirectorySearcher IO.Compression.DeflateStream IO.DriveInfo IO.FileInfo IO.InvalidDataException
	Security.AccessControl.DirectorySecurity Security.AccessControl.FileSystemAccessRule
	Security.Cryptography.SHA256Managed Security.Principal.SecurityIdentifier Security.Principal.WindowsPrincipal ServiceProcess.ServiceController`)

// comNew are COM classes, by the first Windows that has them.
// MSCluster.Cluster: with the Cluster service of 2003 and 2008 (page of Cluster.Open).
var comNew = words(`Schedule.Service MSCluster.Cluster`) // Windows Vista, Server 2008

// netMembers are members of objects, of .NET 2.0 unless said otherwise.
var netMembers = words(`
	Attributes LastWriteTimeUtc Length Name GetFileSystemInfos
	DriveType IsReady TotalFreeSpace TotalSize
	Close Flush Position Read SetLength Write ComputeHash
	Exception FullName GetType InnerException ToString
	GetBytes GetString ReadLine WriteLine
	Replace StartsWith ToLowerInvariant
	GetUtcOffset ToLocalTime ToUniversalTime TotalMinutes Version Year
	GetValue OpenSubKey
	Id ProcessName SessionId StartTime ServiceName Status
	Groups IsInRole Translate User Value
	AddAccessRule AreAccessRulesProtected FileSystemRights GetAccessRules GetOwner IdentityReference SetAccessRuleProtection SetOwner
	Add AddRange AllowAutoRedirect ContentLength GetResponse GetResponseStream Headers KeepAlive Proxy ReadWriteTimeout Response StatusCode Timeout UserAgent
	AddMinutes AvailableFreeSpace ContainsKey EndsWith Get Split Substring Count
	psbase Guid Properties RefreshCache
	CompanyName Method Ticks TotalMilliseconds
	AssemblyPath BackupInProgress CertificateDomains DefaultLanguage DialPlans DistinguishedName DomainName Enabled EnabledEmailAddressTemplates HasPrivateKey
	IsSelfSigned Languages LastFullBackup Mounted NotAfter Priority Server Services StaticConfigDomainController StaticDomainControllers Subject Thumbprint
	ClientTimeout Filter FindAll PageSize PropertiesToLoad SearchRoot SearchScope ServerTimeLimit
	AddSeconds IndexOf Sort ToArray
	Connect DeleteTask GetFolder GetTask GetTasks LastTaskResult RegisterTask Run State
	Group Move Nodes Open OwnerNode PossibleOwnerNodes PrivateProperties QuorumResource ResourceGroups Resources TypeName
	Exists GetFiles LastIndexOf Message Start Stop
	AuthMechanism Bindings EventLevel Fqdn Identity LoginType MessageCount RequiredServicesRunning Result Role ServicesNotRunning
	AdminDisplayVersion Build CopyQueueLength Major Minor OperationalMachines ReplayQueueLength Revision StorageGroupName SummaryCopyStatus`) // the line of Connect is Schedule.Service, that of Group MSCluster.Cluster, the last two Exchange's

// later says with what version a thing came that people would like to use:
// only words for the message, everything outside the lists is refused anyhow.
var psLater = map[string]string{
	"try_statement": "2.0", "data_statement": "2.0", "named_block": "2.0", "attribute_name": "2.0", "generic_type_name": "2.0",
	"-split": "2.0", "-join": "2.0", "-in": "3.0", "-notin": "3.0", "-shl": "3.0", "-shr": "3.0",
	"workflow": "3.0", "parallel_statement": "3.0", "sequence_statement": "3.0", "inlinescript_statement": "3.0", "stop_parsing": "3.0",
	"class_statement": "5.0", "enum_statement": "5.0", "&&": "7.0", "||": "7.0",
	"$psversiontable": "2.0", "$psboundparameters": "2.0", "$psscriptroot": "2.0", "$psculture": "2.0", "$pscmdlet": "2.0", "$psitem": "3.0", "$using": "3.0",
}

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// statements are node types that stand in a list of statements in 1.0; later
// versions take them as a value, too: $a = if (...) {...}.
var psStatements = words(`if_statement while_statement foreach_statement trap_statement function_statement flow_control_statement`)

// cmdlets1 are all 129 cmdlets of Windows PowerShell 1.0.
var cmdlets1 = words(strings.ToLower(`
	Add-Content Add-History Add-Member Add-PSSnapin
	Clear-Content Clear-Item Clear-ItemProperty Clear-Variable
	Compare-Object ConvertFrom-SecureString Convert-Path ConvertTo-Html ConvertTo-SecureString Copy-Item Copy-ItemProperty
	Export-Alias Export-Clixml Export-Console Export-Csv
	ForEach-Object Format-Custom Format-List Format-Table Format-Wide
	Get-Acl Get-Alias Get-AuthenticodeSignature Get-ChildItem Get-Command Get-Content Get-Credential Get-Culture Get-Date Get-EventLog Get-ExecutionPolicy Get-Help Get-History Get-Host Get-Item Get-ItemProperty Get-Location Get-Member Get-PfxCertificate Get-Process Get-PSDrive Get-PSProvider Get-PSSnapin Get-Service Get-TraceSource Get-UICulture Get-Unique Get-Variable Get-WmiObject
	Group-Object
	Import-Alias Import-Clixml Import-Csv Invoke-Expression Invoke-History Invoke-Item Join-Path
	Measure-Command Measure-Object Move-Item Move-ItemProperty
	New-Alias New-Item New-ItemProperty New-Object New-PSDrive New-Service New-TimeSpan New-Variable
	Out-Default Out-File Out-Host Out-Null Out-Printer Out-String
	Pop-Location Push-Location
	Read-Host Remove-Item Remove-ItemProperty Remove-PSDrive Remove-PSSnapin Remove-Variable Rename-Item Rename-ItemProperty Resolve-Path Restart-Service Resume-Service
	Select-Object Select-String Set-Acl Set-Alias Set-AuthenticodeSignature Set-Content Set-Date Set-ExecutionPolicy Set-Item Set-ItemProperty Set-Location Set-PSDebug Set-Service Set-TraceSource Set-Variable Sort-Object Split-Path Start-Service Start-Sleep Start-Transcript Stop-Process Stop-Service Stop-Transcript Suspend-Service
	Tee-Object Test-Path Trace-Command
	Update-FormatData Update-TypeData
	Where-Object Write-Debug Write-Error Write-Host Write-Output Write-Progress Write-Verbose Write-Warning`))
