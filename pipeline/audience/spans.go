package audience

import (
	"strings"
)

// quoteSpans makes texts of the spans that a rule writes bare, as in idle(cart_updated, 1h), and calls of "within 7d" and "during 7d", as
// the expression language has neither. Texts in the rule stay as they are. The second result tells for each byte of the answer where it came
// from, for the places that errors name.
func quoteSpans(rule string) (string, []int) {
	var out strings.Builder
	var from []int
	emit := func(text string, at int) {
		out.WriteString(text)
		for range len(text) {
			from = append(from, at)
		}
	}
	for i := 0; i < len(rule); {
		switch c := rule[i]; {
		case c == '"' || c == '\'' || c == '`':
			n := textLength(rule[i:])
			for j := range n {
				emit(rule[i+j:i+j+1], i+j)
			}
			i += n
		case isWordByte(c):
			n := wordLength(rule[i:])
			word := rule[i : i+n]
			if word == "within" || word == "during" {
				gap := n + len(rule[i+n:]) - len(strings.TrimLeft(rule[i+n:], " \t\r\n"))
				rest, mark := rule[i+gap:], ""
				if rest != "" && rest[0] == '"' {
					rest, mark = rest[1:], `"`
				}
				if span := rest[:wordLength(rest)]; gap > n && isSpan(span) && strings.HasPrefix(rest[len(span):], mark) {
					emit(word+`("`+span+`")`, i)
					i += gap + len(span) + 2*len(mark)
					continue
				}
			}
			if isSpan(word) {
				emit(`"`+word+`"`, i)
			} else {
				for j := range n {
					emit(word[j:j+1], i+j)
				}
			}
			i += n
		default:
			emit(rule[i:i+1], i)
			i++
		}
	}
	return out.String(), append(from, len(rule))
}

// textLength is how long the quoted text is that s begins with.
func textLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] != '`':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func wordLength(s string) int {
	n := 0
	for n < len(s) && isWordByte(s[n]) {
		n++
	}
	return n
}

// isSpan tells whether a word is digits and units, such as 36h, 1h30m or 2w.
func isSpan(word string) bool {
	if word == "" || word[0] < '0' || word[0] > '9' || word[len(word)-1] <= '9' {
		return false
	}
	for i := range len(word) {
		if c := word[i]; (c < '0' || c > '9') && !strings.ContainsRune("smhdwy", rune(c)) {
			return false
		}
	}
	return true
}
