# wavekeeper: task-check 1
# in: folder; want, name=SHA-256 by semicolon
# out: wrong name, one for each file that is missing or another; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_task_check([string]$n, [string]$folder, [string]$want) {
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
    $hash = New-Object Security.Cryptography.SHA256Managed
    foreach ($each in $want.Split(';')) {
        if ($each -ne $null) {
            $part = $each.Split('=')
            $path = $folder + '\' + $part[0]
            $sum = ''
            if ([IO.File]::Exists($path)) {
                $file = New-Object IO.FileStream($path, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::Read)
                $sum = [BitConverter]::ToString($hash.ComputeHash($file)).Replace('-', '').ToLowerInvariant()
                $file.Close()
            }
            if ($sum -ne $part[1]) { put 'wrong' $part[0] }
        }
    }
    end_records
}
