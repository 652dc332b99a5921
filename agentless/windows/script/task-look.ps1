# wavekeeper: task-look 2
# in: folder; name; old 1 on 2003
# out: exists 1 or nothing; entry name|d or f|length, one for each; held no or a code; rc in base64; job in base64, 2003; task name|state|last result, 2008; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_task_look([string]$n, [string]$folder, [string]$name, [string]$old) {
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
    function open_for_writing([string]$path) {
        $file = New-Object IO.FileStream($path, [IO.FileMode]::Open, [IO.FileAccess]::Write, [IO.FileShare]::ReadWrite)
        $file.Close()
    }
    function try_open([string]$path) {
        trap { $global:wkHeld = why $_; continue }
        open_for_writing $path
    }
    function read_file([string]$path) {
        $share = [IO.FileShare]'ReadWrite, Delete'
        $file = New-Object IO.FileStream($path, [IO.FileMode]::Open, [IO.FileAccess]::Read, $share)
        $bytes = New-Object byte[] 4096
        $size = $file.Read($bytes, 0, 4096)
        $file.Close()
        [Convert]::ToBase64String($bytes, 0, $size)
    }
    function try_read([string]$path) {
        trap { $global:wkData = ''; continue }
        $global:wkData = read_file $path
    }
    if ([IO.Directory]::Exists($folder)) {
        put 'exists' 1
        $where = New-Object IO.DirectoryInfo $folder
        foreach ($item in $where.GetFileSystemInfos()) {
            if ($item -ne $null) {
                if (([int]$item.Attributes -band 16) -ne 0) {
                    put 'entry' ($item.Name + '|d|0')
                } else {
                    put 'entry' ($item.Name + '|f|' + [string]$item.Length)
                }
            }
        }
        if ([IO.File]::Exists($folder + '\alive')) {
            $global:wkHeld = 'no'
            try_open ($folder + '\alive')
            put 'held' $global:wkHeld
        }
        if ([IO.File]::Exists($folder + '\rc')) { put 'rc' (read_file ($folder + '\rc')) }
    }
    if ($old -eq '1') {
        $job = [Environment]::GetEnvironmentVariable('windir') + '\Tasks\' + $name + '.job'
        if ([IO.File]::Exists($job)) {
            $global:wkData = ''
            try_read $job
            put 'job' $global:wkData
        }
    } else {
        $scheduler = New-Object -ComObject Schedule.Service
        $scheduler.Connect()
        $root = $scheduler.GetFolder('\')
        foreach ($task in $root.GetTasks(1)) {
            if ($task -ne $null) {
                if ([string]$task.Name -eq $name) {
                    put 'task' ($name + '|' + [string][int]$task.State + '|' + ([int]$task.LastTaskResult).ToString('X8'))
                }
            }
        }
    }
    end_records
}
