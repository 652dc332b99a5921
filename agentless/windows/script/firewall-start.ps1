# wavekeeper: firewall-start 1
# in: service; folder; seconds
# out: state kept, when a file named here came into the folder in time, or stopped; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_firewall_start([string]$n, [string]$service, [string]$folder, [string]$seconds) {
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
    [void][Reflection.Assembly]::LoadWithPartialName('System.ServiceProcess')
    function stop_it {
        trap { $global:wkLeft = why $_; continue }
        $it.Stop()
    }
    $it = New-Object ServiceProcess.ServiceController $service
    if ([int]$it.Status -eq 1) { $it.Start() }
    $left = [int]$seconds
    while ($left -gt 0) {
        if ([IO.File]::Exists($folder + '\here')) {
            put 'state' 'kept'
            end_records
            return
        }
        [Threading.Thread]::Sleep(1000)
        $left = $left - 1
    }
    $global:wkLeft = 'stopped'
    stop_it
    put 'state' $global:wkLeft
    end_records
}
