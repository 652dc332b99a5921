package preflight

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// zonesFrom2007 are the zones, by the names of their keys below "Time Zones", by
// which current data is told: those that follow the Energy Policy Act of 2005 of
// the United States since March 2007. KB931836 brought it to Windows Server 2003
// first, and every cumulative update after it keeps it.
func zonesFrom2007() []string {
	return []string{
		"Alaskan Standard Time", "Pacific Standard Time", "Mountain Standard Time", "Central Standard Time",
		"Eastern Standard Time", "Atlantic Standard Time", "Newfoundland Standard Time",
	}
}

// timeZoneUpdates are the updates known to bring that data, where the data
// itself was not read: KB931836 and the cumulative ones that replace it. Source:
// the founding document and support2.microsoft.com on KB931836 for the first,
// 942763, 951072 and 955839; the others are remembered.
var timeZoneUpdates = []string{
	"KB931836", "KB933360", "KB942763", "KB951072", "KB955839", "KB970653", "KB976098", "KB979306", "KB981793", "KB2158563",
	"KB2443685", "KB2570791", "KB2633952", "KB2756822", "KB2779562", "KB2863058", "KB2904266", "KB2981580", "KB2998527", "KB3013410",
}

// tziLength is that of REG_TZI_FORMAT: three LONGs and two SYSTEMTIMEs.
// Source: Microsoft's description of TIME_ZONE_INFORMATION.
const tziLength = 3*4 + 2*16

// changeover is when a zone changes its clock: month, and which Sunday of it (5 = the last).
type changeover struct{ month, week uint16 }

// readTZI reads when daylight saving time ends and begins.
func readTZI(text string) (standard, daylight changeover, err error) {
	raw, err := hex.DecodeString(strings.NewReplacer(" ", "", "-", "", ",", "").Replace(strings.TrimSpace(text)))
	if err != nil || len(raw) != tziLength {
		return standard, daylight, fmt.Errorf("%q is no time-zone information of %d bytes", text, tziLength)
	}
	at := func(systemTime int) changeover { // year, month, day of the week, day
		return changeover{binary.LittleEndian.Uint16(raw[systemTime+2:]), binary.LittleEndian.Uint16(raw[systemTime+6:])}
	}
	return at(12), at(28), nil
}

var (
	from2007Standard = changeover{11, 1} // the first Sunday of November
	from2007Daylight = changeover{3, 2}  // the second of March
)

func ruleTimeZone(s Subject) verdict {
	const remedy = "Install KB931836 or a later cumulative time zone update."
	if s.Facts.TimeZoneData.Known {
		return zonesAreCurrent(s.Facts.TimeZoneData.Value, remedy)
	}
	for _, kb := range timeZoneUpdates {
		if updated(s.Facts.Hotfixes.Value, kb) {
			return pass("A time zone update that is new enough is installed", kb)
		}
	}
	return unread("Not known whether the time-zone data is current", fmt.Sprintf("the data was not read, and none of %s is among %d updates", list(timeZoneUpdates), len(s.Facts.Hotfixes.Value)), remedy)
}

func zonesAreCurrent(d TimeZoneData, remedy string) verdict {
	var old, odd []string
	seen := 0
	for _, zone := range zonesFrom2007() {
		text, ok := d.Zones[zone]
		if !ok {
			continue
		}
		standard, daylight, err := readTZI(text)
		switch {
		case err != nil:
			odd = append(odd, zone)
		case standard != from2007Standard || daylight != from2007Daylight:
			old = append(old, zone)
		default:
			seen++
		}
	}
	slices.Sort(old)
	switch {
	case len(old) > 0:
		return blocks("The time-zone data is older than that of KB931836", "old: "+list(old), remedy)
	case len(odd) > 0 || seen == 0:
		return unread("The time-zone data was not understood", fmt.Sprintf("%d zones are current; not understood: %s", seen, list(odd)), remedy)
	}
	return pass("The time-zone data is current", fmt.Sprintf("%d zones change their clock as from 2007 on", seen))
}
