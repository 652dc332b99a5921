package exchange

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// stamped is a line "[date time] [depth] message" taken apart.
type stamped struct {
	stamp   []byte
	when    moment
	depth   int
	message []byte
}

// mostStamp is the longest text between brackets that is taken for a stamp.
const mostStamp = 64

// takeApart reads the front of a line. A stamp holds digits and a colon, or at
// least five numbers: some cultures write times with points.
func takeApart(line []byte) (stamped, bool) {
	if len(line) < 8 || line[0] != '[' {
		return stamped{}, false
	}
	end := bytes.IndexByte(line[:min(len(line), mostStamp+1)], ']')
	if end < 2 || len(line) < end+5 || line[end+1] != ' ' || line[end+2] != '[' {
		return stamped{}, false
	}
	s := stamped{stamp: line[1:end]}
	rest := line[end+3:]
	digits := 0
	for digits < len(rest) && digits < 2 && '0' <= rest[digits] && rest[digits] <= '9' {
		s.depth = s.depth*10 + int(rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits >= len(rest) || rest[digits] != ']' {
		return stamped{}, false
	}
	numbers := s.when.read(s.stamp)
	if bytes.IndexByte(s.stamp, '[') >= 0 || numbers == 0 || numbers < 5 && bytes.IndexByte(s.stamp, ':') < 0 {
		return stamped{}, false
	}
	s.message = bytes.TrimPrefix(rest[digits+1:], []byte(" "))
	return s, true
}

// moment is a date and time as written, before it is known which number is the
// day: the numbers in their order.
type moment struct {
	n       [7]int // three of the date, then hour, minute, second and a fraction
	digits  [7]int
	numbers int
	points  bool // the date is written with points
	afternoon,
	morning bool
}

// read takes the numbers out of a stamp, in any script's digits, and tells the
// two halves of a day where they are named. It returns how many there are.
func (m *moment) read(stamp []byte) int {
	in, words := false, false
	for i := 0; i < len(stamp); {
		r, size := rune(stamp[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(stamp[i:])
		}
		i += size
		value, ok := digit(r)
		switch {
		case !ok:
			m.points = m.points || r == '.' && m.numbers == 1
			words = words || unicode.IsLetter(r)
			in = false
			continue
		case !in:
			if m.numbers == len(m.n) {
				return m.numbers
			}
			in = true
			m.numbers++
		}
		if at := m.numbers - 1; m.digits[at] < 6 {
			m.n[at], m.digits[at] = m.n[at]*10+value, m.digits[at]+1
		}
	}
	if words {
		m.halves(string(stamp))
	}
	return m.numbers
}

// The words for the halves of a day that .NET's cultures use with twelve hours.
var (
	afternoons = []string{"pm", "p.m", "μμ", "μ.μ", "午後", "下午", "오후", "م", "ب.ظ", "ch", "du.", "odp", "md"}
	mornings   = []string{"am", "a.m", "πμ", "π.μ", "午前", "上午", "오전", "ص", "ق.ظ", "sa", "de.", "dop", "pd"}
)

func (m *moment) halves(stamp string) {
	stamp = strings.ToLower(stamp)
	for _, w := range afternoons {
		m.afternoon = m.afternoon || strings.Contains(stamp, w)
	}
	for _, w := range mornings {
		m.morning = m.morning || strings.Contains(stamp, w)
	}
	if m.afternoon && m.morning {
		m.afternoon, m.morning = false, false
	}
}

// zeros are the digits for zero of the scripts that Windows cultures write with.
var zeros = []rune{'0', 0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50, 0xFF10}

func digit(r rune) (int, bool) {
	if r < utf8.RuneSelf {
		return int(r - '0'), '0' <= r && r <= '9'
	}
	for _, zero := range zeros {
		if zero <= r && r < zero+10 {
			return int(r - zero), true
		}
	}
	return 0, false
}

// seconds is the moment on a line of time that has no zone, by day-first and
// by month-first reading; a reading that names no day has ok false. Two-digit
// years are those from 1980 on; years of the Buddhist era become ours; years of
// other eras stay as written, so that differences are about right.
func (m *moment) seconds() (dayFirst, monthFirst reading) {
	if m.numbers < 5 {
		return reading{}, reading{}
	}
	hour := m.n[3]
	switch {
	case m.afternoon && hour < 12:
		hour += 12
	case m.morning && hour == 12:
		hour = 0
	}
	if hour > 24 || m.n[4] > 59 || m.n[5] > 61 {
		return reading{}, reading{}
	}
	of := int64(hour*3600 + m.n[4]*60 + m.n[5])
	if m.yearFirst() {
		both := day(year(m.n[0], m.digits[0]), m.n[1], m.n[2], of)
		return both, both
	}
	y := year(m.n[2], m.digits[2])
	return day(y, m.n[1], m.n[0], of), day(y, m.n[0], m.n[1], of)
}

func (m *moment) yearFirst() bool { return m.digits[0] >= 3 }

// exact reports a fraction of a second: later products write it, and they put
// the month first whatever the culture (only the separator is the culture's).
func (m *moment) exact() bool { return m.numbers >= 7 && m.digits[6] == 4 }

func year(n, digits int) int {
	switch {
	case digits <= 2 && n < 80:
		return 2000 + n
	case digits <= 2:
		return 1900 + n
	case n > 2400:
		return n - 543
	}
	return n
}

// reading is a moment in seconds since the first day of the first year.
type reading struct {
	At int64 `json:"at"`
	OK bool  `json:"ok"`
}

func day(y, m, d int, seconds int64) reading {
	if y < 1 || m < 1 || m > 12 || d < 1 || d > 31 {
		return reading{}
	}
	// Days of the civil calendar, counted from March so that the leap day is last.
	if m <= 2 {
		y--
		m += 12
	}
	days := 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 1
	return reading{At: int64(days)*86400 + seconds, OK: true}
}

// written is a reading as "2007-11-30T17:35:15", the log's own time without a zone.
func (r reading) written() string {
	days := int(r.At / 86400)
	y := days*400/146097 + 1
	for ; ; y-- {
		if first := 365*y + y/4 - y/100 + y/400; days >= first {
			days -= first
			break
		}
	}
	month := (5*days + 2) / 153
	d := days - (153*month+2)/5 + 1
	month += 3
	if month > 12 {
		month -= 12
		y++
	}
	of := r.At % 86400
	return fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d", y, month, d, of/3600, of/60%60, of%60)
}

// course is how the moments of a file go on, read in one order.
type course struct {
	Last  int64 `json:"last"`
	Begun bool  `json:"begun"`
	Wrong int   `json:"wrong"` // moments that name no day
	Backs int   `json:"backs"` // moments that lie more than a clock's change before the one before
	Span  int64 `json:"span"`  // seconds from the first to the last, the way that was gone
}

const clockChange = 2 * 3600 // seconds: summer time and a clock that was set

func (c *course) follow(to reading) {
	switch {
	case !to.OK:
		c.Wrong++
		return
	case !c.Begun:
		c.Begun = true
	case to.At < c.Last-clockChange:
		c.Backs++
	default:
		c.Span += to.At - c.Last
	}
	c.Last = to.At
}

// DateOrder says which number of a date is the day.
type DateOrder string

// The orders. Unordered is a file whose dates can be read in both.
const (
	Unordered  DateOrder = ""
	DayFirst   DateOrder = "day-first"
	MonthFirst DateOrder = "month-first"
)

// dates decides over a whole file which number of its dates is the day.
type dates struct {
	Day    course `json:"day"`
	Month  course `json:"month"`
	Exact  bool   `json:"exact"`
	Points bool   `json:"points"`
	Hours  bool   `json:"hours"` // dates with the year first were seen: there is nothing to decide
}

// order is never concluded from one line: first what is possible, then what
// never goes back, then what is known of the product, the hint, the shorter way,
// and last the point, which no culture of Windows writes with the month first.
func (d *dates) order(hint DateOrder) DateOrder {
	pick := func(day, month int64) DateOrder {
		switch {
		case day < month:
			return DayFirst
		case month < day:
			return MonthFirst
		}
		return Unordered
	}
	for _, by := range []DateOrder{
		pick(int64(d.Day.Wrong), int64(d.Month.Wrong)),
		pick(int64(d.Day.Backs), int64(d.Month.Backs)),
	} {
		if by != Unordered {
			return by
		}
	}
	const tenDays = 10 * 86400
	switch {
	case d.Exact:
		return MonthFirst
	case hint != Unordered:
		return hint
	case d.Day.Span+tenDays < d.Month.Span:
		return DayFirst
	case d.Month.Span+tenDays < d.Day.Span:
		return MonthFirst
	case d.Points, d.Hours:
		return DayFirst
	}
	return Unordered
}
