# wavekeeper: media-unpack 2
# in: bundle, a path; sum, its SHA-256; head, the length of the manifest at its end; manifest, a path; want, its SHA-256; folder; room, bytes that must be free
# out: state unpacked|present|absent|foreign|no-room|changed|differs|manifest; differs KIND|FILE, at most 20; bad, how many differ; free, bytes; tree, the manifest of a right one; error
# exit: 0; 1 with error; 2 with state manifest
# on: 2003, 2008, 2008 R2
function wk_media_unpack([string]$n, [string]$bundle, [string]$sum, [string]$head, [string]$manifest, [string]$want, [string]$folder, [string]$room) {
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
    function copy_file($source, [string]$to, [long]$length, [string]$how) {
        trap { if ($out -ne $null) { $out.Close() }; break }
        $out = $null
        $out = New-Object IO.FileStream($to, [IO.FileMode]::CreateNew, [IO.FileAccess]::Write, [IO.FileShare]::None)
        $plain = $source
        if ($how -eq 'deflate') { $plain = New-Object IO.Compression.DeflateStream($source, [IO.Compression.CompressionMode]::Decompress, $true) }
        $bytes = New-Object byte[] 1048576
        $left = $length
        while ($left -gt 0) {
            $ask = 1048576
            if ($left -lt $ask) { $ask = [int]$left }
            $read = $plain.Read($bytes, 0, $ask)
            if ($read -lt 1) { throw (New-Object IO.EndOfStreamException) }
            $out.Write($bytes, 0, $read)
            $left = $left - $read
        }
        $out.Close()
    }
    function check_there {
        if (([int][IO.File]::GetAttributes($folder) -band 1024) -ne 0) {
            put 'state' 'foreign'
            return
        }
        check $folder
        if ($global:wkBad -ne 0) {
            put 'state' 'foreign'
            put 'bad' $global:wkBad
            return
        }
        if ([IO.File]::Exists($bundle)) { [IO.File]::Delete($bundle) }
        put 'state' 'present'
        put 'tree' $want
    }
    $new = $folder + '.new'
    if ([IO.Directory]::Exists($new)) { [IO.Directory]::Delete($new, $true) }
    if (-not [IO.File]::Exists($bundle)) {
        $state = 'absent'
        if (([IO.Directory]::Exists($folder)) -and ([IO.File]::Exists($manifest))) {
            if ((sum_of $manifest) -eq $want) {
                $state = ''
                read_manifest $manifest $want
                check_there
            }
        }
        if ($state -ne '') { put 'state' $state }
        end_records
        return
    }
    $source = New-Object IO.FileStream($bundle, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::Read)
    $got = sum_stream $source
    if ($got -ne $sum) {
        $source.Close()
        put 'state' 'changed'
        put 'differs' ('bundle|' + $got)
        end_records
        return
    }
    $source.Position = $source.Length - [long]$head
    if ([IO.File]::Exists($manifest)) { [IO.File]::Delete($manifest) }
    copy_file $source $manifest ([long]$head) 'plain'
    read_manifest $manifest $want
    if ([IO.Directory]::Exists($folder)) {
        $source.Close()
        check_there
        end_records
        return
    }
    $drive = New-Object IO.DriveInfo ($folder.Substring(0, 1))
    put 'free' $drive.AvailableFreeSpace
    if ($drive.AvailableFreeSpace -lt [long]$room) {
        put 'state' 'no-room'
        end_records
        return
    }
    [void][IO.Directory]::CreateDirectory($new)
    $offset = [long]0
    foreach ($line in $global:wkLines) {
        if ($line -ne $null) {
            $f = $line.Split('|')
            if ($f.Length -eq 5) {
                $to = $new + '\' + $f[4]
                [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($to))
                $source.Position = $offset
                copy_file $source $to ([long]$f[1]) $f[3]
                $offset = $offset + [long]$f[2]
            }
        }
    }
    $source.Close()
    check $new
    if ($global:wkBad -ne 0) {
        put 'state' 'differs'
        put 'bad' $global:wkBad
        end_records
        return
    }
    [IO.Directory]::Move($new, $folder)
    [IO.File]::Delete($bundle)
    put 'state' 'unpacked'
    put 'tree' $want
    end_records
}
