package field

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// depthMax bounds how deep objects and arrays may be nested. Deeper input is malformed.
const depthMax = 64

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// space tells which bytes are white space between JSON tokens.
var space = [256]bool{' ': true, '\t': true, '\n': true, '\r': true}

// hexDigit tells which bytes are hexadecimal digits.
var hexDigit = func() (table [256]bool) {
	for _, c := range "0123456789abcdefABCDEF" {
		table[c] = true
	}
	return table
}()

func skipSpace(b []byte, i int) int {
	for i < len(b) && space[b[i]] {
		i++
	}
	return i
}

// skipValue checks the value that starts at i, with no white space before it, and gives the position behind it, or -1 where the
// text is no JSON or is nested deeper than depth.
func skipValue(b []byte, i, depth int) int {
	if i >= len(b) {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		end, _ := skipString(b, i+1)
		return end
	case c == '{':
		return skipObject(b, i+1, depth-1)
	case c == '[':
		return skipArray(b, i+1, depth-1)
	case c == '-' || c-'0' <= 9:
		return skipNumber(b, i)
	case c == 't':
		return skipWord(b, i, "true")
	case c == 'f':
		return skipWord(b, i, "false")
	case c == 'n':
		return skipWord(b, i, "null")
	}
	return -1
}

func skipWord(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

// skipString gives the position behind the closing quote of the string whose content starts at i, and whether it has escapes.
func skipString(b []byte, i int) (end int, escaped bool) {
	for {
		i = plainEnd(b, i)
		if i >= len(b) {
			return -1, escaped
		}
		switch b[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = skipEscape(b, i+1); i < 0 {
				return -1, escaped
			}
		default:
			return -1, escaped
		}
	}
}

// plainEnd gives the position of the first quote, backslash or control character at or behind i, or the length of b.
func plainEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, backslash := x^(lowBits*'"'), x^(lowBits*'\\')
		// Each term marks the lowest byte that matches exactly; only bytes above a match may be marked wrongly.
		mask := ((quote - lowBits) &^ quote) | ((backslash - lowBits) &^ backslash) | ((x - lowBits*0x20) &^ x)
		if mask &= highBits; mask != 0 {
			return i + bits.TrailingZeros64(mask)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return i
}

func skipEscape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if len(b)-i < 5 || !hexDigit[b[i+1]] || !hexDigit[b[i+2]] || !hexDigit[b[i+3]] || !hexDigit[b[i+4]] {
			return -1
		}
		return i + 5
	}
	return -1
}

func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	start := i
	if i = skipDigits(b, i); i == start || (b[start] == '0' && i > start+1) {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = skipDigits(b, start); i == start {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		start = i + 1
		if start < len(b) && (b[start] == '+' || b[start] == '-') {
			start++
		}
		if i = skipDigits(b, start); i == start {
			return -1
		}
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// skipObject skips the members and the closing brace; i is behind the opening one.
func skipObject(b []byte, i, depth int) int {
	if depth < 0 {
		return -1
	}
	i = skipSpace(b, i)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		if i, _ = skipString(b, i+1); i < 0 {
			return -1
		}
		i = skipSpace(b, i)
		if i >= len(b) || b[i] != ':' {
			return -1
		}
		if i = skipValue(b, skipSpace(b, i+1), depth); i < 0 {
			return -1
		}
		i = skipSpace(b, i)
		if i >= len(b) {
			return -1
		}
		if b[i] == '}' {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = skipSpace(b, i+1)
	}
}

// skipArray skips the elements and the closing bracket; i is behind the opening one.
func skipArray(b []byte, i, depth int) int {
	if depth < 0 {
		return -1
	}
	i = skipSpace(b, i)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = skipValue(b, i, depth); i < 0 {
			return -1
		}
		i = skipSpace(b, i)
		if i >= len(b) {
			return -1
		}
		if b[i] == ']' {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = skipSpace(b, i+1)
	}
}

// Valid tells whether b is one JSON text in valid UTF-8, nested at most 64 deep.
func Valid(b []byte) bool {
	end := skipValue(b, skipSpace(b, 0), depthMax)
	return end >= 0 && skipSpace(b, end) == len(b) && utf8.Valid(b)
}
