package shoppers

import "strconv"

// writer appends JSON to a buffer. It writes what it is told; the callers keep the commas.
type writer struct{ b []byte }

const hexDigits = "0123456789abcdef"

// raw appends s as it stands.
func (w *writer) raw(s string) { w.b = append(w.b, s...) }

// str appends s as a JSON string.
func (w *writer) str(s string) {
	w.b = append(w.b, '"')
	w.escaped(s)
	w.b = append(w.b, '"')
}

// escaped appends s as the inside of a JSON string.
func (w *writer) escaped(s string) {
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		w.b = append(w.b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			w.b = append(w.b, '\\', c)
		case '\n':
			w.b = append(w.b, '\\', 'n')
		default:
			w.b = append(w.b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	w.b = append(w.b, s[from:]...)
}

func (w *writer) int(n int64) { w.b = strconv.AppendInt(w.b, n, 10) }

func (w *writer) bool(v bool) { w.b = strconv.AppendBool(w.b, v) }

// cents appends an amount with two decimals.
func (w *writer) cents(n int64) { w.b = appendCents(w.b, n) }

// quotedCents appends an amount as a string.
func (w *writer) quotedCents(n int64) {
	w.b = append(w.b, '"')
	w.b = appendCents(w.b, n)
	w.b = append(w.b, '"')
}

func appendCents(b []byte, n int64) []byte {
	if n < 0 {
		b = append(b, '-')
		n = -n
	}
	b = strconv.AppendInt(b, n/100, 10)
	return append(b, '.', byte('0'+n/10%10), byte('0'+n%10))
}

// padded appends n with leading zeros up to width digits.
func (w *writer) padded(n int64, width int) { w.b = appendPadded(w.b, n, width) }

func appendPadded(b []byte, n int64, width int) []byte {
	start := len(b)
	for range width {
		b = append(b, '0')
	}
	for i := len(b) - 1; i >= start && n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// isoLength is the length of a time as iso writes it.
const isoLength = len("2006-01-02T15:04:05.000Z")

// iso appends a quoted UTC time with milliseconds.
func (w *writer) iso(ms int64) {
	w.b = append(w.b, '"')
	w.b = appendISO(w.b, ms)
	w.b = append(w.b, '"')
}

func appendISO(b []byte, ms int64) []byte {
	b = appendClock(b, ms, 'T')
	b = append(b, '.')
	b = appendPadded(b, ms%1000, 3)
	return append(b, 'Z')
}

// appendClock appends date and time of day to the second, with separator between them.
// Times are after 1970, so division rounds as wanted.
func appendClock(b []byte, ms int64, separator byte) []byte {
	year, month, day := civil(ms / 86_400_000)
	second := ms / 1000 % 86400
	b = append(appendPadded(b, year, 4), '-')
	b = append(appendPadded(b, month, 2), '-')
	b = append(appendPadded(b, day, 2), separator)
	b = append(appendPadded(b, second/3600, 2), ':')
	b = append(appendPadded(b, second/60%60, 2), ':')
	return appendPadded(b, second%60, 2)
}

// civil turns days since 1970 into a date of the Gregorian calendar.
func civil(days int64) (year, month, day int64) {
	days += 719468
	era := days / 146097
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	month = mp + 3
	if month > 12 {
		month -= 12
	}
	year = yoe + era*400
	if month <= 2 {
		year++
	}
	return year, month, doy - (153*mp+2)/5 + 1
}

// uuid appends the version 4 UUID that belongs to seed, without quotes.
func (w *writer) uuid(seed uint64) { w.b = appendUUID(w.b, seed) }

func appendUUID(b []byte, seed uint64) []byte {
	high := mix(seed, 1)&^0xf000 | 0x4000
	low := mix(seed, 2)&^(3<<62) | 1<<63
	for i := 60; i >= 0; i -= 4 {
		b = append(b, hexDigits[high>>i&15])
		if i == 32 || i == 16 {
			b = append(b, '-')
		}
	}
	b = append(b, '-')
	for i := 60; i >= 0; i -= 4 {
		b = append(b, hexDigits[low>>i&15])
		if i == 48 {
			b = append(b, '-')
		}
	}
	return b
}

const tokenDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// token appends n letters and digits that belong to seed.
func (w *writer) token(seed uint64, n int) { w.b = appendToken(w.b, seed, n) }

func appendToken(b []byte, seed uint64, n int) []byte {
	r := rng{seed}
	for n > 0 {
		word := r.next()
		for range min(n, 8) {
			b = append(b, tokenDigits[word&0xff*62>>8])
			word >>= 8
			n--
		}
	}
	return b
}
