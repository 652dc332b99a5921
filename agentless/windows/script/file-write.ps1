# wavekeeper: file-write 3
# in: path; offset, what is behind it is cut off; data in base64; last 0|1, then it gets its name
# out: length; sha256 of the whole; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_file_write([string]$n, [string]$path, [string]$offset, [string]$data, [string]$last) {
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
    $bytes = [Convert]::FromBase64String($data)
    $start = [long]$offset
    $part = $path + '.part'
    $file = New-Object IO.FileStream($part, [IO.FileMode]::OpenOrCreate, [IO.FileAccess]::ReadWrite, [IO.FileShare]::None)
    if ($file.Length -lt $start) {
        $file.Close()
        throw (New-Object IO.EndOfStreamException)
    }
    $file.SetLength($start)
    $file.Position = $start
    $file.Write($bytes, 0, $bytes.Length)
    $file.Flush()
    put 'length' $file.Length
    if ($last -eq '1') {
        $file.Position = 0
        $hash = New-Object Security.Cryptography.SHA256Managed
        put 'sha256' ([BitConverter]::ToString($hash.ComputeHash($file)).Replace('-', '').ToLowerInvariant())
    }
    $file.Close()
    if ($last -eq '1') {
        if ([IO.File]::Exists($path)) { [IO.File]::Delete($path) }
        [IO.File]::Move($part, $path)
    }
    end_records
}
