package runbook

import (
	"slices"
	"testing"

	"wavekeeper/agentless/windows"
)

// TestWhatWeAskOfATaskIsNotTheTask: a program of ours that hangs names the
// task's folder, and is no sign that Setup lives.
func TestWhatWeAskOfATaskIsNotTheTask(t *testing.T) {
	t.Parallel()
	task := "wk-test-u17-setup-a1"
	folder := windows.TaskFolder(task)
	var got []int
	for _, p := range ofTask([]windows.Process{
		{ID: 1, Name: "schtasks.exe", CommandLine: `schtasks.exe /create /tn ` + task + ` /tr "` + folder + `\body.cmd" /sc ONCE /st 00:00:00 /ru CORP\x /rp y`},
		{ID: 2, Name: "cmd.exe", CommandLine: `C:\WINDOWS\system32\cmd.exe /c echo go>"` + folder + `\go"&&schtasks.exe /run /tn ` + task},
		{ID: 3, Name: "cmd.exe", CommandLine: `cmd.exe /c md "` + folder + `\started" 2>nul && >"` + folder + `\closed" echo closed`},
		{ID: 4, Name: "CMD.EXE", CommandLine: `cmd.exe /c rd /s /q "` + folder + `"`},
		{ID: 5, Name: "cmd.exe", CommandLine: `cmd.exe /c schtasks.exe /create /tn ` + task + ` /tr "` + folder + `\body.cmd"`},
		{ID: 6, Name: "CMD.EXE", CommandLine: `C:\WINDOWS\System32\CMD.EXE /d /c "` + folder + `\BODY.CMD"`},
		{ID: 7, Name: "powershell.exe", CommandLine: `powershell.exe -Command "Invoke-Expression ([IO.File]::ReadAllText('` + folder + `\canary.ps1'))"`},
		{ID: 8, Name: "cmd.exe", CommandLine: `cmd.exe /c "` + windows.TaskFolder("wk-test-u18-setup-a1") + `\body.cmd"`},
	}, task) {
		got = append(got, int(p.ID))
	}
	if want := []int{6, 7}; !slices.Equal(got, want) {
		t.Errorf("the task's programs are %v, want %v", got, want)
	}
}
