// Package field reads the single fields of producers' payloads: raw JSON members, texts, numbers, times, money, places, card numbers.
// Out come values of schemas that alias the payload wherever they can; field types fit into structs of segmentio/encoding/json.
// It never knows a producer, never fails on a value of the wrong kind, and never writes into the payload.
package field

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Text is a string that producers may also send as a number or a truth value; null, objects and arrays read as empty. It aliases
// the JSON it was read from unless that has escapes.
type Text string

// UnmarshalJSON reads any value and never fails.
func (t *Text) UnmarshalJSON(b []byte) error {
	r := NewReader(b, nil)
	*t = Text(r.Text())
	return nil
}

// String gives the text.
func (t Text) String() string { return string(t) }

// byteOrderMark is what some exports put in front of UTF-8.
var byteOrderMark = []byte("\uFEFF")

// Unmarked gives a payload without the mark that may stand in front of it.
func Unmarked(value []byte) []byte { return bytes.TrimPrefix(value, byteOrderMark) }

// Bool is a truth value that producers may also send as a number or a text.
type Bool struct {
	Value bool
	Set   bool // false where nothing, null or nonsense was given
}

// UnmarshalJSON reads true, false, 1, 0 and their texts, and never fails.
func (v *Bool) UnmarshalJSON(b []byte) error {
	r := NewReader(b, nil)
	*v = BoolOf(r.Text())
	return nil
}

// BoolOf reads true, 1, yes, y, t, on and their opposites in any case.
func BoolOf(s string) Bool {
	for _, word := range [...]string{"true", "1", "yes", "y", "t", "on"} {
		if strings.EqualFold(s, word) {
			return Bool{Value: true, Set: true}
		}
	}
	for _, word := range [...]string{"false", "0", "no", "n", "f", "off"} {
		if strings.EqualFold(s, word) {
			return Bool{Set: true}
		}
	}
	return Bool{}
}

// TextOf reads one raw value as Reader.Text does.
func TextOf(raw []byte) string {
	r := NewReader(raw, nil)
	return r.Text()
}

// FirstText gives the text of a raw value that may be a text or an array of texts; of an array, the first that is not empty.
func FirstText(raw []byte) string {
	r := NewReader(raw, nil)
	return r.First()
}

// Fold appends the letters and digits of s to dst, in lower case, and leaves out spaces and punctuation, so that "Product Viewed",
// "product_viewed" and "productViewed" fold to the same bytes. Bytes beyond ASCII are kept.
func Fold(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := folded[s[i]]; c != 0 {
			dst = append(dst, c)
		}
	}
	return dst
}

// folded gives what each byte folds to; 0 is left out.
var folded = func() (table [256]byte) {
	for i := range table {
		c := byte(i)
		switch {
		case c >= 'A' && c <= 'Z':
			table[i] = c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= utf8.RuneSelf:
			table[i] = c
		}
	}
	return table
}()

// Unescape appends the content of a JSON string, given without its quotes and already checked, to dst. Half a surrogate pair becomes
// the replacement character.
func Unescape(dst, content []byte) []byte {
	for i := 0; i < len(content); {
		c := content[i]
		if c != '\\' || i+1 >= len(content) {
			dst = append(dst, c)
			i++
			continue
		}
		c, i = content[i+1], i+2
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hexRune(content, i)
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(utf8.RuneError)
				if i+1 < len(content) && content[i] == '\\' && content[i+1] == 'u' {
					low = hexRune(content, i+2)
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// hexRune reads four hexadecimal digits at i.
func hexRune(b []byte, i int) rune {
	if len(b)-i < 4 {
		return utf8.RuneError
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= 'a':
			c -= 'a' - 10
		case c >= 'A':
			c -= 'A' - 10
		default:
			c -= '0'
		}
		r = r<<4 | rune(c)
	}
	return r
}

// AppendQuoted appends s to dst as a JSON string with its quotes.
func AppendQuoted(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for len(s) > 0 {
		n := plainEnd(bytesOf(s), 0)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			break
		}
		switch c := s[n]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		s = s[n+1:]
	}
	return append(dst, '"')
}
