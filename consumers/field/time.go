package field

import (
	"encoding/binary"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// Time is a time as producers write it: ISO 8601, or a number of seconds, milliseconds, microseconds or nanoseconds since 1970.
type Time struct {
	Value schemas.Time
	Set   bool // false where nothing, null or an empty text was given
	Bad   bool // given, but no time
}

// UnmarshalJSON reads any value and never fails; Bad tells what was no time.
func (t *Time) UnmarshalJSON(b []byte) error {
	r := NewReader(b, nil)
	kind := r.Kind()
	*t = TimeOf(r.Text())
	if kind == KindObject || kind == KindArray {
		*t = Time{Set: true, Bad: true}
	}
	return nil
}

// TimeOf reads s by ParseTime.
func TimeOf(s string) Time {
	if s = strings.TrimSpace(s); s == "" {
		return Time{}
	}
	value, ok := ParseTime(s)
	return Time{Value: value, Set: true, Bad: !ok}
}

// ParseTime reads the forms of time that producers really send:
//
//	2026-03-01T12:30:45.123Z       RFC 3339, with or without a fraction; digits beyond the millisecond are cut off
//	2026-03-01T12:30:45+01:00      an offset as +01:00, +0100 or +01; "T" may be "t" or a space, "Z" may be "z", "UTC" or "GMT"
//	2026-03-01 12:30:45 +0000      a space before the offset
//	2026-03-01T12:30               no seconds; no offset means UTC
//	2026-03-01                     a date is its first instant in UTC
//	1772368245, 1772368245.123     a number below 1e11 is seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds
//
// A leap second counts as the second that follows. It reads no other form and gives false for it.
func ParseTime(s string) (schemas.Time, bool) {
	if len(s) == commonTimeLength {
		if t, ok := parseCommonTime(s); ok {
			return t, true
		}
	}
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return parseUnix(s)
	}
	year, month, day := number(s[0:4]), number(s[5:7]), number(s[8:10])
	if year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	t := schemas.Time(daysSince1970(year, month, day)) * schemas.Day
	if len(s) == 10 {
		return t, true
	}
	if (s[10] != 'T' && s[10] != 't' && s[10] != ' ') || len(s) < 16 || s[13] != ':' {
		return 0, false
	}
	hour, minute, rest := number(s[11:13]), number(s[14:16]), s[16:]
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	t += schemas.Time(hour)*schemas.Hour + schemas.Time(minute)*schemas.Minute
	if len(rest) >= 3 && rest[0] == ':' {
		second := number(rest[1:3])
		if second < 0 || second > 60 {
			return 0, false
		}
		t, rest = t+schemas.Time(second)*schemas.Second, rest[3:]
		if rest != "" && (rest[0] == '.' || rest[0] == ',') {
			millis, n := fraction(rest[1:])
			if n == 0 {
				return 0, false
			}
			t, rest = t+millis, rest[1+n:]
		}
	}
	offset, ok := parseOffset(rest)
	return t - offset, ok
}

// commonTimeLength is the length of 2026-03-01T12:30:45.123Z, the form that nearly all libraries write.
const commonTimeLength = 24

// The bytes of that form which are no digits, in the three words that it is read in, and in the words' order.
const (
	timeMarks0, timeMask0 = '-'<<32 | '-'<<56, 0xff<<32 | 0xff<<56              // 2026-03-
	timeMarks1, timeMask1 = 'T'<<16 | ':'<<40, 0xff<<16 | 0xff<<40              // 01T12:30
	timeMarks2, timeMask2 = ':' | '.'<<24 | 'Z'<<56, 0xff | 0xff<<24 | 0xff<<56 // :45.123Z
)

// parseCommonTime reads that form and no other, eight bytes at a time.
func parseCommonTime(s string) (schemas.Time, bool) {
	b := bytesOf(s)
	date, clock, second := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:24])
	if date&timeMask0 != timeMarks0 || clock&timeMask1 != timeMarks1 || second&timeMask2 != timeMarks2 {
		return 0, false
	}
	// What is left of each word, with the marks taken for zeros, must be digits.
	date, clock, second = digitsOf(date, timeMask0), digitsOf(clock, timeMask1), digitsOf(second, timeMask2)
	if ((date+lowBits*0x76)|date|(clock+lowBits*0x76)|clock|(second+lowBits*0x76)|second)&highBits != 0 {
		return 0, false
	}
	at := func(word uint64, i int) int { return int(word >> (8 * i) & 0xff) }
	year := at(date, 0)*1000 + at(date, 1)*100 + at(date, 2)*10 + at(date, 3)
	month, day := at(date, 5)*10+at(date, 6), at(clock, 0)*10+at(clock, 1)
	hour, minute := at(clock, 3)*10+at(clock, 4), at(clock, 6)*10+at(clock, 7)
	seconds, millis := at(second, 1)*10+at(second, 2), at(second, 4)*100+at(second, 5)*10+at(second, 6)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || seconds > 60 {
		return 0, false
	}
	whole := daysSince1970(year, month, day)*86400 + hour*3600 + minute*60 + seconds
	return schemas.Time(whole)*schemas.Second + schemas.Time(millis), true
}

// digitsOf gives the values of a word's digits, and 0 for the bytes of a mask; what is no digit becomes 10 or more.
func digitsOf(word, mask uint64) uint64 { return (word ^ lowBits*'0') &^ mask }

// parseOffset reads what stands behind the clock time.
func parseOffset(s string) (schemas.Time, bool) {
	if s != "" && s[0] == ' ' {
		s = s[1:]
	}
	switch s {
	case "", "Z", "z", "UTC", "GMT":
		return 0, true
	}
	sign := schemas.Time(1)
	switch s[0] {
	case '+':
	case '-':
		sign = -1
	default:
		return 0, false
	}
	hour, minute := -1, 0
	switch s = s[1:]; {
	case len(s) == 2:
		hour = number(s)
	case len(s) == 4:
		hour, minute = number(s[:2]), number(s[2:])
	case len(s) == 5 && s[2] == ':':
		hour, minute = number(s[:2]), number(s[3:])
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	return sign * (schemas.Time(hour)*schemas.Hour + schemas.Time(minute)*schemas.Minute), true
}

// parseUnix reads a number since 1970 and tells its unit by its size.
func parseUnix(s string) (schemas.Time, bool) {
	value, millis, ok := unixNumber(s)
	switch {
	case !ok:
		return 0, false
	case value < 1e11:
		return schemas.Time(value)*schemas.Second + millis, true
	case value < 1e14:
		return schemas.Time(value), true
	case value < 1e17:
		return schemas.Time(value / 1e3), true
	}
	return schemas.Time(value / 1e6), true
}

// UnixSeconds reads a whole or broken number of seconds since 1970, as mail providers send it, whatever its size.
func UnixSeconds(s string) (schemas.Time, bool) {
	value, millis, ok := unixNumber(s)
	if !ok || value > 1e12 {
		return 0, false
	}
	return schemas.Time(value)*schemas.Second + millis, true
}

// UnixMillis reads a whole number of milliseconds since 1970, whatever its size; a fraction is cut off.
func UnixMillis(s string) (schemas.Time, bool) {
	value, _, ok := unixNumber(s)
	if !ok || value > 1e15 {
		return 0, false
	}
	return schemas.Time(value), true
}

// unixNumber gives the whole part of an unsigned decimal of at most 19 digits, and its fraction in thousandths. It also reads
// the exponent form 1.772368245e+09 in which some JSON libraries write large numbers.
func unixNumber(s string) (value int64, millis schemas.Time, ok bool) {
	n := 0
	for ; n < len(s) && n < 20 && s[n]-'0' <= 9; n++ {
		if n == 19 || n == 18 && value > 9e17 {
			return 0, 0, false // nanoseconds until 2255 fit
		}
		value = value*10 + int64(s[n]-'0')
	}
	if n == 0 {
		return 0, 0, false
	}
	if n == len(s) {
		return value, 0, true
	}
	if s[n] == '.' {
		f, digits := fraction(s[n+1:])
		millis, n = f, n+1+digits
	}
	if n == len(s) {
		return value, millis, true
	}
	if s[n] != 'e' && s[n] != 'E' {
		return 0, 0, false
	}
	d, err := schemas.ParseDecimal(s)
	if err != nil || d < 0 {
		return 0, 0, false
	}
	whole := d / schemas.DecimalOne
	return int64(whole), schemas.Time(d % schemas.DecimalOne / 10), true
}

// fraction reads digits behind a decimal point: their first three as milliseconds, and how many there are.
func fraction(s string) (millis schemas.Time, n int) {
	unit := schemas.Time(100)
	for ; n < len(s) && s[n]-'0' <= 9; n++ {
		millis += unit * schemas.Time(s[n]-'0')
		unit /= 10
	}
	return millis, n
}

// number reads a few digits, and gives -1 where there is anything else.
func number(s string) int {
	value := 0
	for i := 0; i < len(s); i++ {
		digit := s[i] - '0'
		if digit > 9 {
			return -1
		}
		value = value*10 + int(digit)
	}
	return value
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts days in the Gregorian calendar. Years are taken to start in March, so that the leap day is the last.
func daysSince1970(year, month, day int) int {
	if month <= 2 {
		year, month = year-1, month+12
	}
	leaps := floorDiv(year, 4) - floorDiv(year, 100) + floorDiv(year, 400)
	return 365*year + leaps + (153*(month-3)+2)/5 + day - 1 - 719468
}

func floorDiv(a, b int) int {
	if a < 0 {
		return (a - b + 1) / b
	}
	return a / b
}
