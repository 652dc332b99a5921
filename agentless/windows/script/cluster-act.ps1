# wavekeeper: cluster-act 2
# in: verb stop-cms, move-cms, start-cms or move-group; name of the clustered mailbox server or the group; node to move to; reason
# out: state done; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_cluster_act([string]$n, [string]$verb, [string]$name, [string]$node, [string]$reason) {
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
    function move_group {
        $cluster = New-Object -ComObject MSCluster.Cluster
        $cluster.Open('')
        $to = $null
        foreach ($each in $cluster.Nodes) {
            if ($each -ne $null) {
                if ([string]$each.Name -eq $node) { $to = $each }
            }
        }
        $what = $null
        foreach ($group in $cluster.ResourceGroups) {
            if ($group -ne $null) {
                if ([string]$group.Name -eq $name) { $what = $group }
            }
        }
        if ($to -eq $null) { throw (New-Object IO.InvalidDataException) }
        if ($what -eq $null) { throw (New-Object IO.InvalidDataException) }
        foreach ($resource in $what.Resources) {
            if ($resource -ne $null) {
                if (([string]$resource.TypeName).StartsWith('Microsoft Exchange')) { throw (New-Object UnauthorizedAccessException) }
            }
        }
        [void]$what.Move(300, $to)
    }
    function load_exchange {
        Add-PSSnapin 'Microsoft.Exchange.Management.PowerShell.Admin'
    }
    function start_unasked {
        trap { $global:wkThrown = $_.Exception; continue }
        Start-ClusteredMailboxServer -Identity $name -Confirm:$false
    }
    if ($verb -eq 'move-group') {
        move_group
        put 'state' 'done'
    }
    if ($verb -eq 'stop-cms') {
        load_exchange
        Stop-ClusteredMailboxServer -Identity $name -StopReason $reason -Confirm:$false
        put 'state' 'done'
    }
    if ($verb -eq 'move-cms') {
        load_exchange
        Move-ClusteredMailboxServer -Identity $name -TargetMachine $node -MoveComment $reason -Confirm:$false
        put 'state' 'done'
    }
    if ($verb -eq 'start-cms') {
        load_exchange
        $global:wkThrown = $null
        start_unasked
        if ($global:wkThrown -ne $null) {
            if (-not $global:wkThrown.GetType().FullName.EndsWith('ParameterBindingException')) { throw $global:wkThrown }
            Start-ClusteredMailboxServer -Identity $name
        }
        put 'state' 'done'
    }
    end_records
}
