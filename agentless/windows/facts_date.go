package windows

import (
	"strconv"
	"strings"
	"time"
)

// newestUpdate finds the newest of updates by the day of their installation;
// both are "" when no day can be read. Win32_QuickFixEngineering.InstalledOn is a
// text that differs by version and language: 16 hexadecimal digits of a FILETIME
// on Vista and Windows Server 2008 (seen in the field: 01c9c5ce4b48e5fd is
// 2009-04-25), a date by slashes, dots or dashes elsewhere, which update.exe wrote,
// or nothing. Where the order of day and month is not to be seen in any of the
// host's dates, its language decides. A day after the host's own clock is none.
func newestUpdate(installed map[string]string, language string, now time.Time) (kb, day string) {
	dayFirst := dayFirst(installed, language)
	var newest time.Time
	for id, text := range installed {
		t, ok := installedDay(text, dayFirst)
		if !ok || t.After(now.AddDate(0, 0, 1)) || t.Year() < 2000 {
			continue
		}
		if t.After(newest) || t.Equal(newest) && id > kb {
			newest, kb = t, id
		}
	}
	if newest.IsZero() {
		return "", ""
	}
	return kb, newest.Format(time.DateOnly)
}

// installedDay reads one date.
func installedDay(text string, dayFirst bool) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if t, err := time.Parse("20060102", text); err == nil {
		return t, true
	}
	if n, err := strconv.ParseUint(text, 16, 64); err == nil && len(text) >= 15 {
		const to1970 = 11644473600 // seconds from 1601
		return time.Unix(int64(n/1e7)-to1970, 0).UTC(), true
	}
	parts, ok := dateParts(text)
	if !ok {
		return time.Time{}, false
	}
	year, month, day := parts[2], parts[0], parts[1]
	switch {
	case parts[0] > 31:
		year, month, day = parts[0], parts[1], parts[2]
	case dayFirst:
		month, day = parts[1], parts[0]
	}
	if year < 100 {
		year += 2000
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return t, t.Day() == day && int(t.Month()) == month
}

// dateParts are the three numbers of a date, in their order.
func dateParts(text string) (parts [3]int, ok bool) {
	text, _, _ = strings.Cut(text, " ") // a time may follow
	fields := strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == '.' || r == '-' })
	if len(fields) != 3 {
		return parts, false
	}
	for i, f := range fields {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			return parts, false
		}
		parts[i] = n
	}
	return parts, true
}

// dayFirst decides in which order day and month stand: a number above 12 tells.
func dayFirst(installed map[string]string, language string) bool {
	for _, text := range installed {
		if parts, ok := dateParts(text); ok && parts[0] <= 31 {
			switch {
			case parts[0] > 12:
				return true
			case parts[1] > 12:
				return false
			}
		}
	}
	return language != "en-US" && language != "ja-JP" && language != ""
}
