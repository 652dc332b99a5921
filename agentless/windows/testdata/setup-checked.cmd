@echo off
if not exist "C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\go" exit /b 0
md "C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\started" 2>nul || exit /b 0
cd /d "C:\Wavekeeper\tasks\wk-demo-u17-setup-a1"
call :body 9>"C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\alive"
exit /b 0
:body
del /f /q right >nul 2>&1
%SystemRoot%\system32\WindowsPowerShell\v1.0\powershell.exe -NoProfile -NonInteractive -Command "Invoke-Expression ([IO.File]::ReadAllText('C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\media-check.ps1'))" >media.txt 2>media-err.txt <nul
if not "%ERRORLEVEL%"=="0" goto refused
if not exist right goto refused
set PROOF=
set /p PROOF=<right
if not "%PROOF%"=="0123abcd0123abcd0123abcd0123abcd0123abcd0123abcd0123abcd0123abcd" goto refused
>checked echo media
set KEY=Software\Microsoft\Windows\CurrentVersion\WinTrust\Trust Providers\Software Publishing
set OLD=
for /f "tokens=3" %%a in ('%SystemRoot%\system32\reg.exe query "HKCU\%KEY%" /v State 2^>nul ^| %SystemRoot%\system32\find.exe "REG_DWORD"') do set OLD=%%a
if not defined OLD (>revocation-user.txt echo absent) else (>revocation-user.txt echo %OLD%)
if not defined OLD set OLD=0x23c00
set /a "NEW=%OLD% | 0x200"
%SystemRoot%\system32\reg.exe add "HKCU\%KEY%" /v State /t REG_DWORD /d %NEW% /f >nul
set OLD=
for /f "tokens=3" %%a in ('%SystemRoot%\system32\reg.exe query "HKU\S-1-5-18\%KEY%" /v State 2^>nul ^| %SystemRoot%\system32\find.exe "REG_DWORD"') do set OLD=%%a
if not defined OLD (>revocation-system.txt echo absent) else (>revocation-system.txt echo %OLD%)
if not defined OLD set OLD=0x23c00
set /a "NEW=%OLD% | 0x200"
%SystemRoot%\system32\reg.exe add "HKU\S-1-5-18\%KEY%" /v State /t REG_DWORD /d %NEW% /f >nul
"C:\Wavekeeper\media\sp1-x64-0123abcd\setup.com" /mode:Upgrade >out.txt 2>&1
set code=%ERRORLEVEL%
if not exist "C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\revocation-user.txt" goto system
set OLD=
set /p OLD=<"C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\revocation-user.txt"
if not defined OLD goto system
if "%OLD%"=="absent" (%SystemRoot%\system32\reg.exe delete "HKCU\%KEY%" /v State /f >nul 2>&1) else (%SystemRoot%\system32\reg.exe add "HKCU\%KEY%" /v State /t REG_DWORD /d %OLD% /f >nul)
set OLD=
for /f "tokens=3" %%a in ('%SystemRoot%\system32\reg.exe query "HKCU\%KEY%" /v State 2^>nul ^| %SystemRoot%\system32\find.exe "REG_DWORD"') do set OLD=%%a
if not defined OLD set OLD=absent
>"C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\revocation-user-after.txt" echo %OLD%
:system
if not exist "C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\revocation-system.txt" goto restored
set OLD=
set /p OLD=<"C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\revocation-system.txt"
if not defined OLD goto restored
if "%OLD%"=="absent" (%SystemRoot%\system32\reg.exe delete "HKU\S-1-5-18\%KEY%" /v State /f >nul 2>&1) else (%SystemRoot%\system32\reg.exe add "HKU\S-1-5-18\%KEY%" /v State /t REG_DWORD /d %OLD% /f >nul)
set OLD=
for /f "tokens=3" %%a in ('%SystemRoot%\system32\reg.exe query "HKU\S-1-5-18\%KEY%" /v State 2^>nul ^| %SystemRoot%\system32\find.exe "REG_DWORD"') do set OLD=%%a
if not defined OLD set OLD=absent
>"C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\revocation-system-after.txt" echo %OLD%
:restored
>"C:\Wavekeeper\tasks\wk-demo-u17-setup-a1\revocation-restored" echo done
>rc.tmp echo %code%
move /y rc.tmp rc >nul
exit /b 0
:refused
>refused echo media
set code=9201
>rc.tmp echo %code%
move /y rc.tmp rc >nul
