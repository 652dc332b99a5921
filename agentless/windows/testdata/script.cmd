@echo off
if not exist "C:\Wavekeeper\tasks\wk-demo-u17-canary-a1\go" exit /b 0
md "C:\Wavekeeper\tasks\wk-demo-u17-canary-a1\started" 2>nul || exit /b 0
cd /d "C:\Wavekeeper\tasks\wk-demo-u17-canary-a1"
call :body 9>"C:\Wavekeeper\tasks\wk-demo-u17-canary-a1\alive"
exit /b 0
:body
%SystemRoot%\system32\WindowsPowerShell\v1.0\powershell.exe -NoProfile -NonInteractive -Command "Invoke-Expression ([IO.File]::ReadAllText('C:\Wavekeeper\tasks\wk-demo-u17-canary-a1\canary.ps1'))" >out.txt 2>err.txt <nul
set code=%ERRORLEVEL%
>rc.tmp echo %code%
move /y rc.tmp rc >nul
