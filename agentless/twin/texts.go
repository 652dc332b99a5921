package twin

import "strings"

// translation is one text of Windows in the languages other than English.
type translation struct{ de, ja string }

// text is a text of Windows in the display language, English where the twin has
// no other.
func (p platform) text(english string) string {
	core := strings.Trim(english, "\r\n")
	t, ok := translations[core]
	local := t.de
	if p.displayLanguage.name == "ja-JP" {
		local = t.ja
	}
	if !ok || local == "" || p.displayLanguage.name == "en-US" {
		return english
	}
	i := strings.Index(english, core)
	return english[:i] + local + english[i+len(core):]
}

// translations are what German and Japanese Windows say, as remembered: no
// caller may depend on their wording, which is what they are for.
var translations = map[string]translation{
	"Local Fixed Disk":               {"Lokale Festplatte", "ローカル固定ディスク"},
	"Update for Windows Server 2003": {"Update für Windows Server 2003", "Windows Server 2003 の更新"},
	"64-bit":                         {"64-Bit", "64 ビット"},
}
