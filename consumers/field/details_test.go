package field

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func TestDetails(t *testing.T) {
	t.Parallel()
	f := func(want string, objects ...string) {
		t.Helper()
		out := new(schemas.Decoded)
		e := out.Event()
		for _, raw := range objects {
			Details(e, []byte(raw), out)
		}
		var got []string
		for _, c := range e.Contacts {
			got = append(got, fmt.Sprintf("%s=%s", c.Kind, c.Value))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%q say %q, want %q", objects, text, want)
		}
	}
	f("", `{}`)
	f("", `[1]`)
	f("", `{"name":"Customer 17","company":{"city":"York"},"firstName":" ","lastName":null,"city":["York"]}`)
	f("given_name=A family_name=B birth_date=1980-01-01 gender=f", `{"first_name":"A","lastName":"B","dateOfBirth":"1980-01-01","gender":"f"}`)
	f("city=York region=YK postal=Y1 country=GB", `{"address":{"city":"York","province":"Yorkshire","province_code":"YK","zip":"Y1","country":"United Kingdom","country_code":"GB"}}`)
	f("country=GB", `{"country_code":"GB","country":"United Kingdom"}`)
	// Of two addresses the first counts alone, and other kinds are taken from where they are.
	f("city=York given_name=A", `{"city":"York"}`, `{"first_name":"A","zip":"B1","city":"Bath","country_code":"FR"}`)
	f("given_name=A postal=B1", `{"first_name":"A"}`, `{"first_name":"B","address":{"zip":"B1"}}`)
	f("postal=deep", `{"contact":{"address":{"zip":"deep","address":{"city":"too deep"}}}}`)
}

func TestMobileID(t *testing.T) {
	t.Parallel()
	f := func(id, tracking, want string) {
		t.Helper()
		var e schemas.Event
		MobileID(&e, id, BoolOf(tracking))
		got := "none"
		if len(e.Contacts) == 1 {
			got = e.Contacts[0].Value
		}
		if got != want || len(e.Contacts) > 1 {
			t.Errorf("id %q with tracking %q gives %q, want %q", id, tracking, got, want)
		}
	}
	f("7A3CBEA0", "", "7A3CBEA0")
	f("7A3CBEA0", "true", "7A3CBEA0")
	f("7A3CBEA0", "false", "")
	f("", "false", "")
	f("00000000-0000-0000-0000-000000000000", "true", "")
	f("", "", "none")
	f("", "true", "none")
}
