package exchange

// directoryErrors are those on the way to Active Directory.
var directoryErrors = []KnownError{
	{
		Rule: "schema-import", Confidence: Successor,
		Words:  "ldifde.exe could not import a schema file.",
		Remedy: "Read ldif.err in the temporary folder of the account: it names the object. Cure it (rights, schema master, an object of that name that exists), and run PrepareSchema again.",
		Source: reviewer + ": KnownLdifErrors",
		Any:    []string{"while running 'ldifde.exe'", "ldifde.exe"}, Pattern: `(?i)error.*ldifde\.exe.*(schema file|error code)|ldifde\.exe.*(failed|returned|exit code)`,
	},
	{
		Rule: "shared-configuration-controller", Confidence: Successor,
		Words:  "Setup finds no domain controller that suits.",
		Remedy: "Check DNS, site and global catalogs of the server's site and the right \"Manage auditing and security log\" of Exchange's servers; name a controller with /DomainController; run Setup again.",
		Source: reviewer + ": SharedConfigDc; " + logs15,
		Any:    []string{"unable to set shared config dc", "suitabilitydirectoryexception", "nosuitableserverfoundexception"},
	},
	{
		Rule: "topology-discovery", Confidence: Seen,
		Words:  "Exchange's servers cannot read the topology: event 2114, mostly since they lack the right \"Manage auditing and security log\".",
		Remedy: "Run PrepareDomain again, look for a group policy that takes the right away, and start MSExchangeADTopology.",
		Source: "KB919089 (text of Exchange 2003)",
		Any:    []string{"0x80040a02", "event id: 2114", "dsc_e_no_suitable_cdc", "topology discovery failed"},
	},
	{
		Rule: "insufficient-access-rights", Confidence: Successor,
		Words:  "The account may not write an object of Active Directory.",
		Remedy: "Look at the object in the line: inheritance, refusals for the account, and that it is a member of Enterprise Admins; then run the preparation again.",
		Source: reviewer + ": InitializePermissionsOfDomain",
		Any:    []string{"insuff_access_rights", "problem 4003"},
	},
	{
		Rule: "security-groups-container", Confidence: Successor,
		Words:  "The container \"Microsoft Exchange Security Groups\" was deleted from the root domain.",
		Remedy: "Restore it, or make the organizational unit again in the root domain, and run PrepareAD.",
		Source: reviewer + ": MSExchangeSecurityGroupsContainerDeleted",
		Any:    []string{"createormoveewpgroup"},
	},
	{
		Rule: "well-known-object-deleted", Confidence: Successor,
		Words:  "A well-known object of Exchange points to an object that was deleted.",
		Remedy: "Take the pointer out of otherWellKnownObjects (with ldifde, by a person), then run PrepareAD.",
		Source: reviewer + ": OtherWellKnownObjects",
		Any:    []string{"points to an invalid dn or a deleted object", "otherwellknownobjects"}, Pattern: `(?i)points to an invalid DN or a deleted object|otherWellKnownObjects.*(invalid|deleted|0ADEL)`,
	},
	{
		Rule: "well-known-object-kind", Confidence: Successor,
		Words:  "A group of Exchange is of the wrong kind: it must be universal and a security group.",
		Remedy: "Make the group that the line names universal and security-enabled, not mail-enabled, then run PrepareAD.",
		Source: reviewer + ": InvalidWKObjectTargetException",
		Any:    []string{"invalidwkobjecttargetexception", "well-known object entry"}, Pattern: `(?i)InvalidWKObjectTargetException|well-known object entry.*(invalid|incorrect|wrong|group)`,
	},
}
