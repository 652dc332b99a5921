# wavekeeper: media-pull 1
# in: from, a URL or a path; token, empty where none is asked for; sum, the SHA-256 of the bundle; size, of it; path; room, bytes that must be free; minutes, at most; here, the folder of the task
# out: state fetched|present|no-room|changed|refused|too-long; free, bytes; tries; resumed, bytes that were there; length; why, the last error; code, of the last answer of HTTP; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_media_pull([string]$n, [string]$from, [string]$token, [string]$sum, [string]$size, [string]$path, [string]$room, [string]$minutes, [string]$here) {
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
    $total = [long]$size
    $part = $path + '.part'
    $until = [DateTime]::UtcNow.AddMinutes([int]$minutes)
    function sum_of([string]$of) {
        $hash = New-Object Security.Cryptography.SHA256Managed
        $file = New-Object IO.FileStream($of, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::Read)
        $text = [BitConverter]::ToString($hash.ComputeHash($file)).Replace('-', '').ToLowerInvariant()
        $file.Close()
        $text
    }
    function length_of([string]$of) {
        if ([IO.File]::Exists($of)) { (New-Object IO.FileInfo $of).Length } else { [long]0 }
    }
    function told([long]$done) {
        trap { $global:wkTold = ''; continue }
        $next = $here + '\p-' + [string]$done + '-' + $size
        if ($global:wkTold -eq $next) { return }
        if ($global:wkTold -eq '') {
            [IO.File]::WriteAllText($next, '')
        } else {
            [IO.File]::Move($global:wkTold, $next)
        }
        $global:wkTold = $next
    }
    function copy_on($stream) {
        trap { if ($file -ne $null) { $file.Close() }; break }
        $file = $null
        $file = New-Object IO.FileStream($part, [IO.FileMode]::OpenOrCreate, [IO.FileAccess]::Write, [IO.FileShare]::Read)
        $file.SetLength($global:wkStart)
        $file.Position = $global:wkStart
        $bytes = New-Object byte[] 1048576
        $done = $global:wkStart
        $mark = $done + 16777216
        while ($true) {
            $read = $stream.Read($bytes, 0, 1048576)
            if ($read -lt 1) { break }
            $file.Write($bytes, 0, $read)
            $done = $done + $read
            if ($done -gt $total) { break }
            if ($done -gt $mark) {
                told $done
                $mark = $done + 16777216
            }
        }
        $file.Close()
        told $done
    }
    function fetch {
        trap { if ($response -ne $null) { $response.Close() }; break }
        $response = $null
        $global:wkStart = length_of $part
        if ($global:wkStart -gt $total) { $global:wkStart = [long]0 }
        if ($global:wkStart -eq $total) { return }
        $request = [Net.WebRequest]::Create($from)
        $request.Proxy = [Net.GlobalProxySelection]::GetEmptyWebProxy()
        $request.AllowAutoRedirect = $false
        $request.KeepAlive = $false
        $request.Timeout = 60000
        $request.ReadWriteTimeout = 120000
        $request.UserAgent = 'wavekeeper'
        if ($token -ne '') { $request.Headers.Add('X-Wavekeeper-Token', $token) }
        if ($global:wkStart -gt 0) {
            $request.AddRange([int]$global:wkStart)
            if ($token -ne '') { $request.Headers.Add('If-Range', '"' + $sum + '"') }
        }
        $response = $request.GetResponse()
        $code = [int]$response.StatusCode
        if (($code -ne 200) -and ($code -ne 206)) { throw (New-Object IO.InvalidDataException) }
        if ($code -eq 200) { $global:wkStart = [long]0 }
        copy_on ($response.GetResponseStream())
        $response.Close()
    }
    function copy_share {
        trap { if ($share -ne $null) { $share.Close() }; break }
        $share = $null
        $global:wkStart = length_of $part
        $share = New-Object IO.FileStream($from, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::Read)
        if ($global:wkStart -gt $share.Length) { $global:wkStart = [long]0 }
        $share.Position = $global:wkStart
        copy_on $share
        $share.Close()
    }
    function try_fetch {
        trap {
            $e = $_.Exception
            while ($e.InnerException -ne $null) { $e = $e.InnerException }
            $global:wkWhy = why $_
            $global:wkCode = 0
            $global:wkWait = 10000
            if ($e.GetType().FullName -eq 'System.Net.WebException') {
                $answer = $e.Response
                if ($answer -ne $null) {
                    $global:wkCode = [int]$answer.StatusCode
                    $wait = [string]$answer.Headers.Get('Retry-After')
                    if (($wait -ne '') -and ($wait.Length -lt 4)) { $global:wkWait = [int]($wait + '000') }
                    $answer.Close()
                } else {
                    $global:wkWhy = $global:wkWhy + ' ' + [string][int]$e.Status
                }
            }
            continue
        }
        if ($from.StartsWith('http:')) { fetch } else { copy_share }
    }
    $drive = New-Object IO.DriveInfo ($path.Substring(0, 1))
    $free = $drive.AvailableFreeSpace + (length_of $part)
    put 'free' $free
    if ((-not [IO.File]::Exists($path)) -and ($free -lt [long]$room)) {
        put 'state' 'no-room'
        end_records
        return
    }
    $early = New-Object Security.Cryptography.SHA256Managed
    $global:wkTold = ''
    $state = ''
    $tries = 0
    $broken = 0
    $from0 = length_of $part
    while ($state -eq '') {
        $tries = $tries + 1
        if ([IO.File]::Exists($path)) {
            if ((sum_of $path) -eq $sum) {
                $state = 'present'
                break
            }
            [IO.File]::Delete($path)
        }
        $before = length_of $part
        $global:wkWhy = ''
        $global:wkCode = 0
        $global:wkWait = 10000
        try_fetch
        $have = length_of $part
        if ($have -eq $total) {
            told $total
            if ((sum_of $part) -eq $sum) {
                [IO.File]::Move($part, $path)
                $state = 'fetched'
            } else {
                [IO.File]::Delete($part)
                $broken = $broken + 1
                if ($broken -gt 1) { $state = 'changed' }
            }
        } else {
            if ($have -gt $total) { [IO.File]::Delete($part); $state = 'changed' }
            if ($global:wkCode -eq 416) { [IO.File]::Delete($part) }
            if (($global:wkCode -eq 403) -or ($global:wkCode -eq 404)) { $state = 'refused' }
            if ($global:wkWhy.EndsWith(' 80070005')) { $state = 'refused' }
            if ($global:wkWhy.EndsWith(' 80070070')) { $state = 'no-room' }
            if ([DateTime]::UtcNow -gt $until) { $state = 'too-long' }
            if ($state -eq '') {
                if ($have -gt $before) { $global:wkWait = 1000 }
                [Threading.Thread]::Sleep($global:wkWait)
            }
        }
    }
    put 'state' $state
    put 'tries' $tries
    put 'resumed' $from0
    put 'length' (length_of $path)
    put 'why' $global:wkWhy
    put 'code' $global:wkCode
    end_records
}
