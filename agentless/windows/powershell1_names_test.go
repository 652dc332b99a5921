package windows

import "strings"

// Names that PowerShell has taken for itself. An alias comes before a function
// of the same name, whatever the scope (about_Command_Precedence: alias,
// function, cmdlet, program), so a function that is called like one is never run
// and nothing complains. Hosts may have a later version than 1.0: 2008 R2 comes
// with 2.0, the others got it with the Windows Management Framework.

// psAliases are the built-in aliases of Windows PowerShell, by the version that
// brought them. Sources: BuiltInAliases of InitialSessionState in
// System.Management.Automation 2.0 and 3.0, and InitialSessionState.cs of later
// versions; what of 2.0's list 1.0 had is the list of Get-Alias there. Where it
// is not sure, the name stands under the earlier version: all are refused.
var psAliases = aliasesBy(map[string]string{
	"1.0": `ac asnp clc cli clp clv cpi cpp cvpa diff epal epcsv fc fl foreach % ft fw gal gc gci gcm gdr ghy gi gl gm gp gps group
		gsnp gsv gu gv gwmi iex ihy ii ipal ipcsv mi mp nal ndr ni nv oh rdr ri rni rnp rp rsnp rv rvpa sal sasv sc select si sl sleep
		sort sp spps spsv sv tee where ? write cat cd clear cp h history kill lp ls mount mv popd ps pushd pwd r rm rmdir echo cls
		chdir copy del dir erase move rd ren set type md help man`,
	"2.0": `clhy compare dbp ebp epsn etsn exsn gbp gcs gjb gmo gsn icm ipmo ipsn ise iwmi measure nmo nsn ogv rbp rcjb rjb rmo
		rsn rwmi sajb saps sbp spjb start swmi wjb`,
	"3.0": `cnsn curl dnsn irm iwr npssc rcsn rujb shcm sujb trcm wget gcim icim ncim rcim scim gcai gcls gcms ncms
		ncso rcie rcms`,
	"5.0": `fhx gcb gin gtz scb stz pumo upmo inmo svmo fimo`,
})

func aliasesBy(lists map[string]string) map[string]string {
	out := map[string]string{}
	for version, list := range lists {
		for name := range words(list) {
			out[name] = version
		}
	}
	return out
}

// psReserved are words that a command cannot begin with in some version
// (about_Reserved_Words of 2.0 to 5.1).
var psReserved = words(`assembly base begin break catch class command configuration continue data define do dynamickeyword dynamicparam else elseif
	end enum exit filter finally for foreach from function hidden if in inlinescript interface module namespace parallel param private process
	public return sequence static switch throw trap try type until using var while workflow`)

// psTaken are variables that PowerShell sets, reads or keeps constant in some
// version, beside those in psAutomatic: setting one fails ($host, $error, $pid
// are constant, $home is read-only), is undone ($args, $matches, $_) or changes
// how the session works ($ofs, the preferences). Sources: about_Automatic_Variables
// and about_Preference_Variables of 2.0 to 7.
var psTaken = words(strings.ToLower(`$$ $? $^ $args $commandlineparameters $confirmpreference $consolefilename $debugpreference $enabledexperimentalfeatures
	$error $errorview $event $eventargs $eventsubscriber $executioncontext $false $foreach $formatenumerationlimit $home $host
	$informationpreference $input $iscoreclr $islinux $ismacos $iswindows $lastexitcode $logcommandhealthevent $logcommandlifecycleevent
	$logenginehealthevent $logenginelifecycleevent $logproviderhealthevent $logproviderlifecycleevent $matches $maximumaliascount
	$maximumdrivecount $maximumerrorcount $maximumfunctioncount $maximumhistorycount $maximumvariablecount $myinvocation
	$nestedpromptlevel $null $ofs $outputencoding $pid $profile $progresspreference $psboundparameters $pscmdlet $pscommandpath $psculture
	$psdebugcontext $psdefaultparametervalues $psedition $psemailserver $pshome $psitem $psmoduleautoloadingpreference
	$psmodulepath $psscriptroot $pssenderinfo $pssessionapplicationname $pssessionconfigurationname $pssessionoption $psstyle $psuiculture
	$psversiontable $pwd $reporterrorshowexceptionclass $reporterrorshowinnerexception $reporterrorshowsource $reporterrorshowstacktrace
	$sender $shellid $sourceargs $sourceeventargs $stacktrace $switch $this $true $verbosepreference $warningpreference $whatifpreference $_`))

// takenName says why a function or command may not be called so, or "".
func takenName(name string) string {
	low := strings.ToLower(name)
	switch version := psAliases[low]; {
	case version != "":
		return "is a built-in alias of PowerShell " + version + ", which comes before a function"
	case psReserved[low]:
		return "is a reserved word"
	case cmdlets1["get-"+low]:
		return "is Get-" + name + " to PowerShell where the function is not seen"
	case len(low) == 2 && low[1] == ':' || strings.HasPrefix(low, "cd."):
		return "is a built-in function"
	}
	return ""
}

// takenVariable reports whether PowerShell has a variable of that name for
// itself, in whatever scope it is set.
func takenVariable(name string) bool {
	low := strings.ToLower(name)
	if _, plain, scoped := strings.Cut(low, ":"); scoped {
		low = "$" + plain
	}
	return psTaken[low]
}
