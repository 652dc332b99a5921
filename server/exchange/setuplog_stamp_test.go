package exchange

import (
	"strings"
	"testing"
	"time"
)

// report reads stamps as the lines of one run.
func reportOf(t *testing.T, hint DateOrder, stamps ...string) LogReport {
	t.Helper()
	r := NewLogReader()
	for i, s := range stamps {
		text := "a line"
		if i == 0 {
			text = "Starting Microsoft Exchange Server 2007 Setup"
		}
		r.Feed([]byte("[" + s + "] [0] " + text + "\r\n"))
	}
	rep := r.Report(ReportOptions{Dates: hint})
	if rep.Runs != 1 || rep.Marked != 0 {
		t.Fatalf("%v: %+v", stamps, rep)
	}
	return rep
}

func TestDatesOfAnyCulture(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hint    DateOrder
		stamps  string
		want    string
		elapsed time.Duration
	}{
		"German":              {"", "30.11.2007 17:35:15|30.11.2007 17:40:15", "2007-11-30T17:35:15", 5 * time.Minute},
		"American":            {"", "11/30/2007 11:59:15 AM|11/30/2007 12:01:15 PM", "2007-11-30T11:59:15", 2 * time.Minute},
		"midnight":            {"", "11/30/2007 12:00:15 AM|11/30/2007 1:00:15 AM", "2007-11-30T00:00:15", time.Hour},
		"over a month's end":  {"", "01/02/2008 23:59:00|02/02/2008 00:01:00", "2008-02-01T23:59:00", 2 * time.Minute},
		"month first, by way": {"", "2/1/2008 11:59:00 PM|2/2/2008 0:01:00 AM", "2008-02-01T23:59:00", 2 * time.Minute},
		"by what goes back":   {"", "02/03/2008 10:00:00|01/04/2008 10:00:00", "2008-03-02T10:00:00", 30 * 24 * time.Hour},
		"Dutch":               {"", "30-11-2007 17:35:15|30-11-2007 17:35:16", "2007-11-30T17:35:15", time.Second},
		"Swedish":             {"", "2007-11-30 17:35:15|2007-11-30 17:35:16", "2007-11-30T17:35:15", time.Second},
		"Japanese":            {"", "2007/11/30 17:35:15|2007/11/30 17:35:16", "2007-11-30T17:35:15", time.Second},
		"Korean":              {"", "2007-11-30 오후 5:35:15|2007-11-30 오후 5:35:16", "2007-11-30T17:35:15", time.Second},
		"Hungarian":           {"", "2007.11.30. 17:35:15|2007.11.30. 17:35:16", "2007-11-30T17:35:15", time.Second},
		"Czech":               {"", "30. 11. 2007 17:35:15|30. 11. 2007 17:35:16", "2007-11-30T17:35:15", time.Second},
		"Italian":             {"", "30/11/2007 17.35.15|30/11/2007 17.35.16", "2007-11-30T17:35:15", time.Second},
		"Thai era":            {"", "30/11/2550 17:35:15|30/11/2550 17:35:16", "2007-11-30T17:35:15", time.Second},
		"Thai digits":         {"", "๓๐/๑๑/๒๕๕๐ ๑๗:๓๕:๑๕|๓๐/๑๑/๒๕๕๐ ๑๗:๓๕:๑๖", "2007-11-30T17:35:15", time.Second},
		"Arabic":              {"", "٣٠/١١/٢٠٠٧ ٠٥:٣٥:١٥ م|٣٠/١١/٢٠٠٧ ٠٥:٣٥:١٦ م", "2007-11-30T17:35:15", time.Second},
		"two-digit year":      {"", "30.11.07 17:35:15|30.11.07 17:35:16", "2007-11-30T17:35:15", time.Second},
		"later products":      {"", "03/05/2021 21:14:18.0704|03/05/2021 21:14:20.0704", "2021-03-05T21:14:18", 2 * time.Second},
		"with points, later":  {"", "09.07.2020 21:14:18.0704|09.07.2020 21:14:20.0704", "2020-09-07T21:14:18", 2 * time.Second},
		"points":              {"", "05.03.2008 21:14:18|05.03.2008 21:14:19", "2008-03-05T21:14:18", time.Second},
		"a hint decides":      {DayFirst, "03/05/2008 21:14:18|03/05/2008 21:14:19", "2008-05-03T21:14:18", time.Second},
		"nothing decides":     {"", "03/05/2008 21:14:18|03/05/2008 21:14:19", "03/05/2008 21:14:18", time.Second},
		"a hint that is wrong": {
			DayFirst, "11/30/2007 5:35:15 PM|11/30/2007 5:35:16 PM", "2007-11-30T17:35:15", time.Second,
		},
	} {
		rep := reportOf(t, c.hint, strings.Split(c.stamps, "|")...)
		if rep.Started != c.want || rep.Elapsed != c.elapsed {
			t.Errorf("%s: started %q, took %s; want %q, %s", name, rep.Started, rep.Elapsed, c.want, c.elapsed)
		}
	}
}

func TestEachDayOfFourHundredYearsIsWrittenAsRead(t *testing.T) {
	t.Parallel()
	for at := time.Date(1900, 1, 1, 13, 14, 15, 0, time.UTC); at.Year() < 2300; at = at.AddDate(0, 0, 1) {
		want := at.Format("2006-01-02T15:04:05")
		got := day(at.Year(), int(at.Month()), at.Day(), 13*3600+14*60+15)
		if got.written() != want {
			t.Fatalf("%s is written as %s", want, got.written())
		}
	}
}
