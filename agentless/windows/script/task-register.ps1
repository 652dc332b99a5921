# wavekeeper: task-register 2
# in: name; xml; account, SYSTEM when empty, else its password by stdin in base64
# out: state registered; error
# exit: 0; 1 with error
# on: 2008, 2008 R2
function wk_task_register([string]$n, [string]$name, [string]$xml, [string]$account) {
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
    if ($account -eq '') {
        $system = New-Object Security.Principal.SecurityIdentifier 'S-1-5-18'
        $who = $system.Translate([Security.Principal.NTAccount]).Value
        $logon = 5
        $secret = $null
    } else {
        $line = ''
        foreach ($each in $input) {
            if ($line -eq '') { $line = [string]$each }
        }
        if ($line -eq '') { $line = [string][Console]::In.ReadLine() }
        if ($line -eq '') { throw (New-Object IO.EndOfStreamException) }
        $who = $account
        $logon = 1
        $secret = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($line))
    }
    $scheduler = New-Object -ComObject Schedule.Service
    $scheduler.Connect()
    $folder = $scheduler.GetFolder('\')
    [void]$folder.RegisterTask($name, $xml, 2, $who, $secret, $logon)
    put 'state' 'registered'
    end_records
}
