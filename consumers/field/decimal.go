package field

import (
	"strings"

	"github.com/seamline/seamline/schemas"
)

// Decimal is a number that producers may also send in a text.
type Decimal struct {
	Value schemas.Decimal
	Set   bool // false where nothing, null or an empty text was given, and where Bad
	Bad   bool // given, but no number or out of range
}

// UnmarshalJSON reads any value and never fails; Bad tells what was no number.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	r := NewReader(b, nil)
	*d = DecimalOf(r.Text())
	return nil
}

// DecimalOf reads s by ParseDecimal; white space around it is allowed.
func DecimalOf(s string) Decimal {
	if s = strings.TrimSpace(s); s == "" {
		return Decimal{}
	}
	value, ok := ParseDecimal(s)
	return Decimal{Value: value, Set: ok, Bad: !ok}
}

// Or gives the value, or other where there is none.
func (d Decimal) Or(other schemas.Decimal) schemas.Decimal {
	if d.Set {
		return d.Value
	}
	return other
}

// ParseDecimal reads what schemas.ParseDecimal reads, and thousands in groups of three between commas (1,234.50). A single
// comma as decimal sign is not guessed at.
func ParseDecimal(s string) (schemas.Decimal, bool) {
	if strings.IndexByte(s, ',') >= 0 {
		var buffer [40]byte
		plain, ok := ungroup(buffer[:0], s)
		if !ok {
			return 0, false
		}
		s = alias(plain)
	}
	value, err := schemas.ParseDecimal(s)
	return value, err == nil
}

// ungroup leaves the commas out of s, where they stand in front of each three digits of the whole part.
func ungroup(dst []byte, s string) ([]byte, bool) {
	if len(s) > cap(dst) {
		return nil, false
	}
	end := len(s)
	if point := strings.IndexByte(s, '.'); point >= 0 {
		end = point
	}
	for i := 0; i < len(s); i++ {
		if s[i] != ',' {
			dst = append(dst, s[i])
			continue
		}
		if i == 0 || i >= end || (end-i)%4 != 0 || s[i-1]-'0' > 9 {
			return nil, false
		}
	}
	// The first group has up to three digits, and every fourth byte behind it must be a comma.
	first := strings.IndexByte(s, ',')
	if len(strings.TrimLeft(s[:first], "+-")) > 3 {
		return nil, false
	}
	for i := first; i < end; i += 4 {
		if s[i] != ',' {
			return nil, false
		}
	}
	return dst, true
}

// ParseMoney reads an amount with its currency on either side, such as "15.00 USD", "USD 15.00" or "15.00". The currency is
// empty where none is given.
func ParseMoney(s string) (amount schemas.Decimal, currency string, ok bool) {
	s = strings.TrimSpace(s)
	if n := len(s); n > 3 && isLetter(s[0]) {
		currency, s = Currency(s[:3]), strings.TrimSpace(s[3:])
		ok = currency != ""
	} else if n > 3 && isLetter(s[n-1]) {
		currency, s = Currency(s[n-3:]), strings.TrimSpace(s[:n-3])
		ok = currency != ""
	} else {
		ok = true
	}
	if !ok {
		return 0, "", false
	}
	if amount, ok = ParseDecimal(s); !ok {
		return 0, "", false
	}
	return amount, currency, true
}

// ParseMinor reads a whole number of a currency's minor units, such as 1500 for 15.00 USD.
func ParseMinor(s, currency string) (schemas.Decimal, bool) {
	negative := s != "" && s[0] == '-'
	if negative {
		s = s[1:]
	}
	if s == "" || len(s) > 18 {
		return 0, false
	}
	value := number(s)
	if value < 0 {
		return 0, false
	}
	if negative {
		value = -value
	}
	return schemas.MinorUnits(int64(value), schemas.CurrencyPlaces(currency))
}

func isLetter(c byte) bool { return (c|0x20)-'a' < 26 }
