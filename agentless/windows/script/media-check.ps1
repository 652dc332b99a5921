# wavekeeper: media-check 2
# in: manifest, a path; want, its SHA-256; folder; proof, a file that is made with want in it when all is right, empty for none
# out: state right|differs|absent|foreign|manifest; differs KIND|FILE, at most 20; files; same, how many were compared and are right; bad, how many differ; tree, the manifest of a right one; error
# exit: 0 with state right, the proof is written last; 1 with error; 2 with any other state
# on: 2003, 2008, 2008 R2
function wk_media_check([string]$n, [string]$manifest, [string]$want, [string]$folder, [string]$proof) {
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
    function sum_stream($of) {
        $hash = New-Object Security.Cryptography.SHA256Managed
        [BitConverter]::ToString($hash.ComputeHash($of)).Replace('-', '').ToLowerInvariant()
    }
    function sum_of([string]$of) {
        $file = New-Object IO.FileStream($of, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::Read)
        $text = sum_stream $file
        $file.Close()
        $text
    }
    function differs([string]$what) {
        $global:wkBad = $global:wkBad + 1
        if ($global:wkBad -lt 21) { put 'differs' $what }
    }
    function look([string]$path, [string]$below) {
        $where = New-Object IO.DirectoryInfo $path
        foreach ($item in $where.GetFileSystemInfos()) {
            if ($item -ne $null) { look_at $item $path $below }
        }
    }
    function look_at($item, [string]$path, [string]$below) {
        $name = $below + $item.Name
        $kind = [int]$item.Attributes
        if (($kind -band 1024) -ne 0) {
            differs ('link|' + $name)
            return
        }
        if (($kind -band 16) -ne 0) {
            look ($path + '\' + $item.Name) ($name + '\')
            return
        }
        if ($global:wkWanted.ContainsKey($name.ToLowerInvariant())) {
            $global:wkFound[$name.ToLowerInvariant()] = $item.Length
        } else {
            differs ('extra|' + $name)
        }
    }
    function read_manifest([string]$path, [string]$want) {
        $got = sum_of $path
        if ($got -ne $want) {
            put 'state' 'manifest'
            put 'differs' ('manifest|' + $got)
            end_records
            exit 2
        }
        $global:wkWanted = New-Object Collections.Hashtable
        $global:wkFound = New-Object Collections.Hashtable
        $global:wkLines = [IO.File]::ReadAllLines($path)
        foreach ($line in $global:wkLines) {
            if ($line -ne $null) {
                $f = $line.Split('|')
                if ($f.Length -eq 5) { $global:wkWanted[$f[4].ToLowerInvariant()] = $line }
            }
        }
    }
    function hold_against([string]$folder, $f) {
        $key = $f[4].ToLowerInvariant()
        if (-not $global:wkFound.ContainsKey($key)) {
            differs ('missing|' + $f[4])
            return
        }
        if ([string]$global:wkFound[$key] -ne $f[1]) {
            differs ('length|' + $f[4])
            return
        }
        if ((sum_of ($folder + '\' + $f[4])) -eq $f[0]) { $global:wkSame = $global:wkSame + 1 } else { differs ('changed|' + $f[4]) }
    }
    function check([string]$folder) {
        $global:wkBad = 0
        $global:wkSame = 0
        look $folder ''
        foreach ($line in $global:wkLines) {
            if ($line -ne $null) {
                $f = $line.Split('|')
                if ($f.Length -eq 5) { hold_against $folder $f }
            }
        }
        if (($global:wkBad -eq 0) -and ($global:wkSame -ne $global:wkWanted.Count)) { differs ('unproven|' + [string]$global:wkSame) }
    }
    if ((-not [IO.File]::Exists($manifest)) -or (-not [IO.Directory]::Exists($folder))) {
        put 'state' 'absent'
        end_records
        exit 2
    }
    if (([int][IO.File]::GetAttributes($folder) -band 1024) -ne 0) {
        put 'state' 'foreign'
        end_records
        exit 2
    }
    read_manifest $manifest $want
    check $folder
    put 'files' $global:wkWanted.Count
    put 'same' $global:wkSame
    put 'bad' $global:wkBad
    if ($global:wkBad -ne 0) {
        put 'state' 'differs'
        end_records
        exit 2
    }
    put 'state' 'right'
    put 'tree' $want
    end_records
    if ($proof -ne '') { [IO.File]::WriteAllText($proof, $want) }
}
