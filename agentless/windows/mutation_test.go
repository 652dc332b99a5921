package windows

import (
	"strings"
	"testing"
)

// TestWhatCameLaterIsRefused puts each construct of the later columns of table
// 2.5 into a script that is right, and wants a complaint for its reason.
func TestWhatCameLaterIsRefused(t *testing.T) {
	t.Parallel()
	source, err := ScriptSource("file-hash")
	if err != nil {
		t.Fatal(err)
	}
	const end = "    end_records\r\n}\r\n" // the last statement of the function
	before, ok := strings.CutSuffix(string(source), end)
	if !ok {
		t.Fatal("file-hash ends otherwise than this test thinks")
	}
	if got := notPowerShell1(string(source), parsed(t, string(source))); len(got) != 0 {
		t.Fatal(got)
	}
	for _, m := range []struct{ code, want string }{
		// PowerShell 2.0
		{"try { put 'a' 1 } catch { put 'b' 2 }", `"try_statement" came with PowerShell 2.0`},
		{"try { put 'a' 1 } finally { put 'b' 2 }", `"try_statement" came with PowerShell 2.0`},
		{"try { put 'a' 1 }", `"try_statement" came with PowerShell 2.0`}, // the grammar takes it
		{"try{}", `"try_statement" came with PowerShell 2.0`},
		{"put @path", "splatting"},
		{"$sum = $path -split '-'", `operator "-split" came with PowerShell 2.0`},
		{"$sum = -split $path", `"-split" came with PowerShell 2.0`},
		{"$sum = $path -join '-'", `operator "-join" came with PowerShell 2.0`},
		{"$sum = -join $path", `"-join" came with PowerShell 2.0`},
		{"$sum = $path -cSPLIT '-'", `operator "-csplit"`},
		{"Import-Module x", `"Import-Module" is not in the list, nor among`},
		{"#requires -modules x", "comment"},
		{"# Requires -Version 2", "comment"},
		{"<# a\r\n b #>", "comment"},
		{"<#\r\n.SYNOPSIS\r\n#>", "comment"},
		{"Start-Process 'x'", `"Start-Process" is not in the list, nor among`},
		{"Start-Job 'x'", "nor among"},
		{"Invoke-Command 'x'", "nor among"},
		{"Add-Type 'x'", "nor among"},
		{"Get-WinEvent", "nor among"},
		{"Invoke-WmiMethod", "nor among"},
		{"Get-HotFix", "nor among"},
		{"Restart-Computer", "nor among"},
		{"ConvertTo-Csv 'x'", "nor among"},
		{"ConvertTo-Xml 'x'", "nor among"},
		{"Out-GridView", "nor among"},
		{"Select-Xml 'x'", "nor among"},
		{"Get-Random", "nor among"},
		{"Write-EventLog", "nor among"},
		{"Set-StrictMode -Version 2", "nor among"},
		{"function a { begin { put 'a' 1 } }", `"named_block" came with PowerShell 2.0`},
		{"function a { process { put 'a' 1 } }", `"named_block" came with PowerShell 2.0`},
		{"function a { end { put 'a' 1 } }", `"named_block" came with PowerShell 2.0`},
		{"function a { dynamicparam { put 'a' 1 } }", `"named_block" came with PowerShell 2.0`},
		{"function a { [CmdletBinding()] param() put 'a' 1 }", `"attribute_name" came with PowerShell 2.0`},
		{"function a([Parameter(Mandatory=$true)]$b) { put 'a' $b }", `"attribute_name" came with PowerShell 2.0`},
		{"function a([ValidateNotNull()]$b) { put 'a' $b }", `"attribute_name" came with PowerShell 2.0`},
		{"data { 'a' }", `"data_statement" came with PowerShell 2.0`},
		{"put 'a' $PSVersionTable", `"$psversiontable" came with PowerShell 2.0`},
		{"put 'a' $PSScriptRoot", `"$psscriptroot" came with PowerShell 2.0`},
		{"put 'a' $PSBoundParameters", `"$psboundparameters" came with PowerShell 2.0`},
		{"put 'a' $PSCulture", `"$psculture" came with PowerShell 2.0`},
		{"$sum = if ($path) { 1 }", "a statement as a value came with PowerShell 2.0"},
		{"$sum = foreach ($x in $path) { 1 }", "a statement as a value came with PowerShell 2.0"},
		{"$sum = New-Object 'Collections.Generic.List[string]'", "New-Object: [] is not in the list"},
		{"$sum = [Collections.Generic.List[string]]", `"generic_type_name" came with PowerShell 2.0`},
		{"$sum = New-Object IO.DirectoryInfo -Property @{ a = 1 }", "New-Object -Property is not in the list"},
		{"$sum = 1tb", "does not parse|suffix"},
		{"$sum = 1pb", "suffix"},
		{"put 'a' 1 | Tee-Object -Variable b", `token "|"`},
		{"Get-ChildItem $path | Select-Object -Skip 1", "PowerShell 1.0 has it, its parameters were not looked up"},
		{"Out-File $path -Encoding oem", "PowerShell 1.0 has it, its parameters were not looked up"},
		// 3.0
		{"$sum = [pscustomobject]@{ a = 1 }", "[pscustomobject] is not in the list"},
		{"$sum = [ordered]@{ a = 1 }", "[ordered] is not in the list"},
		{"ConvertTo-Json 'x'", "nor among"},
		{"ConvertFrom-Json 'x'", "nor among"},
		{"Invoke-WebRequest 'x'", "nor among"},
		{"Invoke-RestMethod 'x'", "nor among"},
		{"Get-CimInstance 'x'", "nor among"},
		{"Get-ScheduledTask", "nor among"},
		{"workflow a { put 'a' 1 }", `"workflow" came with PowerShell 3.0`},
		{"put 'a' $PSItem", `"$psitem" came with PowerShell 3.0`},
		{"put 'a' $using:path", `"$using" came with PowerShell 3.0`},
		{"put 'a' ($path -in $path)", `"-in" came with PowerShell 3.0`},
		{"put 'a' ($path -notin $path)", `"-notin" came with PowerShell 3.0`},
		{"put 'a' (1 -shl 2)", `"-shl" came with PowerShell 3.0`},
		{"put 'a' (1 -SHR 2)", `"-shr" came with PowerShell 3.0`},
		{"Get-Process | Where Name -eq 'x'", `command "Where"`},
		{"Get-Content $path -Raw", "not looked up"},
		{"Get-Content $path -Tail 1", "not looked up"},
		{"Get-ChildItem $path -Directory", "not looked up"},
		{"Tee-Object $path -Append", "not looked up"},
		{"put 'a' 3>&1", "redirection"},
		{"put 'a' *> $path", "redirection"},
		{"put 'a' > $path", "redirection"},
		{"$ErrorActionPreference = 'Ignore'", "Ignore"},
		{"put 'a' --% x", "stop_parsing|does not parse"},
		// 4.0 and later
		{"Get-FileHash $path", "nor among"},
		{"configuration x { }", `command "configuration"`},
		{"put 'a' $path.Where({ 1 })", ".Where is not in the list"},
		{"put 'a' $path.ForEach({ 1 })", `".ForEach"`},
		{"put 'a' $path.foreach{ 1 }", `invokation_foreach_expression`},
		{"class a { [string]$b }", `"class_statement" came with PowerShell 5.0`},
		{"enum a { b }", `"enum_statement" came with PowerShell 5.0`},
		{"using namespace System.IO", `command "using"`},
		{"put 'a' ([Guid]::new())", "[Guid]::new is not in the list"},
		{"Compress-Archive $path", "nor among"},
		{"put 'a' 1 && put 'b' 2", `"&&" came with PowerShell 7.0`},
		{"put 'a' 1 || put 'b' 2", `"||" came with PowerShell 7.0`},
		{"put 'a' ($path ? 1 : 2)", "does not parse|not in the list"},
		{"put 'a' $path?.Length", "does not parse|not in the list"},
		{"$path ??= 'a'", "does not parse|not in the list"},
		// .NET after 2.0
		{"$sum = New-Object Security.Cryptography.SHA256CryptoServiceProvider", "New-Object: [Security.Cryptography.SHA256CryptoServiceProvider] is not"},
		{"$sum = New-Object DirectoryServices.AccountManagement.PrincipalContext", "is not in the list"},
		{"put 'a' ([Linq.Enumerable]::Range(1, 2))", "[Linq.Enumerable] is not in the list"},
		{"put 'a' ([TimeZoneInfo]::Local)", "[TimeZoneInfo] is not in the list"},
		{"put 'a' ([string]::IsNullOrWhiteSpace($path))", "[string]::IsNullOrWhiteSpace is not in the list"},
		{"$file.CopyTo($file)", ".CopyTo is not in the list"},
		// names that some version has taken for itself
		{"function compare { put 'a' 1 }", "function compare is a built-in alias of PowerShell 2.0"},
		{"compare $path $path", "command compare is a built-in alias of PowerShell 2.0"},
		{"function Compare([string]$a) { put 'a' $a }\r\n    Compare $path", "command Compare is a built-in alias of PowerShell 2.0"},
		{"function measure { put 'a' 1 }", "alias of PowerShell 2.0"},
		{"function start { put 'a' 1 }", "alias of PowerShell 2.0"},
		{"function select { put 'a' 1 }", "alias of PowerShell 1.0"},
		{"function where { put 'a' 1 }", "alias of PowerShell 1.0"},
		{"function copy([string]$a) { put 'a' $a }", "alias of PowerShell 1.0"},
		{"function set { put 'a' 1 }", "alias of PowerShell 1.0"},
		{"function curl { put 'a' 1 }", "alias of PowerShell 3.0"},
		{"function gin { put 'a' 1 }", "alias of PowerShell 5.0"},
		{"function begin { put 'a' 1 }", "reserved word"},
		{"function from { put 'a' 1 }", "reserved word"},
		{"function parallel { put 'a' 1 }", "reserved word"},
		{"function process([string]$a) { put 'a' $a }", "reserved word"},
		{"function item { put 'a' 1 }", "Get-item"},
		{"$host = 1", "variable $host is one of PowerShell's own"},
		{"$Host = 1", "variable $Host is one of PowerShell's own"},
		{"$error = 1", "variable $error is one of PowerShell's own"},
		{"$args = 1", "variable $args is one of PowerShell's own"},
		{"$pid = 1", "one of PowerShell's own"},
		{"$home = 'a'", "one of PowerShell's own"},
		{"$profile = 'a'", "one of PowerShell's own"},
		{"$matches = 'a'", "one of PowerShell's own"},
		{"$OFS = 'a'", "one of PowerShell's own"},
		{"$event = 'a'", "one of PowerShell's own"},
		{"$sender = 'a'", "one of PowerShell's own"},
		{"$this = 'a'", "one of PowerShell's own"},
		{"$PSItem = 'a'", "one of PowerShell's own"},
		{"$global:host = 1", "one of PowerShell's own"},
		{"$DebugPreference = 'Stop'", "one of PowerShell's own"},
		{"function a([string]$host) { put 'a' $host }", "variable $host is one of PowerShell's own"},
		{"function a([string]$args) { put 'a' $args }", "variable $args is one of PowerShell's own"},
		{"foreach ($pwd in $path) { if ($pwd -ne $null) { put 'a' $pwd } }", "variable $pwd is one of PowerShell's own"},
		{"put 'a' $host", `variable "$host" is not in the list`},
		// what must not be for other reasons
		{"put 'a' $_.Exception.HelpLink", ".HelpLink is not in the list"},
		{"Write-Host 'a'", "not looked up"},
		{"Format-List $path", "not looked up"},
		{"put 'a' \"$path\"", "expandable_string_literal"},
		{"& $path", "command_invokation_operator"},
		{". $path", "command_invokation_operator|does not parse"},
		{"$input = 1", "automatic variable $input is set"},
		{"put 'a' $pth", `variable "$pth" is not in the list`},
		{"putt 'a' $path", `command "putt"`},
		{"foreach ($x in $path) { put 'a' $x }", "over nothing it runs once"},
		{"foreach ($x in $path) { if ($x -ne $null) { put 'a' $x }; put 'b' $x }", "over nothing it runs once"},
		{"foreach ($x in $path) { if ($path -ne $null) { put 'a' $x } }", "over nothing it runs once"},
		{"put -name 'a'", "called with a bare word or a parameter's name"},
		{"put a 1", "called with a bare word"},
		{"New-Object -Com Schedule.Service", "New-Object -Com is not in the list"},
		{"New-Object -ComObject Scripting.FileSystemObject", "is not in the list"},
		{"$sum = [string]$path, 'a'", "in a list"},
		{"$sum = New-Object IO.FileStream([string]$path, 'Open')", "in a list"},
		{"iex $path", `command "iex"`},
		{"put 'a' `\r\n 1", "backtick"},
		{"notepad.exe", `command "notepad.exe"|path_command_name`},
		// what the grammar takes and PowerShell does not, or reads otherwise
		{"put 'a' ([IO.File]::Exists ($path))", "a blank before"},
		{"$file.Close ()", "a blank before|not in the list|does not parse"},
		{"put 'a' ([IO.File] ::Exists($path))", "a blank before"},
		{"put 'a' ([IO.File]:: Exists($path))", "a blank before"},
		{"$sum = $path [0]", "a blank before|does not parse"},
		{"$sum = $path .Length", "a blank before|does not parse"},
		{"$sum = $path\r\n    + 'x'", `unary "+"`},
		{"if (($path -eq 'a')\r\n    -and ($path -eq 'b')) { put 'a' 1 }", "at the beginning of a line"},
		{"if ($path\r\n    -eq 'a') { put 'a' 1 }", "at the beginning of a line"},
		{"$sum = $path\r\n    , 'a'", `unary ","`},
		{"$path != 1", `"!="`},
		{"if ($path) { put 'a' 1 } else { put 'b' 1 } else { put 'c' 1 }", "does not parse|command"},
		{"function a($b $c) { put 'a' 1 }", "does not parse"},
		{"put 'a' (1 2)", "does not parse"},
		{"$sum = (1,)", "does not parse"},
		{"$sum = = 1", `command "="`},
		{"$sum = 'a' 'b'", "does not parse"},
		{"$sum = $path.", "a blank before"},
		{"$sum = [int", "does not parse"},
		{"trap { put 'a' 1", "does not parse"},
		{"while { put 'a' 1 }", "does not parse"},
		{"else { put 'a' 1 }", "does not parse|command"},
		{"catch { put 'a' 1 }", `command "catch"|does not parse`},
		{"function { put 'a' 1 }", "does not parse|function"},
		{"$true = 1", "automatic variable"},
		{"1 = $path", "does not parse|cannot"},
		{"$file.Close() = 1", "cannot|does not parse"},
		{"$path -eq 'a' = 1", "cannot|does not parse"},
		// what does not parse
		{"if ($path) { put 'a' 1", "does not parse"},
		{"put 'a", "does not parse"},
		{"put ('a'", "does not parse"},
		{"foreach ($x on $path) { put 'a' 1 }", "does not parse"},
		{"$sum = @{a=1; b=}", "does not parse"},
		{"}", "does not parse"},
		{"$path == 1", "not in the list|does not parse"},
		{"if ($path) { put 'a' 1 } elsif ($path) { put 'a' 2 }", `command "elsif"`},
	} {
		text := before + "    " + m.code + "\r\n" + end
		got := strings.Join(notPowerShell1(text, parsed(t, text)), "\n")
		ok := false
		for _, w := range strings.Split(m.want, "|") {
			ok = ok || w != "" && strings.Contains(got, w)
		}
		if m.want == `token "|"` {
			ok = strings.Contains(got, m.want)
		}
		switch {
		case got == "":
			t.Errorf("PASSES THE LINT: %s", m.code)
		case !ok:
			t.Errorf("%s\n   want %s\n   got  %s", m.code, m.want, got)
		}
	}
}
