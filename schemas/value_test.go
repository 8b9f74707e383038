package schemas

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	f := func(in, want string) {
		t.Helper()
		d, err := ParseDecimal(in)
		if err != nil || d.String() != want {
			t.Errorf("%q: got %s, error %v; want %s", in, d, err, want)
		}
	}
	f("0", "0")
	f("12.34", "12.34")
	f("-12.34", "-12.34")
	f("+7", "7")
	f(".5", "0.5")
	f("5.", "5")
	f("0.0001", "0.0001")
	f("0.00005", "0.0001") // half away from zero
	f("-0.00005", "-0.0001")
	f("0.00004999999", "0")
	f("1e3", "1000")
	f("1.5E-2", "0.015")
	f("-2.5e1", "-25")
	f("99999999999999.9999", "99999999999999.9999")
	f("000000000000000000000000000001", "1")
	fail := func(in string, want error) {
		t.Helper()
		if d, err := ParseDecimal(in); !errors.Is(err, want) {
			t.Errorf("%q: got %s, error %v; want %v", in, d, err, want)
		}
	}
	for _, in := range []string{"", "-", ".", "1,5", "1.2.3", "abc", "1e", "e5", "--1", " 1", "0x10", "NaN", "Inf"} {
		fail(in, ErrDecimalSyntax)
	}
	for _, in := range []string{"100000000000000", "99999999999999.99999", "1e15", "-1e300", strings.Repeat("9", 40)} {
		fail(in, ErrDecimalRange)
	}
}

// FuzzParseDecimal: what is accepted equals exact arithmetic within half a ten-thousandth, and its text form reads back the same.
func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"0", "-1.5", "12345678.90005", "1e-3", "99999999999999.9999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		d, err := ParseDecimal(in)
		if err != nil {
			return
		}
		again, err := ParseDecimal(d.String())
		if err != nil || again != d {
			t.Fatalf("%q reads as %s, which reads as %s, error %v", in, d, again, err)
		}
		exact, ok := new(big.Rat).SetString(in)
		if !ok || strings.ContainsAny(in, "eE") {
			return // exponents are read through floats
		}
		off := new(big.Rat).Sub(exact, big.NewRat(int64(d), int64(DecimalOne)))
		if off.Abs(off).Cmp(big.NewRat(1, 2*int64(DecimalOne))) > 0 {
			t.Fatalf("%q reads as %s, off by %s", in, d, off)
		}
	})
}

func TestMul(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		a, b := Decimal(rng.Int64N(1<<33)-1<<32), Decimal(rng.Int64N(1<<30)-1<<29)
		product := new(big.Int).Mul(big.NewInt(int64(a)), big.NewInt(int64(b)))
		half := big.NewInt(int64(DecimalOne) / 2)
		if product.Sign() < 0 {
			half.Neg(half)
		}
		want := product.Add(product, half).Quo(product, big.NewInt(int64(DecimalOne))).Int64()
		if got := a.Mul(b); int64(got) != want {
			t.Fatalf("%d times %d: got %d, want %d", a, b, got, want)
		}
	}
	if got := Decimal(decimalMax).Mul(decimalMax); got != decimalMax {
		t.Errorf("an overflow gives %d, want the largest decimal", got)
	}
}

func TestMinorUnits(t *testing.T) {
	t.Parallel()
	f := func(amount int64, currency, want string) {
		t.Helper()
		if d, ok := MinorUnits(amount, CurrencyPlaces(currency)); !ok || d.String() != want {
			t.Errorf("%d %s: got %s %v, want %s", amount, currency, d, ok, want)
		}
	}
	f(1234, "USD", "12.34")
	f(1234, "JPY", "1234")
	f(1234, "KWD", "1.234")
	f(-1, "CLF", "-0.0001")
	if _, ok := MinorUnits(1<<62, 0); ok {
		t.Error("an amount beyond the range is accepted")
	}
	if _, ok := MinorUnits(1, 5); ok {
		t.Error("five decimal places are accepted")
	}
}

func TestParseSpan(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Time{"1s": Second, "90m": 90 * Minute, "36h": 36 * Hour, "30d": 30 * Day, "36500d": 36_500 * Day} {
		if got, err := ParseSpan(in); err != nil || got != want {
			t.Errorf("%q: got %d, error %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "d", "0d", "-1d", "1.5d", "36501d", "0s", "-1h", "999ms", "soon"} {
		if got, err := ParseSpan(in); err == nil {
			t.Errorf("%q reads as %d", in, got)
		}
	}
}

func TestTimeText(t *testing.T) {
	t.Parallel()
	at := TimeOf(time.Date(2026, 2, 28, 23, 59, 59, 123_999_999, time.FixedZone("", 3600)))
	if at.String() != "2026-02-28T22:59:59.123Z" {
		t.Errorf("got %s", at)
	}
	var back Time
	if err := back.UnmarshalText([]byte(at.String())); err != nil || back != at {
		t.Errorf("read back %s, error %v", back, err)
	}
	if TimeOf(time.Time{}) != 0 || Time(0).String() != "" || !Time(0).Std().IsZero() {
		t.Error("unset is not unset")
	}
	if err := back.UnmarshalText([]byte("yesterday")); err == nil {
		t.Error("nonsense is read as a time")
	}
}

// TestNames: every kind has a name of its own, and class names read back.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{ChannelNames()[1:], TypeNames()[1:], DecisionNames()} {
		seen := map[string]bool{}
		for _, n := range names {
			if n == "" || seen[n] || strings.ToLower(n) != n {
				t.Errorf("name %q is empty, twice, or not in lower case", n)
			}
			seen[n] = true
		}
	}
	for c := range classEnd {
		if got, ok := ParseClass(c.String()); !ok || got != c {
			t.Errorf("class %s reads back as %s", c, got)
		}
	}
	if Type(200).String() != "" || Channel(200).String() != "" || JourneyStage(200).String() != "" {
		t.Error("what has no name has one")
	}
}

func TestProfileID(t *testing.T) {
	t.Parallel()
	id := ProfileID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10}
	if id.String() != "01234567-89ab-cdef-fedc-ba9876543210" || id.IsZero() || !(ProfileID{}).IsZero() {
		t.Errorf("got %s", id)
	}
}

// TestDecodedReuse: events of a reset Decoded start empty, and texts stay what they were until the reset.
func TestDecodedReuse(t *testing.T) {
	t.Parallel()
	var d Decoded
	record := &Record{Topic: "t"}
	for round := range 3 {
		d.Reset()
		d.Grow(2)
		d.Begin(record)
		var texts []string
		for i := range 50 {
			e := d.Event()
			if e.ID != "" || len(e.Identifiers) != 0 || len(e.Items) != 0 || e.Record != record {
				t.Fatalf("round %d: event %d is not empty: %+v", round, i, e)
			}
			texts = append(texts, d.Text([]byte(strings.Repeat(string(rune('a'+i%26)), i*i*i)))) // up to half of a piece
			e.ID = texts[i]
			e.Identify("x", "y")
			e.Identify("x", "")
			e.Items = append(e.Items, Item{SKU: "s"})
		}
		d.Discard()
		for i, text := range texts {
			if text != strings.Repeat(string(rune('a'+i%26)), i*i*i) {
				t.Fatalf("round %d: text %d became %.20q", round, i, text)
			}
		}
		if len(d.Events) != 49 || len(d.Events[3].Identifiers) != 1 {
			t.Fatalf("round %d: %d events, the fourth has %d identifiers", round, len(d.Events), len(d.Events[3].Identifiers))
		}
	}
}

func TestTimeWhole(t *testing.T) {
	t.Parallel()
	for at, want := range map[Time]int64{0: 0, Day - 1: 0, Day: 1, 3*Day + 5: 3, -1: -1, -Day: -1, -Day - 1: -2} {
		if got := at.Whole(Day); got != want {
			t.Errorf("%d ms is day %d, want %d", at, got, want)
		}
	}
}
