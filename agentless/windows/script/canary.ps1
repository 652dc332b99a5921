# wavekeeper: canary 4
# in: list, address of a revocation list to ask for, none when empty; wait in milliseconds
# out: user; sids by comma; elevated 0|1; hkcu, .DEFAULT or its SID; ldap, ok or error with a code; revocation, the State of Software Publishing of this hive, nothing where there is none; crl, ok or error with a code; ms, how long the list took; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_canary([string]$n, [string]$list, [string]$wait) {
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
    function fetch {
        $request = [Net.WebRequest]::Create($list)
        $request.Method = 'HEAD'
        $request.Timeout = [int]$wait
        $request.KeepAlive = $false
        $answer = $request.GetResponse()
        $answer.Close()
    }
    function try_fetch {
        trap {
            $e = $_.Exception
            while ($e.InnerException -ne $null) {
                if ($e.GetType().FullName -eq 'System.Net.WebException') { break }
                $e = $e.InnerException
            }
            $global:wkList = 'error ' + (why $_)
            if ($e.GetType().FullName -eq 'System.Net.WebException') {
                $global:wkList = 'error ' + [string][int]$e.Status
                if ($e.Response -ne $null) { $global:wkList = 'error HTTP ' + [string][int]$e.Response.StatusCode }
            }
            continue
        }
        fetch
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
    $state = ''
    $key = [Microsoft.Win32.Registry]::Users.OpenSubKey($hive + '\Software\Microsoft\Windows\CurrentVersion\WinTrust\Trust Providers\Software Publishing')
    if ($key -ne $null) {
        $state = [string]$key.GetValue('State')
        $key.Close()
    }
    put 'user' $me.Name
    put 'sids' $sids
    put 'elevated' $elevated
    put 'hkcu' $hive
    put 'ldap' $global:wkLdap
    put 'revocation' $state
    if ($list -ne '') {
        $global:wkList = 'ok'
        $began = [DateTime]::UtcNow
        try_fetch
        put 'crl' $global:wkList
        put 'ms' ([int]([DateTime]::UtcNow - $began).TotalMilliseconds)
    }
    end_records
}
