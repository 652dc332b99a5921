package page_test

import (
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

var interruption = page.RecoveryText{
	Title: "Setup was interrupted", Href: "/recovery/interrupted-setup", Lead: "Setup began and did not come to its end.",
	Known:   []page.Sourced{{Text: "Action says what Setup was doing.", Source: "Exchange Team Blog"}},
	Safe:    []page.Sourced{{Text: "Running the same Setup again is what it is made for.", Source: "Exchange Team Blog"}},
	Sources: []page.Sourced{{Text: "Delete Action and Watermark.", Source: "the founding document"}, {Text: "Do not remove the watermark.", Source: "CSS-Exchange"}},
	Choices: []page.RecoveryChoice{{Text: "Run again", Why: "Setup resumes."}, {Text: "Clear Action and Watermark", Why: "Only when Setup refuses.", Last: true}},
}

var logShown = []page.LogErrorRow{
	{
		Line: "line 345 of this attempt's log", Words: "A service that Setup starts is disabled.",
		Lines:  []string{"[11/30/2007 13:37:44] [1] [ERROR] Service 'MSExchangeServiceHost' cannot be started due to the following error:"},
		Remedy: "Set the service back to its start type of before, and run Setup again.", Source: "CSS-Exchange, SetupLogReviewer",
	},
	{Line: "line 351 of this attempt's log", Words: "The last error in the log, which is not a known one", Lines: []string{"[11/30/2007 13:37:45] [1] [ERROR] Something else.", "   at a line that continues it"}},
}

func recoveries(f ui.Frame) page.Recoveries {
	return page.Recoveries{Frame: f, Rows: []page.RecoveryText{interruption, {Title: "A cached .msp is missing", Href: "/recovery/missing-msp", Lead: "1603 or 1635."}}}
}
