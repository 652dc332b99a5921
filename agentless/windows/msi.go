package windows

import "fmt"

// RollupFile is the name that the one file of an update rollup has on hosts,
// whatever Microsoft called it: nothing of a download's name goes into a command
// line.
const RollupFile = "rollup.msp"

// RollupLog is the verbose log of Windows Installer in the task's folder.
const RollupLog = "rollup.log"

const msiexecProgram = `%SystemRoot%\system32\msiexec.exe`

// RollupBody is the batch file of the host task that installs an update rollup as
// SYSTEM: on Windows Server 2008 it fails without a full token, which SYSTEM always
// has ("Troubleshooting Update Rollup Installations", technet ff772434, has 2008 as
// a class of its own). The revocation check is off for SYSTEM while it runs, since
// most of the time goes into assemblies' certificates (KB944752), and put back in
// the same body. /lxv* keeps everything that Windows Installer says (KB2784788
// writes /lxv). With a manifest every file of the folder is compared first.
func RollupBody(folder, msp, manifest string) ([]byte, error) {
	for _, p := range []string{folder, msp} {
		if err := safePath(p); err != nil {
			return nil, err
		}
	}
	lines := guard(folder)
	if manifest != "" {
		if !sumForm.MatchString(manifest) {
			return nil, fmt.Errorf("manifest %q: no SHA-256 in lower-case hex", manifest)
		}
		lines = append(lines, compared(folder, manifest)...)
	}
	lines = append(lines,
		`set KEY=`+publishing,
		`set OLD=`,
		`for /f "tokens=3" %%a in ('`+regProgram+` query "HKU\S-1-5-18\%KEY%" /v State 2^>nul ^| `+findProgram+` "REG_DWORD"') do set OLD=%%a`,
		`if not defined OLD (>revocation-system.txt echo absent) else (>revocation-system.txt echo %OLD%)`,
		`if not defined OLD set OLD=0x23c00`,
		`set /a "NEW=%OLD% | 0x200"`,
		regProgram+` add "HKU\S-1-5-18\%KEY%" /v State /t REG_DWORD /d %NEW% /f >nul`,
		msiexecProgram+` /p "`+msp+`" /qn /norestart /lxv* "`+folder+`\`+RollupLog+`" >out.txt 2>&1`,
		`set code=%ERRORLEVEL%`,
	)
	lines = append(lines, restore(folder)...)
	lines = append(lines, result()...)
	if manifest != "" {
		lines = append(lines, `exit /b 0`, `:refused`, `>`+mediaRefused+` echo media`, `set code=`+refusedCode)
		lines = append(lines, result()...)
	}
	return batch(lines), nil
}

// InstallerWords says in words what Windows Installer's exit code means; "" where
// it is none that is known. Source: "MsiExec.exe and InstMsi.exe error messages"
// of the Windows Installer SDK (remembered); 1603 and 1635 are the two that
// KB2784788 names for rollups of Exchange.
func InstallerWords(code int) string {
	return map[int]string{
		0: "it went well", 3010: "it went well, and Windows has to be restarted", 1641: "it went well and restarted Windows",
		1602: "somebody cancelled it", 1603: "a fatal error: the lines above the last \"Return value 3\" of its log say which",
		1612: "the installation source of a package is not there", 1618: "another installation was running",
		1635: "a patch package could not be opened: mostly one of the cached packages of earlier rollups is gone (KB2784788)",
		1636: "the file is no valid patch package", 1642: "the patch does not apply to what is installed: it is for another service pack level, or for another product",
	}[code]
}
