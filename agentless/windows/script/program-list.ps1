# wavekeeper: program-list 2
# in: nothing
# out: entry id|session|short name, one for each; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_program_list([string]$n) {
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
    function session($each) {
        trap { $global:wkSession = ''; continue }
        $global:wkSession = [string]$each.SessionId
    }
    foreach ($each in [Diagnostics.Process]::GetProcesses()) {
        if ($each -ne $null) {
            $global:wkSession = ''
            session $each
            put 'entry' ([string]$each.Id + '|' + $global:wkSession + '|' + $each.ProcessName)
        }
    }
    end_records
}
