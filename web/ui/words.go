package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Clock turns instants into words for one viewer: his zone and the instant the
// page was made.
type Clock struct {
	Now  time.Time
	Zone *time.Location
}

// Moment is an instant as a page shows it.
type Moment struct {
	ISO  string // RFC 3339 in UTC, shown on hover
	Text string // in the viewer's zone, with the zone named
	Ago  string // "12 min ago", empty when not asked for
}

// Zero reports whether there is nothing to show.
func (m Moment) Zero() bool { return m.ISO == "" }

func (c Clock) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// Moment returns t in words; the zero time gives the zero Moment.
func (c Clock) Moment(t time.Time) Moment {
	if t.IsZero() {
		return Moment{}
	}
	local, now := t.In(c.zone()), c.Now.In(c.zone())
	layout := "2 Jan 2006, 15:04 MST"
	switch {
	case local.Year() == now.Year() && local.YearDay() == now.YearDay():
		layout = "15:04:05 MST"
	case local.Year() == now.Year():
		layout = "2 Jan, 15:04 MST"
	}
	return Moment{ISO: t.UTC().Format(time.RFC3339), Text: local.Format(layout), Ago: c.Ago(t)}
}

// MomentOf returns the moment of a time that may be absent.
func (c Clock) MomentOf(t *time.Time) Moment {
	if t == nil {
		return Moment{}
	}
	return c.Moment(*t)
}

// Ago returns how long ago t was, in words.
func (c Clock) Ago(t time.Time) string {
	d := c.Now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < -5*time.Second:
		return "in " + Duration(-d)
	case d < 5*time.Second:
		return "just now"
	default:
		return Duration(d) + " ago"
	}
}

// Duration returns a length of time as "45 s", "12 min", "1 h 12 min" or
// "3 days 4 h": the two largest units that matter.
func Duration(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d/time.Minute))
	case d < 24*time.Hour:
		return twoUnits(int(d/time.Hour), " h", int(d%time.Hour/time.Minute), " min")
	default:
		days := int(d / (24 * time.Hour))
		unit := " days"
		if days == 1 {
			unit = " day"
		}
		return twoUnits(days, unit, int(d%(24*time.Hour)/time.Hour), " h")
	}
}

func twoUnits(a int, aUnit string, b int, bUnit string) string {
	if b == 0 {
		return strconv.Itoa(a) + aUnit
	}
	return strconv.Itoa(a) + aUnit + " " + strconv.Itoa(b) + bUnit
}

// Number returns n with a comma between thousands: "18,204".
func Number(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Count returns a number with its noun: "1 server", "12 servers".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(n) + " " + many
}

// List joins names for a sentence and says how many were left out.
func List(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// Short returns the first digits of a hash, as people quote it.
func Short(hash string) string {
	if len(hash) > 12 {
		return hash[:12]
	}
	return hash
}
