package contact

import (
	"strings"
	"time"
)

// Years of birth that are possible: before and after them, somebody clicked through a form.
const (
	birthYearMin = 1900
	birthYearMax = 2100
)

// BirthDate gives a date of birth as Meta hashes it: YYYYMMDD. It reads that form, ISO dates and times, dates between slashes with the
// month first unless that is impossible, and dates between dots with the day first.
func BirthDate(value string) (string, bool) {
	value = strings.TrimSpace(value)
	if len(value) > len("2006-01-02") && (value[10] == 'T' || value[10] == ' ') {
		value = value[:10]
	}
	for _, layout := range []string{"20060102", "2006-1-2", "2006/1/2", "1/2/2006", "2/1/2006", "2.1.2006"} {
		day, err := time.Parse(layout, value)
		if err == nil && day.Year() >= birthYearMin && day.Year() <= birthYearMax {
			return day.Format("20060102"), true
		}
	}
	return "", false
}

// Gender gives a gender as Meta hashes it: f or m. What is neither gives nothing.
func Gender(value string) (string, bool) {
	folded, ok := bare(value)
	if !ok {
		return "", false
	}
	switch folded {
	case "f", "female", "woman", "w":
		return "f", true
	case "m", "male", "man":
		return "m", true
	}
	return "", false
}

// MobileID gives an advertising id as platforms want it: a UUID in lower case with hyphens. All zeros is what a device says whose owner
// does not want to be tracked, and gives nothing.
func MobileID(value string) (string, bool) {
	value = strings.ToLower(strings.TrimSpace(value))
	if len(value) == 32 {
		value = value[:8] + "-" + value[8:12] + "-" + value[12:16] + "-" + value[16:20] + "-" + value[20:]
	}
	if len(value) != 36 {
		return "", false
	}
	isZero := true
	for i := 0; i < len(value); i++ {
		c := value[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return "", false
			}
			continue
		}
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
		isZero = isZero && c == '0'
	}
	return value, !isZero
}
