package windows

import "slices"

// organizationRows is the table of facts about an organization. Ask has parts
// between "; ", each one question to Active Directory: "script NAME: the object, or
// where is searched and by which filter: attributes". SCHEMA, CONFIGURATION and
// DOMAIN stand for the naming contexts that a host's RootDSE and the partitions
// name, ORGANIZATION for the organization's container, DC for each domain
// controller. A fact without a row here does not exist.
var organizationRows = []FactRow{
	{Name: "schema", Ask: askSchema, Source: versionsSource},
	{Name: "organization", Ask: askOrganization, Source: versionsSource},
	{
		Name:   "domains",
		Ask:    askPartitions + "; " + organizationAsk + "CN=Microsoft Exchange System Objects,DOMAIN: objectVersion; " + organizationAsk + "DOMAIN (&(objectCategory=group)(sAMAccountName=Exchange Enterprise Servers)): name",
		Source: versionsSource + "; technet bb125224 for the groups; the bits of systemFlags are documented (MS-ADTS, crossRef)",
	},
	{
		Name:   "schema_master",
		Ask:    organizationAsk + "SCHEMA: fSMORoleOwner; " + organizationAsk + "the server above it: dNSHostName, serverReference",
		Source: "MS-ADTS (fSMORoleOwner)",
	},
	{Name: "single_label", Ask: askPartitions, Source: "MS-ADTS (crossRef, dnsRoot)"},
	{Name: "exchange_2003", Ask: askExchangeServers, Source: serversSource + "; the build of Service Pack 2 is remembered"},
	{Name: "exchange_2000", Ask: askExchangeServers, Source: serversSource},
	{Name: "servers_2007", Ask: askExchangeServers, Source: serversSource},
	{Name: "cms", Ask: askExchangeServers, Source: serversSource + "; msExchClusterStorageType is remembered"},
	{
		Name:   "smtp_domains",
		Ask:    organizationAsk + "ORGANIZATION (objectClass=msExchAcceptedDomain): msExchAcceptedDomainName; " + organizationAsk + "ORGANIZATION (objectClass=msExchRecipientPolicy): gatewayProxy",
		Source: "readiness rule ServerFQDNMatchesSMTPPolicy; the classes are remembered",
	},
	{
		Name: "replication",
		Ask: organizationAsk + "CN=Sites,CONFIGURATION (objectClass=nTDSDSA): distinguishedName, options; " + organizationAsk + "CN=Sites,CONFIGURATION (objectCategory=server): distinguishedName, dNSHostName, serverReference; " +
			organizationAsk + "DC, CN=ms-Exch-Schema-Version-Pt,SCHEMA: rangeUpper; " + organizationAsk + "DC, ORGANIZATION: objectVersion; " +
			organizationAsk + "DC, CN=Microsoft Exchange System Objects,DOMAIN: objectVersion",
		Source: versionsSource + "; MS-ADTS (nTDSDSA, options)",
	},
	{
		Name:   displayTemplates,
		Ask:    "script " + OrganizationExport + ": CN=Display-Templates,CN=Addressing,ORGANIZATION (objectClass=displayTemplate): distinguishedName, addressEntryDisplayTable, addressEntryDisplayTableMSDOS, originalDisplayTable, originalDisplayTableMSDOS, helpData32, helpData16",
		Source: "msxfaq.de (Service Packs für Exchange 2007); the classes are remembered",
	},
}

const (
	organizationAsk  = "script " + OrganizationLook + ": "
	displayTemplates = "display_templates"

	askSchema       = organizationAsk + "the schema master, CN=ms-Exch-Schema-Version-Pt,SCHEMA: rangeUpper"
	askOrganization = organizationAsk + "the schema master, CN=Microsoft Exchange,CN=Services,CONFIGURATION (objectClass=msExchOrganizationContainer): distinguishedName, name, objectVersion"
	askPartitions   = organizationAsk + "CN=Partitions,CONFIGURATION (&(objectCategory=crossRef)(systemFlags:1.2.840.113556.1.4.803:=3)): nCName, dnsRoot, nETBIOSName"

	askExchangeServers = organizationAsk + "ORGANIZATION (objectCategory=msExchExchangeServer): name, serialNumber, msExchCurrentServerRoles, msExchClusterStorageType, msExchServerRedundantMachines, msExchServerSite"

	versionsSource = "TechNet wiki 2772 on versions of the schema; exchange2k7tutorial.blogspot.com, 2011-04, for the query"
	serversSource  = "public inventory scripts"
)

// OrganizationFactTable lists the facts of an organization, each line whole.
func OrganizationFactTable() []FactRow {
	rows := slices.Clone(organizationRows)
	for i := range rows {
		rows[i].Account, rows[i].Versions = RunAsAccount, allWindows
	}
	return rows
}

// organizationSource is what the fact of that name says of where it comes from:
// the question of its line in the table; "" where it has none.
func organizationSource(name string) string {
	for _, row := range organizationRows {
		if row.Name == name {
			return row.Ask
		}
	}
	return ""
}
