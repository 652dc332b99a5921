# wavekeeper: cluster-look 1
# in: names of the clustered mailbox servers by comma; copies 1 to ask for storage group copies, too
# out: cluster; node state|name, one for each; group owner|state|quorum 1 or 0|name, one for each; network nodes by comma|clustered mailbox server|group; witness, a share; cms state|build|machines|name; copy cms|status|copy queue|replay queue|name; failed part|type and code; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_cluster_look([string]$n, [string]$names, [string]$copies) {
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
    function property_of($resource, [string]$wanted) {
        foreach ($each in $resource.PrivateProperties) {
            if ($each -ne $null) {
                if ([string]$each.Name -eq $wanted) { [string]$each.Value }
            }
        }
    }
    function look_resources($group) {
        foreach ($resource in $group.Resources) {
            if ($resource -ne $null) {
                $kind = [string]$resource.TypeName
                if ($kind -eq 'Network Name') {
                    $owners = ''
                    foreach ($owner in $resource.PossibleOwnerNodes) {
                        if ($owner -ne $null) {
                            if ($owners -ne '') { $owners = $owners + ',' }
                            $owners = $owners + [string]$owner.Name
                        }
                    }
                    put 'network' ($owners + '|' + [string](property_of $resource 'Name') + '|' + [string]$group.Name)
                }
                if ($kind -eq 'File Share Witness') { put 'witness' (property_of $resource 'SharePath') }
                if ($kind -eq 'Majority Node Set') { put 'witness' (property_of $resource 'MNSFileShare') }
            }
        }
    }
    function try_resources($group) {
        trap { put 'failed' ('resources|' + (why $_)); continue }
        look_resources $group
    }
    function look_quorum($cluster) {
        $global:wkQuorum = [string]$cluster.QuorumResource.Group.Name
    }
    function try_quorum($cluster) {
        trap { put 'failed' ('quorum|' + (why $_)); continue }
        look_quorum $cluster
    }
    function look_cluster {
        $cluster = New-Object -ComObject MSCluster.Cluster
        $cluster.Open('')
        put 'cluster' $cluster.Name
        foreach ($node in $cluster.Nodes) {
            if ($node -ne $null) {
                put 'node' ([string][int]$node.State + '|' + [string]$node.Name)
            }
        }
        $global:wkQuorum = ''
        try_quorum $cluster
        foreach ($group in $cluster.ResourceGroups) {
            if ($group -ne $null) {
                $quorum = '0'
                if ([string]$group.Name -eq $global:wkQuorum) { $quorum = '1' }
                put 'group' ([string]$group.OwnerNode.Name + '|' + [string][int]$group.State + '|' + $quorum + '|' + [string]$group.Name)
                try_resources $group
            }
        }
    }
    function try_cluster {
        trap { put 'failed' ('cluster|' + (why $_)); continue }
        look_cluster
    }
    function load_exchange {
        Add-PSSnapin 'Microsoft.Exchange.Management.PowerShell.Admin'
    }
    function try_exchange {
        trap { put 'failed' ('exchange|' + (why $_)); continue }
        load_exchange
    }
    function look_build([string]$name) {
        $server = Get-ExchangeServer -Identity $name
        $build = $server.AdminDisplayVersion
        $global:wkBuild = [string]$build.Major + '.' + [string]$build.Minor + '.' + [string]$build.Build + '.' + [string]$build.Revision
    }
    function try_build([string]$name) {
        trap { put 'failed' ('build|' + (why $_)); continue }
        look_build $name
    }
    function look_cms([string]$name) {
        $status = Get-ClusteredMailboxServerStatus -Identity $name
        $machines = ''
        foreach ($machine in $status.OperationalMachines) {
            if ($machine -ne $null) {
                if ($machines -ne '') { $machines = $machines + ',' }
                $machines = $machines + ([string]$machine).Replace('|', ' ')
            }
        }
        $global:wkState = [string]$status.State
        $global:wkMachines = $machines
    }
    function try_cms([string]$name) {
        trap { put 'failed' ('cms|' + (why $_)); continue }
        look_cms $name
    }
    function look_copies([string]$name) {
        $all = Get-StorageGroupCopyStatus -Server $name
        foreach ($copy in $all) {
            if ($copy -ne $null) {
                put 'copy' ($name + '|' + [string]$copy.SummaryCopyStatus + '|' + [string]$copy.CopyQueueLength + '|' + [string]$copy.ReplayQueueLength + '|' + [string]$copy.StorageGroupName)
            }
        }
    }
    function try_copies([string]$name) {
        trap { put 'failed' ('copies|' + (why $_)); continue }
        look_copies $name
    }
    try_cluster
    try_exchange
    foreach ($name in $names.Split(',')) {
        if ($name -ne $null) {
            $global:wkState = ''
            $global:wkMachines = ''
            $global:wkBuild = ''
            try_cms $name
            try_build $name
            put 'cms' ($global:wkState + '|' + $global:wkBuild + '|' + $global:wkMachines + '|' + $name)
            if ($copies -eq '1') { try_copies $name }
        }
    }
    end_records
}
