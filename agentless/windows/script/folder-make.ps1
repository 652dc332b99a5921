# wavekeeper: folder-make 2
# in: path
# out: state made|present|foreign; owner; entries SID:rights by comma; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_folder_make([string]$n, [string]$path) {
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
    $system = New-Object Security.Principal.SecurityIdentifier 'S-1-5-18'
    $administrators = New-Object Security.Principal.SecurityIdentifier 'S-1-5-32-544'
    $state = 'present'
    if (-not [IO.Directory]::Exists($path)) {
        $full = [Security.AccessControl.FileSystemRights]'FullControl'
        $below = [Security.AccessControl.InheritanceFlags]'ContainerInherit, ObjectInherit'
        $here = [Security.AccessControl.PropagationFlags]'None'
        $allow = [Security.AccessControl.AccessControlType]'Allow'
        $wanted = New-Object Security.AccessControl.DirectorySecurity
        $wanted.SetAccessRuleProtection($true, $false)
        $wanted.SetOwner($administrators)
        $wanted.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($system, $full, $below, $here, $allow)))
        $wanted.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($administrators, $full, $below, $here, $allow)))
        [void][IO.Directory]::CreateDirectory($path, $wanted)
        $state = 'made'
    }
    if (([int][IO.File]::GetAttributes($path) -band 1024) -ne 0) { $state = 'foreign' }
    $found = [IO.Directory]::GetAccessControl($path)
    $sid = $system.GetType()
    $owner = $found.GetOwner($sid).Value
    if (($owner -ne 'S-1-5-18') -and ($owner -ne 'S-1-5-32-544')) { $state = 'foreign' }
    if (-not $found.AreAccessRulesProtected) { $state = 'foreign' }
    $entries = ''
    foreach ($rule in $found.GetAccessRules($true, $true, $sid)) {
        if ($rule -ne $null) {
            $who = $rule.IdentityReference.Value
            if (($who -ne 'S-1-5-18') -and ($who -ne 'S-1-5-32-544')) { $state = 'foreign' }
            if ($entries -ne '') { $entries = $entries + ',' }
            $entries = $entries + $who + ':' + [string][int]$rule.FileSystemRights
        }
    }
    put 'state' $state
    put 'owner' $owner
    put 'entries' $entries
    end_records
}
