package twin

import "strings"

// powershellOptions are the switches of powershell.exe and whether a value
// follows; false in since1 = came with 2.0. Source: powershell.exe /? of both
// as remembered; that 1.0 has -EncodedCommand is K.
var powershellOptions = []struct {
	name          string
	value, since1 bool
}{
	{"psconsolefile", true, true},
	{"version", true, false},
	{"nologo", false, true},
	{"noexit", false, true},
	{"sta", false, false},
	{"noprofile", false, true},
	{"noninteractive", false, true},
	{"inputformat", true, true},
	{"outputformat", true, true},
	{"windowstyle", true, false},
	{"encodedcommand", true, true},
	{"executionpolicy", true, false},
	{"help", false, true},
}

// strayOption is the first switch that this version of powershell.exe does not
// know; what follows -Command is no switch. Names may be cut short.
func strayOption(args []string, version string) string {
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(strings.ToLower(args[i]), "-")
		if !ok || name == "" || strings.HasPrefix("command", name) {
			return ""
		}
		if version != "1.0" && strings.HasPrefix("file", name) {
			return ""
		}
		known := false
		for _, o := range powershellOptions {
			if strings.HasPrefix(o.name, name) && (o.since1 || version != "1.0") {
				known = true
				if o.value {
					i++
				}
				break
			}
		}
		if !known {
			return args[i]
		}
	}
	return ""
}
