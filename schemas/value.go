// Package schemas holds the words that every room of Seamline shares: records, events, identifiers, profiles, batches.
// It takes nothing in and gives nothing out by itself: it is nouns and the invariants that they keep.
// It never imports another room, never does input or output, and never asks the clock.
package schemas

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Time is an instant in Unix milliseconds, UTC. Zero means unset. It has no pointer, so that slabs of it cost the collector nothing.
type Time int64

// Common spans in the unit of Time.
const (
	Second Time = 1000
	Minute      = 60 * Second
	Hour        = 60 * Minute
	Day         = 24 * Hour
)

// TimeOf converts t, rounding down to the millisecond. The zero time.Time becomes the zero Time.
func TimeOf(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMilli())
}

// Std converts to a time.Time in UTC; the zero Time becomes the zero time.Time.
func (t Time) Std() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(t)).UTC()
}

// Earlier gives the smaller of two times of which 0 means none.
func Earlier(a, b Time) Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Whole gives how many whole units, such as days, have passed since 1970. Before that it rounds down as well.
func (t Time) Whole(unit Time) int64 {
	n := t / unit
	if t%unit < 0 {
		n--
	}
	return int64(n)
}

// String gives RFC 3339 with milliseconds, or an empty string when unset.
func (t Time) String() string {
	if t == 0 {
		return ""
	}
	return t.Std().Format(timeLayout)
}

const timeLayout = "2006-01-02T15:04:05.000Z"

// Append appends what String gives.
func (t Time) Append(b []byte) []byte {
	if t == 0 {
		return b
	}
	return t.Std().AppendFormat(b, timeLayout)
}

// MarshalText writes the same form as String.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads RFC 3339, or nothing for unset.
func (t *Time) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = 0
		return nil
	}
	std, err := time.Parse(time.RFC3339Nano, string(text))
	*t = TimeOf(std)
	return err
}

// Span converts a duration to the unit of Time, rounding towards zero.
func Span(d time.Duration) Time { return Time(d.Milliseconds()) }

// ParseSpan reads a positive duration such as 36h, which may also be in days, weeks or years of 365 days, such as 30d, 2w and 1y.
func ParseSpan(text string) (Time, error) {
	for _, unit := range [...]struct {
		name string
		days int
	}{{"d", 1}, {"w", 7}, {"y", 365}} {
		if count, found := strings.CutSuffix(text, unit.name); found {
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 || n > spanDaysMax/unit.days {
				return 0, fmt.Errorf("%q is not a number of days, weeks or years", text)
			}
			return Time(n*unit.days) * Day, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second {
		return 0, fmt.Errorf("%q is not a span such as \"36h\" or \"30d\"", text)
	}
	return Span(d), nil
}

// spanDaysMax keeps every span, added to any accepted time, within what ClickHouse's DateTime64 holds.
const spanDaysMax = 36_500

// Decimal is a fixed-point number with four decimal places: money or a quantity in ten-thousandths, as ClickHouse's Decimal(18,4).
type Decimal int64

// DecimalOne is the Decimal that stands for 1.
const DecimalOne Decimal = 10_000

// decimalMax keeps every Decimal within the 18 digits that Decimal(18,4) holds.
const decimalMax = 999_999_999_999_999_999

// Errors of ParseDecimal.
var (
	ErrDecimalSyntax = errors.New("not a decimal number")
	ErrDecimalRange  = errors.New("decimal number out of range")
)

// ParseDecimal reads a plain or exponent decimal such as -12.34 or 1e3. Digits beyond the fourth place are rounded half away
// from zero. It reads no thousands separators and no currency signs.
func ParseDecimal(s string) (Decimal, error) {
	rest, negative := s, false
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		negative, rest = rest[0] == '-', rest[1:]
	}
	var value int64
	places, digits, point := 0, 0, false
	roundUp := false
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
			if point {
				if places == 4 {
					// Only the first digit beyond the fourth place decides the rounding.
					roundUp, places = c >= '5', 5
					continue
				}
				if places > 4 {
					continue
				}
				places++
			}
			if value > decimalMax/10 {
				return 0, ErrDecimalRange
			}
			value = value*10 + int64(c-'0')
		case c == '.' && !point:
			point = true
		case (c == 'e' || c == 'E') && digits > 0:
			return parseExponent(s)
		default:
			return 0, ErrDecimalSyntax
		}
	}
	if digits == 0 {
		return 0, ErrDecimalSyntax
	}
	for ; places < 4; places++ {
		if value > decimalMax/10 {
			return 0, ErrDecimalRange
		}
		value *= 10
	}
	if roundUp {
		value++
	}
	if value > decimalMax {
		return 0, ErrDecimalRange
	}
	if negative {
		value = -value
	}
	return Decimal(value), nil
}

func parseExponent(s string) (Decimal, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, ErrDecimalSyntax
	}
	f = math.Round(f * float64(DecimalOne))
	if math.IsNaN(f) || math.Abs(f) >= decimalMax { // as a float the limit rounds up to 1e18
		return 0, ErrDecimalRange
	}
	return Decimal(f), nil
}

// MinorUnits gives the Decimal of an amount in a currency's minor units, where places is the currency's number of decimal
// places (2 for USD, 0 for JPY, 3 for KWD). It reports false where the amount does not fit.
func MinorUnits(amount int64, places int) (Decimal, bool) {
	factor := int64(DecimalOne)
	for range places {
		factor /= 10
	}
	if factor == 0 || amount > decimalMax/factor || amount < -decimalMax/factor {
		return 0, false
	}
	return Decimal(amount * factor), true
}

// CurrencyPlaces gives the number of decimal places of an ISO 4217 currency, 2 unless the currency is known to differ.
func CurrencyPlaces(currency string) int {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	case "CLF", "UYW":
		return 4
	}
	return 2
}

// Mul multiplies two Decimals exactly, rounding half away from zero; the product saturates at the range of Decimal(18,4).
func (d Decimal) Mul(e Decimal) Decimal {
	hi, lo := bits.Mul64(d.magnitude(), e.magnitude())
	lo, carry := bits.Add64(lo, uint64(DecimalOne)/2, 0)
	hi += carry
	product := uint64(decimalMax)
	if hi < uint64(DecimalOne) {
		quotient, _ := bits.Div64(hi, lo, uint64(DecimalOne))
		product = min(product, quotient)
	}
	if (d < 0) != (e < 0) {
		return -Decimal(product)
	}
	return Decimal(product)
}

// magnitude is the absolute value; that of the smallest int64 fits as well.
func (d Decimal) magnitude() uint64 {
	if d < 0 {
		return -uint64(d)
	}
	return uint64(d)
}

// String gives the shortest plain decimal, such as 12.5 or -0.0001.
func (d Decimal) String() string { return string(d.Append(nil)) }

// Float gives the number in floating point, exactly for all amounts below 2^53 ten-thousandths.
func (d Decimal) Float() float64 { return float64(d) / float64(DecimalOne) }

// Append appends String's form to b.
func (d Decimal) Append(b []byte) []byte {
	u := d.magnitude()
	if d < 0 {
		b = append(b, '-')
	}
	b = strconv.AppendUint(b, u/uint64(DecimalOne), 10)
	fraction := u % uint64(DecimalOne)
	if fraction == 0 {
		return b
	}
	b = append(b, '.')
	for unit := uint64(DecimalOne) / 10; fraction > 0; unit /= 10 {
		b = append(b, byte('0'+fraction/unit))
		fraction %= unit
	}
	return b
}

// MarshalText writes the same form as String.
func (d Decimal) MarshalText() ([]byte, error) { return d.Append(nil), nil }

// UnmarshalText reads what ParseDecimal reads.
func (d *Decimal) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDecimal(string(text))
	return err
}

// ProfileID is the stable UUID of one person's profile. The zero id means: no person known.
type ProfileID [16]byte

// IsZero tells whether no person is known.
func (p ProfileID) IsZero() bool { return p == ProfileID{} }

// String gives the canonical form with hyphens.
func (p ProfileID) String() string {
	var b [36]byte
	return string(p.Append(b[:0]))
}

// Append appends what String gives.
func (p ProfileID) Append(to []byte) []byte {
	var b [36]byte
	hex.Encode(b[0:8], p[0:4])
	hex.Encode(b[9:13], p[4:6])
	hex.Encode(b[14:18], p[6:8])
	hex.Encode(b[19:23], p[8:10])
	hex.Encode(b[24:36], p[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return append(to, b[:]...)
}

// MarshalText writes the same form as String.
func (p ProfileID) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
