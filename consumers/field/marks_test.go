package field

import (
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/seamline/seamline/schemas"
)

var seed = flag.Uint64("seed", 0, "seed of the random texts; 0 for a new one")

// dice gives random numbers, and prints the seed of them.
func dice(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-seed %d", s)
	return rand.New(rand.NewPCG(s, 1))
}

// randomText puts pieces together to at most so many bytes.
func randomText(r *rand.Rand, pieces []string, bytesMax int) []byte {
	var text []byte
	for n := r.IntN(bytesMax); len(text) < n; {
		text = append(text, pieces[r.IntN(len(pieces))]...)
	}
	return text
}

// TestMarkBlocks holds both ways of marking against the bytes themselves.
func TestMarkBlocks(t *testing.T) {
	t.Parallel()
	r := dice(t)
	for range 2000 {
		text := make([]byte, r.IntN(6)*blockBytes)
		beyond := r.IntN(4) == 0
		ascii := true
		for i := range text {
			if text[i] = byte(r.IntN(128)); beyond && r.IntN(50) == 0 {
				text[i] |= 0x80
			}
			ascii = ascii && text[i] < 0x80
		}
		blocks := len(text) / blockBytes
		for name, mark := range map[string]func([]byte, []uint64, []uint64) bool{"markBlocks": markBlocks, "markBlocksPlain": markBlocksPlain} {
			stops, digits := make([]uint64, blocks), make([]uint64, blocks)
			if got := mark(text, stops, digits); got != ascii {
				t.Fatalf("%s of %q: ASCII only is %v", name, text, got)
			}
			for i, c := range text {
				if got, want := stops[i/64]>>(i%64)&1 == 1, c == '"' || c == '\\' || c < 0x20; got != want {
					t.Fatalf("%s: stop at %d of %q is %v", name, i, text, got)
				}
				if got, want := digits[i/64]>>(i%64)&1 == 1, cardChar(c); got != want {
					t.Fatalf("%s: digit at %d of %q is %v", name, i, text, got)
				}
			}
		}
	}
}

// TestHoldsCard: the marks never hide a card number, and find none that is not there.
func TestHoldsCard(t *testing.T) {
	t.Parallel()
	r := dice(t)
	pieces := []string{"4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "1", "22", "12345", "-", " ", "a", `"`, ":", ".",
		`"card":"`, `"gtin":"`, "1772368000008", `\n`, "é", `,"name of a longer field":"`}
	var out schemas.Decoded
	found := 0
	for range 30_000 {
		text := randomText(r, pieces, 400)
		out.Begin(nil)
		_, _, want := CardNumber(text)
		if got := HoldsCard(text, &out); got != want {
			t.Fatalf("HoldsCard of %q is %v", text, got)
		}
		if want {
			found++
		}
	}
	if found < 1000 || found > 29_000 {
		t.Errorf("%d of 30000 texts hold a card number: the test tells little", found)
	}
}

// TestMarkedReader: what a reader finds does not depend on whether the text is marked.
func TestMarkedReader(t *testing.T) {
	t.Parallel()
	r := dice(t)
	pieces := []string{`{`, `}`, `[`, `]`, `,`, `:`, `"key"`, `"a longer string that fills some more of a block than the others do"`, `"\u00e9\n"`, `""`, `12`, `-0.5e3`, `true`,
		`null`, ` `, "\n", `{"a":1,"b":["c",{"d":null}]}`, `[[],{},[1,2]]`, `"é"`, `"a":`, `"b":{"c":"d"},`, `"`, `\`, "\x01", "0", "x"}
	var out schemas.Decoded
	valid := 0
	for range 30_000 {
		text := append([]byte(`{"first":`), randomText(r, pieces, 300)...)
		if r.IntN(2) == 0 {
			text = append(randomJSON(r, nil, 5), ' ')
		}
		out.Begin(nil)
		Mark(text, &out)
		for round := range 3 { // the later rounds find objects and arrays marked
			marked, plain := NewReader(text, &out), NewReader(text, nil)
			got, want := trace(nil, &marked, &out, round), trace(nil, &plain, nil, round)
			if string(got) != string(want) {
				t.Fatalf("round %d of %q:\n got %q\nwant %q", round, text, got, want)
			}
			if round == 0 && plain.Done() {
				valid++
			}
		}
	}
	if valid < 10_000 {
		t.Errorf("%d of 30000 texts are well-formed: the test tells little", valid)
	}
}

// trace reads the next value in one of several ways, and writes down what it finds.
func trace(to []byte, r *Reader, out *schemas.Decoded, round int) []byte {
	switch kind := r.Kind(); {
	case kind == KindObject && round != 1:
		raw := r.b[r.i:]
		for r.Object(); r.Next(); {
			to = append(append(to, r.Key...), '=')
			to = trace(to, r, out, round)
		}
		if round == 2 && r.OK() { // the same again, by a reader of its own
			inner := NewReader(raw, out)
			to = append(append(to, '!'), inner.Raw()...)
		}
	case kind == KindArray:
		for r.Array(); r.Element(); {
			to = trace(append(to, ';'), r, out, round)
		}
	case kind == KindString:
		to = append(to, r.Text()...)
	default:
		to = append(to, r.Raw()...)
	}
	if !r.OK() {
		return append(to, '?')
	}
	return append(to, '.')
}

// randomJSON appends a well-formed value.
func randomJSON(r *rand.Rand, to []byte, depth int) []byte {
	words := []string{`"key"`, `"\u00e9\n"`, `""`, `12`, `-0.5e3`, `true`, `false`, `null`, `"a longer string that fills some more of a block than the others do"`, `"é"`}
	switch kind := r.IntN(4); {
	case kind == 0 && depth > 0:
		to = append(to, '{')
		for i := range r.IntN(5) {
			if i > 0 {
				to = append(to, ", "[:1+r.IntN(2)]...)
			}
			to = append(to, `"a name":`...)
			to = randomJSON(r, to, depth-1)
		}
		return append(to, '}')
	case kind == 1 && depth > 0:
		to = append(to, '[')
		for i := range r.IntN(5) {
			if i > 0 {
				to = append(to, ',')
			}
			to = randomJSON(r, to, depth-1)
		}
		return append(to, ']')
	}
	return append(to, words[r.IntN(len(words))]...)
}

// TestCommonTime: the quick way to read the common form of time never says anything that the long way does not.
func TestCommonTime(t *testing.T) {
	t.Parallel()
	r := dice(t)
	read := 0
	for range 200_000 {
		text := []byte("2026-03-01T12:30:45.123Z")
		for range r.IntN(4) {
			i := r.IntN(len(text))
			if text[i] = "0123456789"[r.IntN(10)]; r.IntN(8) == 0 {
				text[i] = byte(r.IntN(256))
			}
		}
		quick, ok := parseCommonTime(string(text))
		if !ok {
			continue
		}
		read++
		// A digit more, which is cut off, makes it go the long way.
		long, ok := ParseTime(string(text[:23]) + "4Z")
		if !ok || long != quick {
			t.Fatalf("%q is %v, and %v %v the long way", text, quick, long, ok)
		}
	}
	if read < 10_000 {
		t.Errorf("%d times were read: the test tells little", read)
	}
	for _, text := range []string{"2028-02-29T23:59:60.999Z", "1969-12-31T23:59:59.999Z", "0000-03-01T00:00:00.000Z"} {
		if _, ok := parseCommonTime(text); !ok {
			t.Errorf("%s is not read the quick way", text)
		}
	}
}
