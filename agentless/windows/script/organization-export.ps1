# wavekeeper: organization-export 1
# in: file, what the display templates of the organization are written into as LDIF, empty for none; most, how many at most
# out: templates, how many; sha256 of the file's text, empty where the host's policy forbids to compute it; more, when there are more; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_organization_export([string]$n, [string]$file, [string]$most) {
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
    function at([string]$server, [string]$dn) {
        $path = $dn.Replace('/', '\/')
        if ($server -ne '') { $path = $server + '/' + $path }
        'LDAP://' + $path
    }
    function read_entry([string]$path) {
        $entry = New-Object DirectoryServices.DirectoryEntry $path
        $entry.psbase.RefreshCache()
        $entry
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
    function template_lines($of) {
        $line = [Environment]::NewLine
        $dn = first $of 'distinguishedname'
        $text = 'dn:: ' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($dn)) + $line + 'changetype: modify' + $line
        foreach ($name in ('addressEntryDisplayTable', 'addressEntryDisplayTableMSDOS', 'originalDisplayTable', 'originalDisplayTableMSDOS', 'helpData32', 'helpData16')) {
            if ($name -ne $null) { $text = $text + (template_value $of $name) }
        }
        $text + $line
    }
    function template_value($of, [string]$name) {
        $line = [Environment]::NewLine
        find_first $of $name.ToLowerInvariant()
        if ($global:wkFirst -eq $null) { return '' }
        'replace: ' + $name + $line + $name + ':: ' + [Convert]::ToBase64String($global:wkFirst) + $line + '-' + $line
    }
    function sum_of($bytes) {
        trap { $global:wkRead = ''; continue }
        $hash = New-Object Security.Cryptography.SHA256Managed
        $global:wkRead = [BitConverter]::ToString($hash.ComputeHash($bytes)).Replace('-', '').ToLowerInvariant()
    }
    function take_template($of) {
        if ($global:wkLines.Count -lt [int]$most) { [void]$global:wkLines.Add((template_lines $of)) } else { put 'more' 'template' }
    }
    function take_organization($of) {
        $global:wkOrganization = first $of 'distinguishedname'
    }
    $global:wkLines = New-Object Collections.ArrayList
    $global:wkOrganization = ''
    $root = read_entry 'LDAP://RootDSE'
    $configuration = [string]$root.psbase.Properties['configurationNamingContext'].Value
    if ($configuration -eq '') { throw (New-Object UnauthorizedAccessException) }
    foreach ($each in (find_all (at '' ('CN=Microsoft Exchange,CN=Services,' + $configuration)) '(objectClass=msExchOrganizationContainer)' 'distinguishedName' 'OneLevel')) {
        if ($each -ne $null) { take_organization $each }
    }
    if ($global:wkOrganization -ne '') {
        foreach ($each in (find_all (at '' ('CN=Display-Templates,CN=Addressing,' + $global:wkOrganization)) '(objectClass=displayTemplate)' 'distinguishedName addressEntryDisplayTable addressEntryDisplayTableMSDOS originalDisplayTable originalDisplayTableMSDOS helpData32 helpData16' 'Subtree')) {
            if ($each -ne $null) { take_template $each }
        }
    }
    $global:wkLines.Sort()
    $text = [string]::Join('', $global:wkLines.ToArray([string]))
    if ($file -ne '') { [IO.File]::WriteAllText($file, $text) }
    $global:wkRead = ''
    sum_of ([Text.Encoding]::UTF8.GetBytes($text))
    put 'templates' $global:wkLines.Count
    put 'sha256' $global:wkRead
    end_records
}
