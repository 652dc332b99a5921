# wavekeeper: system-look 3
# in: nothing
# out: version; packs; language in hexadecimal; now in UTC; boot in UTC; zone in minutes; windir; drive; disk name|size|free in bytes, one for each fixed disk; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_system_look([string]$n) {
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
    function begun($each) {
        trap { $global:wkBegun = $null; continue }
        $global:wkBegun = $each.StartTime
    }
    function debug {
        trap { continue }
        [Diagnostics.Process]::EnterDebugMode()
    }
    debug
    $now = [DateTime]::UtcNow
    $first = $now
    foreach ($each in [Diagnostics.Process]::GetProcesses()) {
        if ($each -ne $null) {
            $global:wkBegun = $null
            begun $each
            if ($global:wkBegun -ne $null) {
                $utc = $global:wkBegun.ToUniversalTime()
                if (($utc.Year -gt 1980) -and ($utc -lt $first)) { $first = $utc }
            }
        }
    }
    $packs = 0
    $key = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('SYSTEM\CurrentControlSet\Control\Windows')
    if ($key -ne $null) {
        $packs = $key.GetValue('CSDVersion')
        $key.Close()
    }
    $language = ''
    $key = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('SYSTEM\CurrentControlSet\Control\Nls\Language')
    if ($key -ne $null) {
        $language = $key.GetValue('InstallLanguage')
        $key.Close()
    }
    put 'version' ([Environment]::OSVersion.Version.ToString(3))
    put 'packs' $packs
    put 'language' $language
    $offset = [TimeZone]::CurrentTimeZone.GetUtcOffset($now.ToLocalTime())
    put 'now' ($now.ToString('o', [Globalization.CultureInfo]::InvariantCulture))
    put 'zone' ([int]$offset.TotalMinutes)
    put 'boot' ($first.ToString('o', [Globalization.CultureInfo]::InvariantCulture))
    put 'windir' ([Environment]::GetEnvironmentVariable('windir'))
    put 'drive' ([Environment]::GetEnvironmentVariable('SystemDrive'))
    foreach ($each in [IO.DriveInfo]::GetDrives()) {
        if ($each -ne $null) {
            if (([int]$each.DriveType -eq 3) -and $each.IsReady) {
                put 'disk' ($each.Name.Substring(0, 2) + '|' + [string]$each.TotalSize + '|' + [string]$each.TotalFreeSpace)
            }
        }
    }
    end_records
}
