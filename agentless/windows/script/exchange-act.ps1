# wavekeeper: exchange-act 3
# in: verb, one of state, queues, um-status, disable-um, enable-um, set-pop, set-imap, set-log-level, test-health; server by its name; what, of state the sections um, pop, levels, connectors by comma, of set-pop and set-imap the login type, of set-log-level source\category; level
# out: um; pop; imap; level source\category=level; connector identity|fqdn|mechanisms|bindings; submission; poison; total; health role|True or False|services; mapi; state done; missed what and why; said the exception's own words, for people; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_exchange_act([string]$n, [string]$verb, [string]$server, [string]$what, [string]$level) {
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
    trap { put 'said' $_.Exception.Message; put 'error' (why $_); end_records; exit 1 }
    $ErrorActionPreference = 'Stop'
    $global:wkCount = 0
    Add-PSSnapin 'Microsoft.Exchange.Management.PowerShell.Admin'
    function read_um {
        $um = Get-UMServer -Identity $server
        put 'um' $um.Status
    }
    function read_pop {
        $pop = Get-PopSettings -Server $server
        put 'pop' $pop.LoginType
        $imap = Get-ImapSettings -Server $server
        put 'imap' $imap.LoginType
    }
    function read_levels {
        $all = Get-EventLogLevel
        foreach ($each in $all) {
            if ($each -ne $null) { put 'level' ([string]$each.Identity + '=' + [string]$each.EventLevel) }
        }
    }
    function read_connectors {
        $all = Get-ReceiveConnector -Server $server
        foreach ($each in $all) {
            if ($each -ne $null) {
                $bindings = ''
                foreach ($one in $each.Bindings) {
                    if ($one -ne $null) { $bindings = $bindings + ' ' + [string]$one }
                }
                put 'connector' ([string]$each.Identity + '|' + [string]$each.Fqdn + '|' + [string]$each.AuthMechanism + '|' + $bindings)
            }
        }
    }
    function try_um { trap { put 'missed' ('um ' + (why $_)); continue }; read_um }
    function try_pop { trap { put 'missed' ('pop ' + (why $_)); continue }; read_pop }
    function try_levels { trap { put 'missed' ('levels ' + (why $_)); continue }; read_levels }
    function try_connectors { trap { put 'missed' ('connectors ' + (why $_)); continue }; read_connectors }
    function read_mapi {
        $all = Test-MAPIConnectivity -Server $server
        foreach ($each in $all) {
            if ($each -ne $null) { put 'mapi' $each.Result.Value }
        }
    }
    function try_mapi { trap { put 'missed' ('mapi ' + (why $_)); continue }; read_mapi }
    if ($verb -eq 'state') {
        foreach ($part in $what.Split(',')) {
            if ($part -ne $null) {
                if ($part -eq 'um') { try_um }
                if ($part -eq 'pop') { try_pop }
                if ($part -eq 'levels') { try_levels }
                if ($part -eq 'connectors') { try_connectors }
            }
        }
    }
    if ($verb -eq 'um-status') { read_um }
    if ($verb -eq 'queues') {
        $total = 0
        $submission = 0
        $poison = 0
        $all = Get-Queue -Server $server
        foreach ($each in $all) {
            if ($each -ne $null) {
                $total = $total + [int]$each.MessageCount
                if (([string]$each.Identity).EndsWith('\Poison')) { $poison = [int]$each.MessageCount }
                if (([string]$each.Identity).EndsWith('\Submission')) { $submission = [int]$each.MessageCount }
            }
        }
        put 'submission' $submission
        put 'poison' $poison
        put 'total' $total
    }
    if ($verb -eq 'disable-um') {
        Disable-UMServer -Identity $server -Immediate $false -Confirm:$false
        put 'state' 'done'
    }
    function enable_unasked {
        trap { $global:wkThrown = $_.Exception; continue }
        Enable-UMServer -Identity $server -Confirm:$false
    }
    if ($verb -eq 'enable-um') {
        $global:wkThrown = $null
        enable_unasked
        if ($global:wkThrown -ne $null) {
            if (-not $global:wkThrown.GetType().FullName.EndsWith('ParameterBindingException')) { throw $global:wkThrown }
            Enable-UMServer -Identity $server
        }
        put 'state' 'done'
    }
    if ($verb -eq 'set-pop') {
        Set-PopSettings -Server $server -LoginType $what
        put 'state' 'done'
    }
    if ($verb -eq 'set-imap') {
        Set-ImapSettings -Server $server -LoginType $what
        put 'state' 'done'
    }
    if ($verb -eq 'set-log-level') {
        Set-EventLogLevel -Identity $what -Level $level
        put 'state' 'done'
    }
    if ($verb -eq 'test-health') {
        $all = Test-ServiceHealth -Server $server
        foreach ($each in $all) {
            if ($each -ne $null) {
                $missing = ''
                foreach ($one in $each.ServicesNotRunning) {
                    if ($one -ne $null) { $missing = $missing + ' ' + [string]$one }
                }
                put 'health' ([string]$each.Role + '|' + [string]$each.RequiredServicesRunning + '|' + $missing)
            }
        }
        if ($what -eq 'mapi') { try_mapi }
    }
    end_records
}
