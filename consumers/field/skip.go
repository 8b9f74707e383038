package field

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/seamline/seamline/schemas"
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

// spaceEnd is skipSpace for where there is seldom any.
func spaceEnd(b []byte, i int) int {
	if i < len(b) && b[i] <= ' ' {
		return skipSpace(b, i)
	}
	return i
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && space[b[i]] {
		i++
	}
	return i
}

// text is JSON, and what is known of where its parts end.
type text struct {
	b     []byte
	marks *schemas.Marks // nil for none
	base  int            // where b starts in what the marks are of
}

// value checks the value that starts at i, with no white space before it, and gives the position behind it, or -1 where the text is no
// JSON or is nested deeper than depth.
func (t *text) value(i, depth int) int {
	if i >= len(t.b) {
		return -1
	}
	switch c := t.b[i]; {
	case c == '"':
		end, _ := t.stringEnd(i + 1)
		return end
	case c == '-' || c-'0' <= 9:
		return skipNumber(t.b, i)
	case c == '{', c == '[':
		return t.container(i, depth-1)
	case c == 't':
		return skipWord(t.b, i, "true")
	case c == 'f':
		return skipWord(t.b, i, "false")
	case c == 'n':
		return skipWord(t.b, i, "null")
	}
	return -1
}

// container is value for an object or array. What is found well-formed once is marked, and stepped over from then on.
func (t *text) container(i, depth int) (end int) {
	m, at := t.marks, uint(t.base+i)
	if m != nil && m.Opened[at/blockBytes]>>(at%blockBytes)&1 != 0 {
		if end = int(m.Ends[at]) - t.base; end <= len(t.b) {
			return end
		}
	}
	if depth < 0 {
		return -1
	}
	if t.b[i] == '{' {
		end = t.object(i+1, depth)
	} else {
		end = t.array(i+1, depth)
	}
	if m != nil && end > 0 {
		m.Opened[at/blockBytes] |= 1 << (at % blockBytes)
		m.Ends[at] = uint32(t.base + end)
	}
	return end
}

// stringEnd gives the position behind the closing quote of the string whose content starts at i, and whether it has escapes; -1 where
// it is no string.
func (t *text) stringEnd(i int) (end int, escaped bool) {
	m := t.marks
	if m == nil {
		return skipString(t.b, i)
	}
	// The 64 bytes from i on span two words; few strings are longer.
	at := uint(t.base + i)
	block, shift := at/blockBytes, at%blockBytes
	words := m.Stops[block : block+2]
	if stops := words[0]>>shift | words[1]<<(blockBytes-shift); stops != 0 {
		i += bits.TrailingZeros64(stops)
	} else {
		i = t.farStop(block + 1)
	}
	if i >= len(t.b) {
		return -1, false
	}
	if t.b[i] == '"' {
		return i + 1, false
	}
	return skipString(t.b, i)
}

// farStop gives the first stop from a block on. The marks of a text end with some.
func (t *text) farStop(block uint) int {
	for t.marks.Stops[block] == 0 {
		block++
	}
	return int(block)*blockBytes + bits.TrailingZeros64(t.marks.Stops[block]) - t.base
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

// object checks the members and the closing brace; i is behind the opening one.
func (t *text) object(i, depth int) int {
	b := t.b
	i = skipSpace(b, i)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		if i, _ = t.stringEnd(i + 1); i < 0 {
			return -1
		}
		if i = spaceEnd(b, i); i >= len(b) || b[i] != ':' {
			return -1
		}
		if i = t.value(spaceEnd(b, i+1), depth); i < 0 {
			return -1
		}
		if i = spaceEnd(b, i); i >= len(b) {
			return -1
		}
		if b[i] == '}' {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = spaceEnd(b, i+1)
	}
}

// array checks the elements and the closing bracket; i is behind the opening one.
func (t *text) array(i, depth int) int {
	b := t.b
	i = skipSpace(b, i)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = t.value(i, depth); i < 0 {
			return -1
		}
		if i = spaceEnd(b, i); i >= len(b) {
			return -1
		}
		if b[i] == ']' {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = spaceEnd(b, i+1)
	}
}

// Valid tells whether b is one JSON text in valid UTF-8, nested at most 64 deep.
func Valid(b []byte) bool {
	t := text{b: b}
	return t.valid() && utf8.Valid(b)
}

func (t *text) valid() bool {
	end := t.value(skipSpace(t.b, 0), depthMax)
	return end >= 0 && skipSpace(t.b, end) == len(t.b)
}
