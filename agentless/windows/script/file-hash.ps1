# wavekeeper: file-hash 3
# in: path
# out: exists 0|1; length; sha256; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_file_hash([string]$n, [string]$path) {
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
    if (-not [IO.File]::Exists($path)) {
        put 'exists' 0
        end_records
        return
    }
    $file = New-Object IO.FileStream($path, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::Read)
    $hash = New-Object Security.Cryptography.SHA256Managed
    $sum = [BitConverter]::ToString($hash.ComputeHash($file)).Replace('-', '').ToLowerInvariant()
    $length = $file.Length
    $file.Close()
    put 'exists' 1
    put 'length' $length
    put 'sha256' $sum
    end_records
}
