# wavekeeper: folder-list 2
# in: path
# out: exists 0|1; entry name|d or f|length|UTC, one for each; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_folder_list([string]$n, [string]$path) {
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
    if (-not [IO.Directory]::Exists($path)) {
        put 'exists' 0
        end_records
        return
    }
    put 'exists' 1
    $folder = New-Object IO.DirectoryInfo $path
    foreach ($item in $folder.GetFileSystemInfos()) {
        if ($item -ne $null) {
            $when = $item.LastWriteTimeUtc.ToString('o', [Globalization.CultureInfo]::InvariantCulture)
            if (([int]$item.Attributes -band 16) -ne 0) {
                put 'entry' ($item.Name + '|d|0|' + $when)
            } else {
                put 'entry' ($item.Name + '|f|' + [string]$item.Length + '|' + $when)
            }
        }
    }
    end_records
}
