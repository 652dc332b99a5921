# wavekeeper: media-pull 2
# in: from, a URL or a path; token, empty where none is asked for; sum, the SHA-256 of the bundle; size, of it; path; room, bytes that must be free; minutes, at most; here, the folder of the task
# out: state fetched|present|no-room|changed|refused|away|too-long; source, the length that the source has when it is another; free, bytes; tries; resumed, bytes that were there; length; why, the last error; code, of the last answer of HTTP; error
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
    function told_now([string]$kind, [string]$next) {
        $last = [string]$global:wkTold[$kind]
        if ($last -eq $next) { return }
        if ($last -eq '') {
            [IO.File]::WriteAllText($next, '')
        } else {
            [IO.File]::Move($last, $next)
        }
        $global:wkTold[$kind] = $next
    }
    function told([string]$kind, [string]$what) {
        trap { $global:wkTold[$kind] = ''; continue }
        told_now $kind ($here + '\' + $kind + '-' + $what)
    }
    function told_bytes([long]$done) { told 'p' ([string]$done + '-' + $size) }
    function reason {
        $f = $global:wkWhy.Split(' ')
        if ($global:wkCode -ne 0) {
            [string]$global:wkCode
        } else {
            if ($f.Length -lt 2) { '0' }
            if ($f.Length -eq 2) { $f[1] }
            if ($f.Length -gt 2) { $f[1] + '-' + $f[2] }
        }
    }
    function copy_on($stream) {
        trap { if ($file -ne $null) { $file.Close() }; break }
        $file = $null
        $file = New-Object IO.FileStream($part, [IO.FileMode]::OpenOrCreate, [IO.FileAccess]::Write, [IO.FileShare]::Read)
        told 'w' '0'
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
                told_bytes $done
                $mark = $done + 16777216
            }
        }
        $file.Close()
        told_bytes $done
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
        if (($code -ne 200) -and ($code -ne 206)) {
            $global:wkCode = $code
            throw (New-Object IO.InvalidDataException)
        }
        $whole = [string]$response.ContentLength
        if ($code -eq 200) { $global:wkStart = [long]0 }
        if ($code -eq 206) {
            $whole = '*'
            $range = [string]$response.Headers.Get('Content-Range')
            $f = $range.Split('/')
            if ($f.Length -eq 2) { $whole = $f[1] }
        }
        if (($whole -ne '-1') -and ($whole -ne '*') -and ($whole -ne $size)) {
            $global:wkOther = $whole
            $response.Close()
            return
        }
        copy_on ($response.GetResponseStream())
        $response.Close()
    }
    function copy_share {
        trap { if ($share -ne $null) { $share.Close() }; break }
        $share = $null
        $global:wkStart = length_of $part
        $share = New-Object IO.FileStream($from, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::Read)
        if ($share.Length -ne $total) {
            $global:wkOther = [string]$share.Length
            $share.Close()
            return
        }
        if ($global:wkStart -gt $total) { $global:wkStart = [long]0 }
        $share.Position = $global:wkStart
        copy_on $share
        $share.Close()
    }
    function try_fetch {
        trap {
            $e = $_.Exception
            while ($e.InnerException -ne $null) { $e = $e.InnerException }
            $global:wkWhy = why $_
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
    $global:wkTold = New-Object Collections.Hashtable
    $global:wkOther = ''
    $state = ''
    $tries = 0
    $broken = 0
    $denied = 0
    $beyond = 0
    $heard = [DateTime]::UtcNow
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
            told_bytes $total
            if ((sum_of $part) -eq $sum) {
                [IO.File]::Move($part, $path)
                $state = 'fetched'
            } else {
                [IO.File]::Delete($part)
                $broken = $broken + 1
                if ($broken -gt 1) { $state = 'changed' }
            }
        } else {
            told 'w' (reason)
            if ($have -gt $total) { [IO.File]::Delete($part); $state = 'changed' }
            if ($global:wkOther -ne '') { $state = 'changed' }
            if ($global:wkCode -eq 416) {
                [IO.File]::Delete($part)
                $beyond = $beyond + 1
                if ($beyond -gt 1) { $state = 'changed' }
            }
            if (($global:wkCode -eq 403) -or ($global:wkCode -eq 404)) { $state = 'refused' }
            if ($global:wkWhy.EndsWith(' 80070005')) { $state = 'refused' }
            if ($global:wkWhy.EndsWith(' 80070070')) { $state = 'no-room' }
            if (($global:wkCode -gt 299) -and ($global:wkCode -lt 500) -and ($global:wkCode -ne 408) -and ($global:wkCode -ne 416) -and ($global:wkCode -ne 429)) { $denied = $denied + 1 }
            if ($global:wkWhy.EndsWith(' 80070002') -or $global:wkWhy.EndsWith(' 80070003') -or $global:wkWhy.EndsWith(' 80070035') -or $global:wkWhy.EndsWith(' 80070043')) { $denied = $denied + 1 }
            if ($denied -gt 2) { $state = 'refused' }
            if (($have -gt $before) -or ($global:wkCode -ne 0)) { $heard = [DateTime]::UtcNow }
            if (($state -eq '') -and ([DateTime]::UtcNow -gt $heard.AddMinutes(5))) { $state = 'away' }
            if (($state -eq '') -and ([DateTime]::UtcNow -gt $until)) { $state = 'too-long' }
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
    put 'source' $global:wkOther
    put 'why' $global:wkWhy
    put 'code' $global:wkCode
    end_records
}
