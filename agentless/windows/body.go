package windows

import (
	"fmt"
	"regexp"
	"strings"
)

// The folders of Wavekeeper on a host. Each is made by folder-make with a
// protected DACL before anything is put into it.
const (
	Root  = `C:\Wavekeeper`
	Tasks = Root + `\tasks`
)

// TaskFolder is where a host task's body, output and result lie.
func TaskFolder(task string) string { return Tasks + `\` + task }

// taskName is what every name of a host task must look like: it goes raw into
// command lines, so nothing in it may mean something to cmd.exe.
var taskName = regexp.MustCompile(`^wk-[A-Za-z0-9]{1,32}-[usr][0-9]{1,18}-[a-z0-9-]{1,40}-a[0-9]{1,9}$`)

// TaskName names the host task of one step of one attempt of one upgrade.
func TaskName(installation string, upgrade int64, step string, attempt int) string {
	return fmt.Sprintf("wk-%s-u%d-%s-a%d", installation, upgrade, step, attempt)
}

// StagingTaskName names the host task of one step of one attempt at bringing a
// medium to the host.
func StagingTaskName(installation string, staging int64, step string, attempt int) string {
	return fmt.Sprintf("wk-%s-s%d-%s-a%d", installation, staging, step, attempt)
}

// RunTaskName names the host task of one step of a run outside upgrades: a check,
// a fix.
func RunTaskName(installation string, run int64, step string, attempt int) string {
	return fmt.Sprintf("wk-%s-r%d-%s-a%d", installation, run, step, attempt)
}

// safePath is a path that can stand in double quotes in a batch file: no quote,
// no percent sign (cmd.exe expands it), no line break, ASCII only, since a batch
// file is read in the OEM code page.
func safePath(path string) error {
	if path == "" {
		return fmt.Errorf("empty path")
	}
	for _, r := range path {
		if r < ' ' || r > '~' || strings.ContainsRune(`"%!^&|<>*?`, r) {
			return fmt.Errorf("path %q: %q cannot be used in a batch file", path, r)
		}
	}
	return nil
}

// The programs that bodies run, by their full names: a server may have another
// find before Windows' own in its PATH, and a service that was started before
// PowerShell was installed has a PATH without it.
const (
	regProgram        = `%SystemRoot%\system32\reg.exe`
	findProgram       = `%SystemRoot%\system32\find.exe`
	powershellProgram = `%SystemRoot%\system32\WindowsPowerShell\v1.0\powershell.exe`
)

// publishing is the key whose State value switches the check of publishers'
// certificate revocation, per user; bit 0x200 set means: do not check.
// Source: KB944752 and winrm.md 2.4 of the project's dossier.
const publishing = `Software\Microsoft\Windows\CurrentVersion\WinTrust\Trust Providers\Software Publishing`

// guard begins every body: nothing happens before RunTask asked for it, should
// the start time fire against all that was read about it, and md is atomic, so
// the body runs once however often the task is created or started. The rest
// runs with handle 9 redirected to the file alive: cmd.exe opens it so that
// nobody else can open it for writing, what it starts inherits the handle, and
// Windows closes it with the last of them, however they end. So whether a body
// lives can be told without a list of processes (LookTask). Sources: Build.bat
// of Unreal Engine (call :label 9>file as a lock); scripting.cocolog-nifty.com
// of 2006-10-10 (one opener, freed at the end of the process).
func guard(folder string) []string {
	return []string{
		`@echo off`,
		`if not exist "` + folder + `\go" exit /b 0`,
		`md "` + folder + `\started" 2>nul || exit /b 0`,
		`cd /d "` + folder + `"`,
		`call :body 9>"` + folder + `\` + aliveFile + `"`,
		`exit /b 0`,
		`:body`,
	}
}

// aliveFile is what a body holds open while it or something that it started
// lives.
const aliveFile = "alive"

// SetupBody is the batch file of the host task that runs Setup. The old State
// values are in the folder before they are changed, so a repair can put them
// back if this task dies. Setup's input is left alone: unattended Setup of the next version looks whether a key
// was pressed ("No key presses were detected"), which .NET refuses to do on an
// input that is no console; a task has a console, and nobody at it.
func SetupBody(folder, setup, arguments string) ([]byte, error) {
	return setupBody(folder, setup, arguments, "")
}

// CheckedSetupBody is SetupBody whose first command is media-check, which lies
// in the folder (see MediaTree.CheckFiles): nothing of Setup begins, and no
// switch is touched, unless every file of the tree is right. So no time is left
// between the comparison and the run, also when nobody looks. That nothing was
// complained of is not enough: the script's last act is a file with the
// manifest's SHA-256 (lower-case hex), and the body wants to read it there. A
// body that did not begin Setup leaves the file refused.
func CheckedSetupBody(folder, setup, arguments, manifest string) ([]byte, error) {
	if !sumForm.MatchString(manifest) {
		return nil, fmt.Errorf("manifest %q: no SHA-256 in lower-case hex", manifest)
	}
	return setupBody(folder, setup, arguments, manifest)
}

var sumForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// setupBody compares the tree first where there is a manifest.
func setupBody(folder, setup, arguments, manifest string) ([]byte, error) {
	check := manifest != ""
	if err := safePath(folder); err != nil {
		return nil, err
	}
	if err := safePath(setup); err != nil {
		return nil, err
	}
	if arguments != "" {
		if err := safePath(arguments); err != nil {
			return nil, fmt.Errorf("setup's arguments: %w", err)
		}
	}
	if check && strings.Contains(folder, "'") {
		return nil, fmt.Errorf("folder %q: a quote cannot be used here", folder)
	}
	lines := guard(folder)
	if check {
		lines = append(lines, compared(folder, manifest)...)
	}
	lines = append(lines,
		`set KEY=`+publishing,
		`set OLD=`,
		`for /f "tokens=3" %%a in ('`+regProgram+` query "HKCU\%KEY%" /v State 2^>nul ^| `+findProgram+` "REG_DWORD"') do set OLD=%%a`,
		`if not defined OLD (>revocation-user.txt echo absent) else (>revocation-user.txt echo %OLD%)`,
		`if not defined OLD set OLD=0x23c00`,
		`set /a "NEW=%OLD% | 0x200"`,
		regProgram+` add "HKCU\%KEY%" /v State /t REG_DWORD /d %NEW% /f >nul`,
		`set OLD=`,
		`for /f "tokens=3" %%a in ('`+regProgram+` query "HKU\S-1-5-18\%KEY%" /v State 2^>nul ^| `+findProgram+` "REG_DWORD"') do set OLD=%%a`,
		`if not defined OLD (>revocation-system.txt echo absent) else (>revocation-system.txt echo %OLD%)`,
		`if not defined OLD set OLD=0x23c00`,
		`set /a "NEW=%OLD% | 0x200"`,
		regProgram+` add "HKU\S-1-5-18\%KEY%" /v State /t REG_DWORD /d %NEW% /f >nul`,
		strings.TrimRight(`"`+setup+`" `+arguments, " ")+` >out.txt 2>&1`,
		`set code=%ERRORLEVEL%`,
	)
	lines = append(lines, restore(folder)...)
	lines = append(lines, result()...)
	if check {
		lines = append(lines, `exit /b 0`, `:refused`, `>`+mediaRefused+` echo media`, `set code=`+refusedCode)
		lines = append(lines, result()...)
	}
	return batch(lines), nil
}

// compared are the lines that compare every file of the media and go to refused
// unless all are right.
func compared(folder, manifest string) []string {
	return []string{
		`del /f /q ` + mediaRight + ` >nul 2>&1`,
		runScript(folder, MediaCheck) + ` >media.txt 2>media-err.txt <nul`,
		`if not "%ERRORLEVEL%"=="0" goto refused`,
		`if not exist ` + mediaRight + ` goto refused`,
		`set PROOF=`,
		`set /p PROOF=<` + mediaRight,
		`if not "%PROOF%"=="` + manifest + `" goto refused`,
		`>` + mediaChecked + ` echo media`,
	}
}

// refusedCode is the result of a body that did not begin Setup: no exit code of
// a program of Windows or Exchange that is known.
const refusedCode = "9201"

// RepairBody is the batch file of the host task that puts the two State values
// back after a Setup task died: it must run under the same account, since a
// user's hive is loaded only while that user is logged on.
func RepairBody(folder, died string) ([]byte, error) {
	for _, p := range []string{folder, died} {
		if err := safePath(p); err != nil {
			return nil, err
		}
	}
	lines := append(guard(folder),
		`set KEY=`+publishing,
		`set code=0`,
	)
	lines = append(lines, restore(died)...)
	return batch(append(lines, result()...)), nil
}

// ScriptBody is the batch file of a host task that runs one of our scripts,
// which lies in the folder as NAME.ps1 with its call as last line. It is read
// as text, since PowerShell 1.0 refuses every .ps1 by default and has no switch
// for that.
func ScriptBody(folder, name string) ([]byte, error) {
	if err := safePath(folder); err != nil {
		return nil, err
	}
	if strings.Contains(folder, "'") {
		return nil, fmt.Errorf("folder %q: a quote cannot be used here", folder)
	}
	lines := append(guard(folder),
		runScript(folder, name)+` >out.txt 2>err.txt <nul`,
		`set code=%ERRORLEVEL%`,
	)
	return batch(append(lines, result()...)), nil
}

// runScript is the command that runs a script of the folder.
func runScript(folder, name string) string {
	return powershellProgram + ` -NoProfile -NonInteractive -Command "Invoke-Expression ([IO.File]::ReadAllText('` + folder + `\` + name + `.ps1'))"`
}

// restore puts both State values back as the files in folder say,
// and writes beside them what the values are then: put-back compares the pairs.
func restore(folder string) []string {
	one := func(hive, who, next string) []string {
		path := `"` + folder + `\revocation-` + who + `.txt"`
		return []string{
			`if not exist ` + path + ` goto ` + next,
			`set OLD=`,
			`set /p OLD=<` + path,
			`if not defined OLD goto ` + next,
			`if "%OLD%"=="absent" (` + regProgram + ` delete "` + hive + `\%KEY%" /v State /f >nul 2>&1) else (` + regProgram + ` add "` + hive + `\%KEY%" /v State /t REG_DWORD /d %OLD% /f >nul)`,
			`set OLD=`,
			`for /f "tokens=3" %%a in ('` + regProgram + ` query "` + hive + `\%KEY%" /v State 2^>nul ^| ` + findProgram + ` "REG_DWORD"') do set OLD=%%a`,
			`if not defined OLD set OLD=absent`,
			`>"` + folder + `\revocation-` + who + `-after.txt" echo %OLD%`,
			`:` + next,
		}
	}
	lines := append(one(`HKCU`, `user`, `system`), one(`HKU\S-1-5-18`, `system`, `restored`)...)
	return append(lines, `>"`+folder+`\revocation-restored" echo done`)
}

// result writes the exit code in one step: a reader sees no file or the whole
// file. The redirection stands in front, since cmd.exe reads the digit in
// "echo 0>rc" as a handle.
func result() []string {
	return []string{`>rc.tmp echo %code%`, `move /y rc.tmp rc >nul`}
}

func batch(lines []string) []byte {
	return []byte(strings.Join(lines, "\r\n") + "\r\n")
}
