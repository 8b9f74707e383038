package field

import (
	stdjson "encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/segmentio/encoding/json"

	"github.com/seamline/seamline/schemas"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	f := func(s, want string) {
		t.Helper()
		got, ok := ParseTime(s)
		if !ok {
			got = 0
		}
		if got.String() != want || ok != (want != "") {
			t.Errorf("ParseTime(%q) = %s, %v; want %s", s, got, ok, want)
		}
	}
	f("2026-03-01T12:30:45.123Z", "2026-03-01T12:30:45.123Z")
	f("2026-03-01T12:30:45.1239Z", "2026-03-01T12:30:45.123Z")
	f("2026-03-01T12:30:45.123456789+01:00", "2026-03-01T11:30:45.123Z")
	f("2026-03-01T12:30:45.5-0530", "2026-03-01T18:00:45.500Z")
	f("2026-03-01T12:30:45,5Z", "2026-03-01T12:30:45.500Z")
	f("2026-03-01T12:30:45+02", "2026-03-01T10:30:45.000Z")
	f("2026-03-01t12:30:45z", "2026-03-01T12:30:45.000Z")
	f("2026-03-01 12:30:45", "2026-03-01T12:30:45.000Z")
	f("2026-03-01 12:30:45 +0000", "2026-03-01T12:30:45.000Z")
	f("2026-03-01 12:30:45 UTC", "2026-03-01T12:30:45.000Z")
	f("2026-03-01T12:30", "2026-03-01T12:30:00.000Z")
	f("2026-03-01T12:30Z", "2026-03-01T12:30:00.000Z")
	f("2026-03-01", "2026-03-01T00:00:00.000Z")
	f("2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000Z")
	f("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z")
	f("1772368245", "2026-03-01T12:30:45.000Z")
	f("1772368245.123", "2026-03-01T12:30:45.123Z")
	f("1772368245123", "2026-03-01T12:30:45.123Z")
	f("1772368245123456", "2026-03-01T12:30:45.123Z")
	f("1772368245123456789", "2026-03-01T12:30:45.123Z")
	f("177236824512345678", "1975-08-14T08:27:04.512Z")
	f("1.772368245123E9", "2026-03-01T12:30:45.123Z")
	f("2023-02-29", "")
	f("2026-13-01", "")
	f("2026-00-01", "")
	f("2026-04-31", "")
	f("2026-03-01T24:00:00Z", "")
	f("2026-03-01T12:60:00Z", "")
	f("2026-03-01T12:30:61Z", "")
	f("2026-03-01T12:30:45.Z", "")
	f("2026-03-01T12:30:45+1:00", "")
	f("2026-03-01T12:30:45+25:00", "")
	f("2026-03-01T12:30:45 Europe/Paris", "")
	f("2026-03-01X12:30:45Z", "")
	f("2026-3-1", "")
	f("01/03/2026", "")
	f("yesterday", "")
	f("-5", "")
	f("12x", "")
	f("", "")
}

func TestParseTimeAgreesWithStandardLibrary(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	zones := []*time.Location{time.UTC, time.FixedZone("", 3600), time.FixedZone("", -19800), time.FixedZone("", 45900)}
	for range 20_000 {
		// Years 0 to 9999, which is all that the format can write.
		want := time.UnixMilli(random.Int64N(315_569_520_000_000) - 62_167_132_800_000).In(zones[random.IntN(len(zones))])
		for _, layout := range []string{"2006-01-02T15:04:05.000Z07:00", "2006-01-02 15:04:05.000000-0700"} {
			s := want.Format(layout)
			if len(s) < 10 || s[4] != '-' {
				continue
			}
			if got, ok := ParseTime(s); !ok || got != schemas.Time(want.UnixMilli()) {
				t.Fatalf("ParseTime(%q) = %d, %v; want %d", s, got, ok, want.UnixMilli())
			}
		}
	}
}

func TestUnix(t *testing.T) {
	t.Parallel()
	f := func(got schemas.Time, ok bool, want schemas.Time) {
		t.Helper()
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("got %d, %v; want %d", got, ok, want)
		}
	}
	g := func(parse func(string) (schemas.Time, bool), s string, want schemas.Time) {
		t.Helper()
		got, ok := parse(s)
		f(got, ok, want)
	}
	g(UnixSeconds, "1772368245.9876", 1772368245987)
	g(UnixSeconds, "0", 0)
	g(UnixSeconds, "x", -1)
	g(UnixSeconds, "1772368245123456", -1)
	g(UnixMillis, "1772368245123", 1772368245123)
	g(UnixMillis, "5.5", 5)
	g(UnixMillis, "", -1)
	g(UnixMillis, "1e18", -1)
}

func TestDecimalsAndMoney(t *testing.T) {
	t.Parallel()
	f := func(s, want string) {
		t.Helper()
		got := DecimalOf(s)
		if text := got.Value.String(); got.Set != (want != "") || got.Set && text != want || got.Bad != (want == "" && strings.TrimSpace(s) != "") {
			t.Errorf("DecimalOf(%q) = %+v; want %s", s, got, want)
		}
	}
	f("12.50", "12.5")
	f(" -3 ", "-3")
	f("1,234.50", "1234.5")
	f("-1,234,567", "-1234567")
	f("1e3", "1000")
	f("1,23", "")
	f("1234,567.8", "")
	f(",123", "")
	f("12,345,67", "")
	f("1.234,567", "")
	f("$5", "")
	f("", "")
	f("  ", "")
	f(strings.Repeat("1,", 40), "")
	m := func(s, amount, currency string) {
		t.Helper()
		got, c, ok := ParseMoney(s)
		if ok != (amount != "") || ok && (got.String() != amount || c != currency) {
			t.Errorf("ParseMoney(%q) = %s %s, %v; want %s %s", s, got, c, ok, amount, currency)
		}
	}
	m("15.00 USD", "15", "USD")
	m("15.00usd", "15", "USD")
	m("EUR 1,015.25", "1015.25", "EUR")
	m("15", "15", "")
	m("15 US", "", "")
	m("USD", "", "")
	m("", "", "")
	n := func(s, currency, want string) {
		t.Helper()
		got, ok := ParseMinor(s, currency)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("ParseMinor(%q, %s) = %s, %v; want %s", s, currency, got, ok, want)
		}
	}
	n("1505", "USD", "15.05")
	n("-1505", "JPY", "-1505")
	n("1505", "KWD", "1.505")
	n("15.05", "USD", "")
	n("", "USD", "")
	n("-", "USD", "")
	n("9999999999999999999", "USD", "")
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	f(Country("de"), "DE")
	f(Country(" Gb "), "GB")
	f(Country("uk"), "GB")
	f(Country("ZZ"), "")
	f(Country("USA"), "")
	f(Country("Germany"), "")
	f(Country("é"), "")
	f(Country(""), "")
	f(Currency("eur"), "EUR")
	f(Currency("EUR"), "EUR")
	f(Currency("xyz"), "XYZ")
	f(Currency("EURO"), "")
	f(Currency("1eu"), "")
	f(URLPath("https://shop.example.com/p/shoe?x=1#y"), "/p/shoe")
	f(URLPath("https://shop.example.com"), "/")
	f(URLPath("https://shop.example.com?x=/y"), "/")
	f(URLPath("//shop.example.com/p"), "/p")
	f(URLPath("/p/shoe?x"), "/p/shoe")
	f(URLPath("/"), "/")
	f(URLPath("shop.example.com/p/shoe"), "/p/shoe")
	f(URLPath("shop.example.com"), "")
	f(URLPath("myshop://product/12"), "/12")
	f(URLPath("about:blank"), "")
	f(URLPath("https://"), "")
	f(URLPath(""), "")
	for i := 0; i < len(countryCodes); i += 2 {
		f(Country(strings.ToLower(countryCodes[i:i+2])), countryCodes[i:i+2])
	}
}

func TestIDsAreTheSameForEver(t *testing.T) {
	t.Parallel()
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %s; want %s", got, want)
		}
	}
	// sha256 of 02 "ab" 01 "c", and so on, computed with another program.
	f(ID("mailgun", "ab", "c"), "mailgun-c150b536a0d7450f5d040d8dac8f6924")
	f(ID("mailgun", "a", "bc"), "mailgun-ea1cc672b17a5c99d273503a298965ef")
	f(ID("x"), "x-e3b0c44298fc1c149afbf4c8996fb924")
	var out schemas.Decoded
	f(IDOf(&out, "mailgun", "ab", "c"), ID("mailgun", "ab", "c"))
	f(ContentID(&out, "segment", []byte("abc")), "segment-ba7816bf8f01cfea414140de5dae2223")
	long := strings.Repeat("x", 1000)
	if ID("a", long) == ID("a", long+"x") {
		t.Error("long parts give equal ids")
	}
}

func TestTypesInStructs(t *testing.T) {
	t.Parallel()
	var v struct {
		A, B, C, D, E, F Text
		N, M, O, P       Decimal
		T, U, V, W       Time
		X, Y, Z          Bool
	}
	in := []byte(`{"A":"text","B":12.50,"C":true,"D":null,"E":{"x":1},"F":"a\u00e9\ud83d\ude00\ud800b\n\/",
		"N":12.5,"M":"12.5","O":null,"P":[1],"T":"2026-03-01T12:30:45Z","U":1772368245,"V":"soon","W":{},"X":"TRUE","Y":0,"Z":"maybe"}`)
	if _, err := json.Parse(in, &v, json.ZeroCopy); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(v.A, "|", v.B, "|", v.C, "|", v.D, "|", v.E, "|", v.F, "|", v.N, v.M, v.O, v.P, v.T, v.U, v.V, v.W, v.X, v.Y, v.Z)
	want := "text|12.50|true|||aé😀�b\n/|{12.5 true false} {12.5 true false} {0 false false} {0 false false} " +
		"{2026-03-01T12:30:45.000Z true false} {2026-03-01T12:30:45.000Z true false} { true true} { true true} {true true} {false true} {false false}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if unsafe.StringData(string(v.A)) != &in[6] {
		t.Error("a text without escapes was copied")
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	in := ` { "a" : "x" , "b":[ "y" , "z" ], "c":{"d":1.5}, "e\u0066":null, "g":[], "h":"2026-03-01" , "i":7,"j":"no"} `
	var out schemas.Decoded
	r := NewReader([]byte(in), &out)
	var got []string
	if !r.Object() {
		t.Fatal("no object")
	}
	for r.Next() {
		switch key := r.Key; key {
		case "b", "g", "i":
			got = append(got, key, r.First())
		case "c":
			got = append(got, key, string(r.Raw()))
		case "h":
			got = append(got, key, r.Time().Value.String())
		case "j":
			got = append(got, key, fmt.Sprint(r.Bool()))
		default:
			got = append(got, key, r.Text())
		}
	}
	want := `[a x b y c {"d":1.5} ef  g  h 2026-03-01T00:00:00.000Z i 7 j {false true}]`
	if fmt.Sprint(got) != want || !r.Done() {
		t.Errorf("read %v, done %v; want %s", got, r.Done(), want)
	}
	for _, bad := range []string{``, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `[1,]`, `[1 2]`, `{"a":01}`, `{"a":1.}`, `{"a":"` + "\n" + `"}`,
		`{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":tru}`, `{"a":nul}`, `{"a":1}x`, `{'a':1}`, `{"a":-}`, `{"a":1e}`, `{"a":"`, `[[1]`, strings.Repeat("[", 100) + strings.Repeat("]", 100)} {
		if Valid([]byte(bad)) {
			t.Errorf("Valid(%s)", bad)
		}
		if walk([]byte(bad)) {
			t.Errorf("Reader accepts %s", bad)
		}
	}
}

// walk reads all of b member by member.
func walk(b []byte) bool {
	r := NewReader(b, nil)
	walkValue(&r)
	return r.Done()
}

func walkValue(r *Reader) {
	switch r.Kind() {
	case KindObject:
		if r.Object() {
			for r.Next() {
				walkValue(r)
			}
		}
	case KindArray:
		if r.Array() {
			for r.Element() {
				walkValue(r)
			}
		}
	default:
		r.Text()
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e-3,"x\u00e9\ud83d",{"b":null,"c":[true,false,{}]}]}`, ` "x" `, `[]`, `{"a":"b","a":"c"}`, `-0.0`, "\xff", `{"email":"a@b.example"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		valid := Valid(b)
		if want := stdjson.Valid(b) && utf8.Valid(b); valid != want && depth(b) <= depthMax {
			t.Fatalf("Valid(%q) = %v; the standard library says %v", b, valid, want)
		}
		if got := walk(b); got != valid && utf8.Valid(b) {
			t.Fatalf("Reader reads %q: %v; Valid says %v", b, got, valid)
		}
		if !valid {
			return
		}
		var p Properties
		var out schemas.Decoded
		p.AddObject(b, nil)
		if s := p.String(&out); s != "" && !stdjson.Valid([]byte(s)) {
			t.Fatalf("properties of %q are no JSON: %s", b, s)
		}
		var want string
		if stdjson.Unmarshal(b, &want) == nil {
			var got Text
			if _ = got.UnmarshalJSON(b); string(got) != want && len(b) > 0 && !strings.Contains(string(b), "null") {
				t.Fatalf("Text(%q) = %q; the standard library reads %q", b, got, want)
			}
		}
	})
}

// depth bounds how deep b can be nested.
func depth(b []byte) int { return strings.Count(string(b), "[") + strings.Count(string(b), "{") }

func TestBoolAndFold(t *testing.T) {
	t.Parallel()
	if got := []Bool{BoolOf("Yes"), BoolOf("off"), BoolOf("2")}; !reflect.DeepEqual(got, []Bool{{true, true}, {false, true}, {}}) {
		t.Errorf("got %v", got)
	}
	if got := string(Fold(nil, "Product_Viewed - Größe 42")); got != "productviewedgröße42" {
		t.Errorf("got %s", got)
	}
	if got := FirstText([]byte(`["","a","b"]`)) + FirstText([]byte(`"c"`)) + FirstText([]byte(`{}`)); got != "ac" {
		t.Errorf("got %s", got)
	}
}
