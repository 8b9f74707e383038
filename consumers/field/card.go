package field

import "encoding/binary"

// Bounds of card numbers and of their groups.
const (
	cardDigitsMin   = 14
	cardDigitsMax   = 19
	cardGroupsMax   = 5
	cardGroupMin    = 3 // digits of each group but the first
	cardGroupFirst  = 4 // digits of the first group
	cardSampleBytes = 4
	// Every run of cardDigitsMin bytes holds one whole sample, when samples start at multiples of this.
	cardSampleStride = cardDigitsMin - cardSampleBytes + 1
)

// charClass says what a byte is to the search for card numbers.
type charClass byte

const (
	charOther charClass = iota
	charDigit
	charSeparator // space, hyphen
	charWord      // letters, _ and +: no card number stands next to them
)

var charClasses = func() (table [256]charClass) {
	for i := range table {
		c := byte(i)
		switch {
		case c >= '0' && c <= '9':
			table[i] = charDigit
		case c == ' ' || c == '-':
			table[i] = charSeparator
		case isLetter(c) || c == '_' || c == '+':
			table[i] = charWord
		}
	}
	return table
}()

// CardNumber finds the first unmasked payment card number in a JSON or XML text. A run of digits is one if all of this holds:
//
//  1. Token. No letter, digit, '_', '-', '+' or '.' stands in front of it, and none of these behind it, but a '.' that ends a
//     sentence may. So parts of UUIDs, hexadecimal words, decimals, dotted ids, dates and phone numbers with + are none. The letter
//     of a JSON escape such as \n, and the digits of \u0020, do not count as neighbours.
//  2. Groups. It is one group, or up to five groups between single spaces or single hyphens, always the same one; the first group
//     has four digits or more and the others three or more. Between spaces, other numbers may stand beside it (an expiry date).
//  3. Issuer. The first digits and the length are in a range that is issued: Visa 4; Mastercard 51-55, 2221-2720; American Express
//     34, 37 (15 digits); Diners 36, 38, 39, 300-305; Discover 6011, 644-649, 65; UnionPay 62; JCB 3528-3589; Mir 2200-2204;
//     Maestro 50, 56-58, 6. Times in milliseconds or microseconds start with 1 and are none.
//  4. Length. 16 digits, or 15 of American Express, anywhere. 14 (Diners) and 17 to 19 (Visa 19 only) count only where the name
//     of the field says card, PAN, account or number, since ids of shops have such lengths. 13 digits are never one: Visa gave that
//     length up, and ids, times, EAN and GTIN codes have it.
//  5. Check digit. The Luhn sum is right.
//  6. Field. The name of the field is no article code (gtin, ean, upc, isbn, barcode, sku, imei, serial) and no phone number;
//     where it is a loyalty, member, reward, club or gift card, the Maestro range does not count, since such cards are numbered in it.
//
// The name of the field is the JSON key, XML element, XML attribute, or word before a ':' or '=', that stands nearest in front.
func CardNumber(b []byte) (start, end int, found bool) {
	return cardFrom(b, 0)
}

// cardFrom is CardNumber from a position on. It looks at four bytes in every eleven, and closer only where they can be part of a number.
func cardFrom(b []byte, from int) (start, end int, found bool) {
	done := from // everything before it was examined
	for i := nextSample(b, from); i < len(b); i = nextSample(b, min(max(i+cardSampleStride, done), len(b))) {
		low, high, enough := digitRegion(b, i, done)
		done = high
		if !enough {
			continue
		}
		if start, end, found = cardInRegion(b, low, high); found {
			return start, end, true
		}
	}
	return 0, 0, false
}

// nextSample gives the position of the first sample from i on that can stand inside a card number, or the length of b.
func nextSample(b []byte, i int) int {
	const stride = cardSampleStride
	rest := b[i:]
	for ; len(rest) >= 4*stride; rest = rest[4*stride:] {
		switch {
		case cardSample(binary.LittleEndian.Uint32(rest)):
			return len(b) - len(rest)
		case cardSample(binary.LittleEndian.Uint32(rest[stride:])):
			return len(b) - len(rest) + stride
		case cardSample(binary.LittleEndian.Uint32(rest[2*stride:])):
			return len(b) - len(rest) + 2*stride
		case cardSample(binary.LittleEndian.Uint32(rest[3*stride:])):
			return len(b) - len(rest) + 3*stride
		}
	}
	for ; len(rest) >= cardSampleBytes; rest = rest[min(stride, len(rest)):] {
		if cardSample(binary.LittleEndian.Uint32(rest)) {
			return len(b) - len(rest)
		}
	}
	return len(b)
}

// cardSample tells whether four bytes can stand inside a card number: digits, with one separator at most.
func cardSample(x uint32) bool {
	// Digits, spaces and hyphens are 0x20 to 0x3f; most samples hold a letter.
	if x&0xE0E0E0E0 != 0x20202020 {
		return false
	}
	// The high bit of each byte that is no digit; what that byte is, is not looked at.
	others := ((x ^ 0x30303030) + 0x76767676) & 0x80808080
	return others&(others-1) == 0
}

func cardChar(c byte) bool {
	class := charClasses[c]
	return class == charDigit || class == charSeparator
}

// cardInRegion tries every group of digits of b[low:high] as the first group of a number.
func cardInRegion(b []byte, low, high int) (start, end int, found bool) {
	if cut := unicodeEscapeEnd(b, low); cut > low {
		low = min(cut, high)
	}
	for i := low; i < high; {
		if charClasses[b[i]] != charDigit {
			i++
			continue
		}
		if cleanBefore(b, i, low) {
			if end = cardAt(b, i, high); end > 0 {
				return i, end, true
			}
		}
		for i < high && charClasses[b[i]] == charDigit {
			i++
		}
	}
	return 0, 0, false
}

// unicodeEscapeEnd gives the end of a \uXXXX whose last digits stand at i, or 0.
func unicodeEscapeEnd(b []byte, i int) int {
	for p := max(0, i-5); p < i; p++ {
		if b[p] == '\\' && p+1 < len(b) && b[p+1] == 'u' && escapes(b, p) && p+6 > i {
			return p + 6
		}
	}
	return 0
}

// escapes tells whether the backslash at p starts an escape: an even number of backslashes stands before it.
func escapes(b []byte, p int) bool {
	n := 0
	for p-1-n >= 0 && n < cardDigitsMax && b[p-1-n] == '\\' {
		n++
	}
	return n%2 == 0
}

// cleanBefore tells whether a number may start at i; low is where the digits of an escape end, if there are any.
func cleanBefore(b []byte, i, low int) bool {
	if i == 0 || i == low && unicodeEscapeEnd(b, i-1) == i {
		return true
	}
	c := b[i-1]
	switch {
	case c == '-' || c == '.' || charClasses[c] == charDigit:
		return false
	case charClasses[c] != charWord:
		return true
	}
	// The letter of an escape such as \n is white space.
	return i >= 2 && b[i-2] == '\\' && escapes(b, i-2) && (c == 'n' || c == 't' || c == 'r' || c == 'b' || c == 'f')
}

// cleanAfter tells whether a number may end before i.
func cleanAfter(b []byte, i int) bool {
	if i >= len(b) {
		return true
	}
	c := b[i]
	if c == '.' {
		return i+1 >= len(b) || charClasses[b[i+1]] != charDigit && charClasses[b[i+1]] != charWord
	}
	return c != '-' && charClasses[c] != charDigit && charClasses[c] != charWord
}

// cardAt gives the end of the card number that starts at i, or 0.
func cardAt(b []byte, i, high int) int {
	var digits [cardDigitsMax]byte
	var separator byte
	n, start := 0, i
	for group := 1; group <= cardGroupsMax; group++ {
		from := i
		for i < high && charClasses[b[i]] == charDigit {
			if n == cardDigitsMax {
				return 0
			}
			digits[n] = b[i] - '0'
			n++
			i++
		}
		if size := i - from; size < cardGroupMin || group == 1 && size < cardGroupFirst {
			return 0
		}
		if n >= cardDigitsMin && cleanAfter(b, i) && isCard(b, start, digits[:n]) {
			return i
		}
		if i >= high || charClasses[b[i]] != charSeparator || separator != 0 && b[i] != separator {
			return 0
		}
		separator = b[i]
		i++
	}
	return 0
}

// isCard tells whether the digits, which start at position start, are a card number.
func isCard(b []byte, start int, digits []byte) bool {
	issuer := issuerOf(digits)
	if issuer == issuerNone || !luhn(digits) {
		return false
	}
	field := fieldBefore(b, start)
	switch {
	case field == fieldArticle || field == fieldPhone:
		return false
	case field == fieldLoyalty && issuer == issuerMaestro:
		return false
	}
	n := len(digits)
	return n == 16 || n == 15 && issuer == issuerAmex || field == fieldCard
}

// luhn tells whether the check digit is right.
func luhn(digits []byte) bool {
	sum, double := 0, len(digits)%2 == 0
	for _, d := range digits {
		v := int(d)
		if double {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
		double = !double
	}
	return sum%10 == 0
}

// issuer is who issues cards in a range of numbers.
type issuer byte

const (
	issuerNone issuer = iota
	issuerAmex
	issuerMaestro
	issuerOther
)

// issuerOf tells by the first digits and the length.
func issuerOf(digits []byte) issuer {
	n := len(digits)
	two := int(digits[0])*10 + int(digits[1])
	three := two*10 + int(digits[2])
	four := three*10 + int(digits[3])
	switch {
	case two == 34 || two == 37:
		if n == 15 {
			return issuerAmex
		}
	case two >= 40 && two <= 49:
		if n == 16 || n == 19 {
			return issuerOther
		}
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720, four >= 2200 && four <= 2204:
		if n == 16 {
			return issuerOther
		}
	case two == 36 || two == 38 || two == 39 || three >= 300 && three <= 305:
		if n != 15 {
			return issuerOther
		}
	case four == 6011, three >= 644 && three <= 649, two == 65, two == 62, four >= 3528 && four <= 3589:
		if n >= 16 {
			return issuerOther
		}
	case two == 50, two >= 56 && two <= 69:
		return issuerMaestro
	}
	return issuerNone
}

// MaskCards gives a copy of b in which all digits but the last four of every card number are replaced by asterisks; the length stays.
func MaskCards(b []byte) []byte {
	masked := append([]byte(nil), b...)
	for from := 0; ; {
		start, end, found := cardFrom(b, from)
		if !found {
			return masked
		}
		keep := 4
		for i := end - 1; i >= start; i-- {
			if charClasses[b[i]] != charDigit {
				continue
			}
			if keep > 0 {
				keep--
				continue
			}
			masked[i] = '*'
		}
		from = end
	}
}
