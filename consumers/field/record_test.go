package field

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func TestRoot(t *testing.T) {
	t.Parallel()
	f := func(value string, want Kind, refused string) {
		t.Helper()
		var out schemas.Decoded
		got, detail := Root([]byte(value), &out, "not JSON"), ""
		for _, r := range out.Rejects {
			detail += string(r.Reason) + ": " + r.Detail
		}
		if got != want || detail != refused {
			t.Errorf("%q is %q, refused as %q; want %q, %q", value, got, detail, want, refused)
		}
	}
	f(` {"a":1} `, KindObject, "")
	f(`{"a":`, KindObject, "") // which the caller finds
	f(` [1,{}]`, KindArray, "")
	f(`[]`, KindArray, "")
	f(`[1,`, KindNone, "malformed: not JSON")
	f(`[] x`, KindNone, "malformed: not JSON")
	f(``, KindNone, "malformed: not JSON")
	f(`hello`, KindNone, "malformed: not JSON")
	f(`"hello`, KindNone, "malformed: not JSON")
	f(`"hello"`, KindNone, "unknown_format: neither an object nor an array")
	f(`null`, KindNone, "unknown_format: neither an object nor an array")
	f("{\"a\":\"\xff\"}", KindNone, "malformed: not UTF-8")
}

func TestElements(t *testing.T) {
	t.Parallel()
	f := func(array, want string) {
		t.Helper()
		var out schemas.Decoded
		var got []string
		elements := ElementsOf([]byte(array), "source", &out)
		for elements.Next() {
			got = append(got, fmt.Sprintf("%d=%s", out.Element, elements.Raw))
		}
		for _, r := range out.Rejects {
			got = append(got, fmt.Sprintf("%d %s", r.Element, r.Reason))
		}
		for _, d := range out.Dropped {
			got = append(got, d.Source+" "+string(d.Drop))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s gives %v; want %s", array, got, want)
		}
	}
	f(` [ {"a":1} , {} ]`, `0={"a":1}, 1={}`)
	f(`[5,{},[{}],{"b":2}]`, `1={}, 3={"b":2}, 0 unknown_format, 2 unknown_format`)
	f(`[null]`, `0 unknown_format`)
	f(`[ ]`, `source no_event`)
}

func TestReaderOfParts(t *testing.T) {
	t.Parallel()
	const in = `{"a":[1,{"x":"1"},[{"x":"2"}],{"y":0,"x":"\u0033"},null],"b":{"x":1,"y":{"x":2},"x":"last"},"c":[{"x":1}],"d":{"y":1},"e":"2026-03-01","f":{},"g":null}`
	var out schemas.Decoded
	var got []string
	r := NewReader([]byte(in), &out)
	for r.Object(); r.Next(); {
		switch r.Key {
		case "a":
			for r.Array(); r.NextObject(); {
				for r.Next() {
					got = append(got, r.Key+r.Text())
				}
			}
		case "b", "c", "d":
			key := r.Key
			got = append(got, key+":"+r.Member("x"))
		default:
			at := r.Time()
			got = append(got, fmt.Sprintf("%s:%v/%v", r.Key, at.Set, at.Bad))
		}
	}
	if want := "[x1 y0 x3 b:last c: d: e:true/false f:true/true g:false/false]"; fmt.Sprint(got) != want || !r.Done() {
		t.Errorf("read %v, done %v; want %s", got, r.Done(), want)
	}
	broken := NewReader([]byte(`[{"x":1},{"x"`), &out)
	broken.Array()
	for broken.NextObject() {
		for broken.Next() {
			broken.Skip()
		}
	}
	if broken.Done() {
		t.Error("a broken array passes")
	}
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	var e schemas.Event
	Identify(&e, "a", "1")
	Identify(&e, "a", "")
	Identify(&e, "b", "1")
	Identify(&e, "a", "1")
	if fmt.Sprint(e.Identifiers) != "[{a 1} {b 1}]" {
		t.Errorf("got %v", e.Identifiers)
	}
	for i := range 2 * identifiersMax {
		Identify(&e, "c", fmt.Sprint(i))
	}
	if len(e.Identifiers) != identifiersMax {
		t.Errorf("%d identifiers, more than %d", len(e.Identifiers), identifiersMax)
	}
}

func TestIntText(t *testing.T) {
	t.Parallel()
	var out schemas.Decoded
	for _, n := range []int64{0, 7, 99, 100, 1772370000000, -1, -9223372036854775808} {
		if got := IntText(&out, n); got != fmt.Sprint(n) {
			t.Errorf("%d is written %s", n, got)
		}
	}
}
