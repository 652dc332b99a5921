package cli

import (
	"wavekeeper/agentless/windows"
	"wavekeeper/server/httpd"
)

// constants are what the program takes for granted, in words for the console.
func constants() []httpd.Constant {
	var out []httpd.Constant
	for _, c := range windows.Constants() {
		out = append(out, httpd.Constant{
			Name: c.Name, Value: c.Value, What: c.What, Standing: string(c.Standing), Source: c.Source, Windows: c.Versions(), How: c.Probe.Words(),
		})
	}
	return out
}
