# wavekeeper: organization-look 1
# in: what, versions or replication or all; seconds, how long domain controllers are asked in all; most, how many of each kind are told
# out: here SITE|DOMAIN of this host; master HOST|SITE|DOMAIN; schema VERSION; organization VERSION|NAME; domain DNS|NETBIOS|VERSION|GROUPS of 2003; server ROLES|STORAGE|SITE|SERIAL|NAME; node NODE|NAME of a clustered server; smtp, a domain or an address's form; controller GC|SCHEMA|ORGANIZATION|DOMAINS|SITE|DOMAIN|NAME; more, a kind of which not all was told; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_organization_look([string]$n, [string]$what, [string]$seconds, [string]$most) {
    function put([string]$name, $value) {
        $global:wkCount = $global:wkCount + 1
        [Console]::Out.WriteLine('#' + $n + ' ' + $name + '=' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]$value)))
    }
    function end_records { [Console]::Out.WriteLine('#' + $n + ' END ' + [string]$global:wkCount) }
    function why($record) {
        $e = $record.Exception
        while ($e.InnerException -ne $null) { $e = $e.InnerException }
        $e.GetType().FullName + ' ' + [Runtime.InteropServices.Marshal]::GetHRForException($e).ToString('X8')
    }
    trap { put 'error' (why $_); end_records; exit 1 }
    $ErrorActionPreference = 'Stop'
    $global:wkCount = 0
    $global:wkTold = New-Object Collections.Hashtable
    $until = [DateTime]::UtcNow.AddSeconds([int]$seconds)
    function room([string]$kind) {
        $told = 1
        if ($global:wkTold.ContainsKey($kind)) { $told = [int]$global:wkTold[$kind] + 1 }
        $global:wkTold[$kind] = $told
        if ($told -eq ([int]$most + 1)) { put 'more' $kind }
        $told -lt ([int]$most + 1)
    }
    function plain($value) { ([string]$value).Replace('|', '_') }
    function at([string]$server, [string]$dn) {
        $path = $dn.Replace('/', '\/')
        if ($server -ne '') { $path = $server + '/' + $path }
        'LDAP://' + $path
    }
    function dns_of([string]$dn) {
        $low = ',' + $dn.ToLowerInvariant()
        $start = $low.IndexOf(',dc=')
        if ($start -lt 0) { return '' }
        $low.Substring($start + 4).Replace(',dc=', '.')
    }
    function part([string]$dn, [int]$of) {
        $all = $dn.Split(',')
        if (($of -lt $all.Length) -and ($all[$of].Length -gt 3)) { $all[$of].Substring(3) } else { '' }
    }
    function read_entry([string]$path) {
        $entry = New-Object DirectoryServices.DirectoryEntry $path
        $entry.psbase.RefreshCache()
        $entry
    }
    function read_version([string]$path, [string]$name) {
        $global:wkRead = [string](read_entry $path).psbase.Properties[$name].Value
    }
    function version_at([string]$path, [string]$name) {
        trap { $global:wkRead = 'error ' + (why $_); continue }
        read_version $path $name
        $global:wkRead
    }
    function find_all([string]$base, [string]$filter, [string]$names, [string]$scope) {
        $look = New-Object DirectoryServices.DirectorySearcher
        $look.SearchRoot = New-Object DirectoryServices.DirectoryEntry $base
        $look.Filter = $filter
        $look.PageSize = 500
        $look.SearchScope = $scope
        $look.ServerTimeLimit = [TimeSpan]::FromSeconds(60)
        $look.ClientTimeout = [TimeSpan]::FromSeconds(90)
        foreach ($name in $names.Split(' ')) {
            if ($name -ne $null) { [void]$look.PropertiesToLoad.Add($name) }
        }
        $look.FindAll()
    }
    function keep_first($value) {
        if ($global:wkFirst -eq $null) { $global:wkFirst = $value }
    }
    function find_first($of, [string]$name) {
        $global:wkFirst = $null
        foreach ($value in $of.Properties[$name]) {
            if ($value -ne $null) { keep_first $value }
        }
    }
    function first($of, [string]$name) {
        find_first $of $name
        [string]$global:wkFirst
    }
    function here {
        $global:wkSite = ''
        $global:wkDomain = ''
        ask_here
        put 'here' ((plain $global:wkSite) + '|' + (plain $global:wkDomain))
    }
    function ask_here {
        trap { continue }
        $global:wkSite = [DirectoryServices.ActiveDirectory.ActiveDirectorySite]::GetComputerSite().Name
        $global:wkDomain = [DirectoryServices.ActiveDirectory.Domain]::GetComputerDomain().Name
    }
    function legacy_groups([string]$server, [string]$nc) {
        trap { $global:wkRead = 'error ' + (why $_); continue }
        $global:wkRead = '0'
        foreach ($found in (find_all (at $server $nc) '(&(objectCategory=group)(sAMAccountName=Exchange Enterprise Servers))' 'name' 'Subtree')) {
            if ($found -ne $null) { $global:wkRead = '1' }
        }
    }
    function told_domain($of) {
        $dns = first $of 'dnsroot'
        $nc = first $of 'ncname'
        $version = version_at (at $dns ('CN=Microsoft Exchange System Objects,' + $nc)) 'objectVersion'
        legacy_groups $dns $nc
        if (room 'domain') { put 'domain' ((plain $dns) + '|' + (plain (first $of 'netbiosname')) + '|' + (plain $version) + '|' + (plain $global:wkRead)) }
    }
    function told_server($of) {
        $name = first $of 'name'
        $site = part (first $of 'msexchserversite') 0
        $line = (plain (first $of 'msexchcurrentserverroles')) + '|' + (plain (first $of 'msexchclusterstoragetype')) + '|' + (plain $site)
        if (room 'server') { put 'server' ($line + '|' + (plain (first $of 'serialnumber')) + '|' + $name) }
        foreach ($node in $of.Properties['msexchserverredundantmachines']) {
            if ($node -ne $null) { told_node $node $name }
        }
    }
    function told_node($node, [string]$name) {
        if (room 'node') { put 'node' ((plain $node) + '|' + $name) }
    }
    function told_smtp($of, [string]$name) {
        foreach ($each in $of.Properties[$name]) {
            if ($each -ne $null) { told_smtp_one $each }
        }
    }
    function told_smtp_one($each) {
        if (room 'smtp') { put 'smtp' $each }
    }
    function rank_dc($of) {
        $dn = first $of 'distinguishedname'
        $key = $dn.ToLowerInvariant()
        if (-not $global:wkOptions.ContainsKey($key)) { return }
        $catalog = [int]$global:wkOptions[$key] -band 1
        $site = part $dn 2
        $rank = '1'
        if (($catalog -eq 1) -and (-not $global:wkSites.ContainsKey($site))) {
            $global:wkSites[$site] = 1
            $rank = '0'
        }
        $reference = first $of 'serverreference'
        $start = (',' + $reference.ToLowerInvariant()).IndexOf(',dc=')
        $nc = ''
        if ($start -gt 0) { $nc = $reference.Substring($start) }
        $name = first $of 'dnshostname'
        if ($name -eq '') { $name = part $dn 0 }
        [void]$global:wkLines.Add($rank + '|' + [string]$catalog + '|' + (plain $site) + '|' + (plain $nc) + '|' + (plain $name))
    }
    function take_options($of) {
        $dn = first $of 'distinguishedname'
        $value = first $of 'options'
        if ($value -eq '') { $value = '0' }
        $global:wkOptions[$dn.Substring($dn.IndexOf(',') + 1).ToLowerInvariant()] = $value
    }
    function say_dc([string]$line) {
        $f = $line.Split('|')
        $schema = 'unasked'
        $version = 'unasked'
        $domains = 'unasked'
        if ([DateTime]::UtcNow -lt $until) {
            $schema = version_at (at $f[4] ('CN=ms-Exch-Schema-Version-Pt,' + $global:wkSchemaNC)) 'rangeUpper'
            $version = $schema
            $domains = $schema
            if ((-not $schema.StartsWith('error')) -or $schema.EndsWith('80072030')) {
                if ($global:wkOrg -ne '') { $version = version_at (at $f[4] $global:wkOrg) 'objectVersion' } else { $version = '' }
                if ($f[3] -ne '') { $domains = version_at (at $f[4] ('CN=Microsoft Exchange System Objects,' + $f[3])) 'objectVersion' } else { $domains = '' }
            }
        }
        if (room 'controller') { put 'controller' ($f[1] + '|' + (plain $schema) + '|' + (plain $version) + '|' + (plain $domains) + '|' + $f[2] + '|' + (dns_of $f[3]) + '|' + $f[4]) }
    }
    function say_dcs([string]$config) {
        $global:wkLines = New-Object Collections.ArrayList
        $global:wkOptions = New-Object Collections.Hashtable
        $global:wkSites = New-Object Collections.Hashtable
        $sites = at '' ('CN=Sites,' + $config)
        foreach ($each in (find_all $sites '(objectClass=nTDSDSA)' 'distinguishedName options' 'Subtree')) {
            if ($each -ne $null) { take_options $each }
        }
        foreach ($each in (find_all $sites '(objectCategory=server)' 'distinguishedName dNSHostName serverReference' 'Subtree')) {
            if ($each -ne $null) { rank_dc $each }
        }
        $global:wkLines.Sort()
        foreach ($each in $global:wkLines) {
            if ($each -ne $null) { say_dc $each }
        }
    }
    function find_org($of) {
        $global:wkOrg = first $of 'distinguishedname'
        $global:wkVersion = first $of 'objectversion'
        $global:wkName = first $of 'name'
    }
    function try_org([string]$base) {
        trap { $global:wkVersion = 'error ' + (why $_); continue }
        foreach ($each in (find_all $base '(objectClass=msExchOrganizationContainer)' 'distinguishedName name objectVersion' 'OneLevel')) {
            if ($each -ne $null) { find_org $each }
        }
    }
    $root = read_entry 'LDAP://RootDSE'
    $config = [string]$root.psbase.Properties['configurationNamingContext'].Value
    $global:wkSchemaNC = [string]$root.psbase.Properties['schemaNamingContext'].Value
    if (($config -eq '') -or ($global:wkSchemaNC -eq '')) { throw (New-Object UnauthorizedAccessException) }
    here
    $owner = [string](read_entry (at '' $global:wkSchemaNC)).psbase.Properties['fSMORoleOwner'].Value
    $owner = $owner.Substring($owner.IndexOf(',') + 1)
    $entry = read_entry (at '' $owner)
    $master = [string]$entry.psbase.Properties['dNSHostName'].Value
    put 'master' ((plain $master) + '|' + (plain (part $owner 2)) + '|' + (plain (dns_of ([string]$entry.psbase.Properties['serverReference'].Value))))
    $schema = version_at (at $master ('CN=ms-Exch-Schema-Version-Pt,' + $global:wkSchemaNC)) 'rangeUpper'
    put 'schema' $schema
    $global:wkOrg = ''
    $global:wkVersion = ''
    $global:wkName = ''
    try_org (at $master ('CN=Microsoft Exchange,CN=Services,' + $config))
    put 'organization' ((plain $global:wkVersion) + '|' + $global:wkName)
    foreach ($each in (find_all (at '' ('CN=Partitions,' + $config)) '(&(objectCategory=crossRef)(systemFlags:1.2.840.113556.1.4.803:=3))' 'nCName dnsRoot nETBIOSName' 'OneLevel')) {
        if ($each -ne $null) { told_domain $each }
    }
    if (($what -eq 'all') -and ($global:wkOrg -ne '')) {
        $base = at '' $global:wkOrg
        foreach ($each in (find_all $base '(objectCategory=msExchExchangeServer)' 'name serialNumber msExchCurrentServerRoles msExchClusterStorageType msExchServerRedundantMachines msExchServerSite' 'Subtree')) {
            if ($each -ne $null) { told_server $each }
        }
        foreach ($each in (find_all $base '(objectClass=msExchAcceptedDomain)' 'msExchAcceptedDomainName' 'Subtree')) {
            if ($each -ne $null) { told_smtp $each 'msexchaccepteddomainname' }
        }
        foreach ($each in (find_all $base '(objectClass=msExchRecipientPolicy)' 'gatewayProxy' 'Subtree')) {
            if ($each -ne $null) { told_smtp $each 'gatewayproxy' }
        }
    }
    if ($what -ne 'versions') { say_dcs $config }
    end_records
}
