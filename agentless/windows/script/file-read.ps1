# wavekeeper: file-read 3
# in: path; offset; max, bytes of one answer
# out: exists 0|1; length; offset; data in base64; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_file_read([string]$n, [string]$path, [string]$offset, [string]$max) {
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
    $share = [IO.FileShare]'ReadWrite, Delete'
    $file = New-Object IO.FileStream($path, [IO.FileMode]::Open, [IO.FileAccess]::Read, $share)
    $start = [long]$offset
    $length = $file.Length
    if ($start -gt $length) { $start = $length }
    $size = [int]$max
    if (($length - $start) -lt $size) { $size = [int]($length - $start) }
    $file.Position = $start
    $buffer = New-Object byte[] ($size + 1)
    $read = 0
    while ($read -lt $size) {
        $got = $file.Read($buffer, $read, $size - $read)
        if ($got -eq 0) { break }
        $read = $read + $got
    }
    $file.Close()
    put 'exists' 1
    put 'length' $length
    put 'offset' $start
    put 'data' ([Convert]::ToBase64String($buffer, 0, $read))
    end_records
}
