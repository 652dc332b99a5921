# wavekeeper: canary 3
# in: nothing
# out: user; sids by comma; elevated 0|1; hkcu, .DEFAULT or its SID; ldap, ok or error with a code; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_canary([string]$n) {
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
    function bind {
        $root = New-Object DirectoryServices.DirectoryEntry 'LDAP://RootDSE'
        $root.psbase.RefreshCache()
        $context = [string]$root.psbase.Properties['configurationNamingContext'].Value
        if ($context -eq '') { throw (New-Object UnauthorizedAccessException) }
        $entry = New-Object DirectoryServices.DirectoryEntry ('LDAP://' + $context)
        $entry.psbase.RefreshCache()
        $id = $entry.psbase.Guid
        if ($id -eq $null) { throw (New-Object UnauthorizedAccessException) }
        if ($id -eq [Guid]::Empty) { throw (New-Object UnauthorizedAccessException) }
    }
    function try_bind {
        trap { $global:wkLdap = 'error ' + (why $_); continue }
        bind
    }
    $me = [Security.Principal.WindowsIdentity]::GetCurrent()
    $sid = $me.User.Value
    $sids = ''
    foreach ($group in $me.Groups) {
        if ($group -ne $null) {
            if ($sids -ne '') { $sids = $sids + ',' }
            $sids = $sids + $group.Value
        }
    }
    $administrators = New-Object Security.Principal.SecurityIdentifier 'S-1-5-32-544'
    $principal = New-Object Security.Principal.WindowsPrincipal $me
    $elevated = 0
    if ($principal.IsInRole($administrators)) { $elevated = 1 }
    $hive = '.DEFAULT'
    $key = [Microsoft.Win32.Registry]::Users.OpenSubKey($sid)
    if ($key -ne $null) {
        $hive = $sid
        $key.Close()
    }
    $global:wkLdap = 'ok'
    try_bind
    put 'user' $me.Name
    put 'sids' $sids
    put 'elevated' $elevated
    put 'hkcu' $hive
    put 'ldap' $global:wkLdap
    end_records
}
