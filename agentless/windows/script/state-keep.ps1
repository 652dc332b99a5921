# wavekeeper: state-keep 1
# in: root; to, the folder for the copies, or nothing; patterns, paths below root with * in the last part; from, the number of the first file
# out: file path below root|length|sha256|UTC of the last change, one for each; data base64 of the file before, where it has at most 64 kB; next number, when not all came; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_state_keep([string]$n, [string]$root, [string]$to, [string]$patterns, [string]$from) {
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
    function keep_file {
        if (($global:wkSent -gt 0) -and (($global:wkSent + $file.Length) -gt 131072)) {
            put 'next' $index
            $global:wkFull = 1
        } else {
            $bytes = [IO.File]::ReadAllBytes($file.FullName)
            $sum = [BitConverter]::ToString($sha.ComputeHash($bytes)).Replace('-', '').ToLowerInvariant()
            $when = $file.LastWriteTimeUtc.ToString('o', [Globalization.CultureInfo]::InvariantCulture)
            $path = $below + '\' + $file.Name
            put 'file' ($path + '|' + [string]$bytes.Length + '|' + $sum + '|' + $when)
            if ($bytes.Length -lt 65537) {
                $global:wkSent = $global:wkSent + $bytes.Length
                put 'data' ([Convert]::ToBase64String($bytes))
            }
            if ($to -ne '') { [IO.File]::WriteAllBytes($to + '\' + $path.Replace('\', '~'), $bytes) }
        }
    }
    $sha = New-Object Security.Cryptography.SHA256Managed
    $index = 0
    $global:wkSent = 0
    $global:wkFull = 0
    $first = [int]$from
    foreach ($pattern in $patterns.Split(';')) {
        if ($pattern -ne $null) {
            $cut = $pattern.LastIndexOf('\')
            $below = $pattern.Substring(0, $cut)
            $folder = New-Object IO.DirectoryInfo ($root + '\' + $below)
            if ($folder.Exists -and ($global:wkFull -eq 0)) {
                foreach ($file in $folder.GetFiles($pattern.Substring($cut + 1))) {
                    if ($file -ne $null) {
                        if (($index -lt $first) -or ($global:wkFull -eq 1)) {
                            $index = $index + 1
                        } else {
                            keep_file
                            $index = $index + 1
                        }
                    }
                }
            }
        }
    }
    end_records
}
