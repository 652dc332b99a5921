# wavekeeper: service-list 2
# in: name, all when empty
# out: service state|start|name|account, one for each; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_service_list([string]$n, [string]$name) {
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
    $root = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('SYSTEM\CurrentControlSet\Services')
    foreach ($each in [ServiceProcess.ServiceController]::GetServices()) {
        if ($each -ne $null) {
            if (($name -eq '') -or ($each.ServiceName -eq $name)) {
                $key = $root.OpenSubKey($each.ServiceName)
                $start = ''
                $account = ''
                if ($key -ne $null) {
                    $start = [string]$key.GetValue('Start')
                    $account = [string]$key.GetValue('ObjectName')
                    $key.Close()
                }
                put 'service' ([string][int]$each.Status + '|' + $start + '|' + $each.ServiceName + '|' + $account)
            }
        }
    }
    end_records
}
