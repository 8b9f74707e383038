package clickhouse

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// compared gives the tables that differ.
func compared(t testing.TB, live, other Config) map[string]Difference {
	t.Helper()
	all, err := Compare(t.Context(), live, other)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(keys)-len(apart) {
		t.Errorf("%d tables compared, want %d", len(all), len(keys)-len(apart))
	}
	different := map[string]Difference{}
	for _, d := range all {
		if !d.IsNone() {
			different[d.Table] = d
		}
	}
	return different
}

func TestCompare(t *testing.T) {
	t.Parallel()
	seed := random(t).Uint64()
	live, other := config(t), config(t)
	one, two := open(t, live), open(t, other)
	write(t, one, seeded(seed, 1))
	same := seeded(seed, 1)
	same.Number, same.Now, same.Took = 7, same.Now+99, nil // another batch, at another time
	for i := range same.Profiles {
		same.Profiles[i].Version = 7
	}
	write(t, two, same)
	write(t, two, same)
	if got := compared(t, live, other); len(got) != 0 {
		t.Errorf("equal databases differ: %+v", got)
	}

	b := seeded(seed+1, 8)
	b.Events, b.Rejects, b.Profiles, b.Identifiers = b.Events[:3], nil, b.Profiles[:1], nil
	b.Models, b.SessionAliases, b.Accounts, b.StageChanges, b.Audiences, b.Contacts = nil, nil, nil, nil, nil, nil
	b.Decisions, b.Aliases, b.Attributions, b.Memberships, b.Changes = nil, nil, nil, b.Memberships[:25], b.Changes[:1]
	changed := same.Profiles[3]
	changed.Version, changed.Orders, changed.Currency = 8, 4711, "it's"
	b.Profiles = append(b.Profiles, changed)
	for i, e := range b.Events {
		e.Items, e.OrderID, e.ID, e.Time, e.Source = nil, "", fmt.Sprint("new ", i), start, "s"
		e.Type, e.Consents, e.Answer = schemas.TypePageView, nil, schemas.Answer{}
	}
	b.Changes[0].Audience, b.Changes[0].Sequence = same.Changes[0].Audience, same.Changes[0].Sequence
	b.Changes[0].ProfileID, b.Changes[0].Enter = id(9), !same.Changes[0].Enter
	write(t, two, b)
	got := compared(t, live, other)
	if len(got) != 4 {
		t.Fatalf("%d tables differ, want 4: %+v", len(got), got)
	}
	if d := got["events"]; d.OtherOnly != 3 || d.LiveOnly != 0 || d.Changed != 0 || d.Rows != 200 || len(d.Examples) != 3 ||
		d.Examples[0].Kind != KindOtherOnly || d.Examples[0].Key != "event_time=2026-01-15 08:00:00.000, source=s, event_id=new 0" {
		t.Errorf("events: %+v", d)
	}
	if d := got["audience_members"]; d.OtherOnly != 25 || len(d.Examples) != examplesMax {
		t.Errorf("audience_members: %d only in the other, %d examples", d.OtherOnly, len(d.Examples))
	}
	d := got["profiles"]
	if d.Changed != 1 || d.OtherOnly != 1 || len(d.Examples) != 2 {
		t.Fatalf("profiles: %+v", d)
	}
	e := d.Examples[1]
	want := fmt.Sprintf("[{currency %s it's} {orders %d 4711}]", same.Profiles[3].Currency, same.Profiles[3].Orders)
	if e.Kind != KindChanged || e.Key != "profile_id="+changed.ID.String() || fmt.Sprint(e.Columns) != want {
		t.Errorf("the changed profile is %+v, want columns %s", e, want)
	}
	if d := got["audience_changes"]; d.Changed != 1 || len(d.Examples) != 1 || len(d.Examples[0].Columns) < 2 {
		t.Errorf("audience_changes: %+v", d)
	}
	if d := compared(t, other, live)["events"]; d.LiveOnly != 3 || d.OtherOnly != 0 || d.Examples[0].Kind != KindLiveOnly {
		t.Errorf("the other way round, events: %+v", d)
	}
}

func TestCompareRefuses(t *testing.T) {
	t.Parallel()
	live, other := config(t), config(t)
	migrate(t, live)
	refuse := func(want string) {
		t.Helper()
		if _, err := Compare(t.Context(), live, other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	refuse("database " + other.Database + " has no such table")
	migrate(t, other)
	exec(t, other, "ALTER TABLE events ADD COLUMN extra String")
	refuse("compare events: databases")
	other.Addr = "127.0.0.1:1"
	refuse("only databases of one server can be compared")
	other.Addr = ""
	refuse("clickhouse.addr is empty")
}

func TestCompareJSON(t *testing.T) {
	t.Parallel()
	live, other := config(t), config(t)
	live.Properties, other.Properties = "json", "json"
	for i, cfg := range []Config{live, other} {
		e := event("e", start, schemas.TypeCustom, id(1))
		e.Properties = fmt.Sprintf(`{"b":%d,"a":[1,2]}`, i)
		write(t, open(t, cfg), &schemas.Batch{Number: 1, Now: start, Events: []*schemas.Event{e, event("same", start, schemas.TypeCustom, id(1))}})
	}
	d := compared(t, live, other)["events"]
	if d.Changed != 1 || d.Rows != 1 || len(d.Examples[0].Columns) != 1 || d.Examples[0].Columns[0].Name != "properties" {
		t.Errorf("events: %+v", d)
	}
}

// A million rows a side take seconds.
func TestCompareAMillionRows(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped with -short: it takes seconds")
	}
	live, other := config(t), config(t)
	migrate(t, live)
	migrate(t, other)
	for i, cfg := range []Config{live, other} {
		exec(t, cfg, fmt.Sprintf("INSERT INTO events (event_id, event_time, source, page_url, amount, profile_id) SELECT toString(number), toDateTime64('2026-01-15 08:00:00', 3) + number, 's', 'https://shop.example.com/p/' || toString(number %% 1000), (number + (number = 77) * %d) %% 100, toUUID('00000000-0000-0000-0000-000000000001') FROM numbers(1000000)", i))
	}
	begun := time.Now()
	d := compared(t, live, other)["events"]
	if d.Changed != 1 || d.Rows != 999_999 {
		t.Errorf("events: %+v", d)
	}
	t.Logf("compared in %s", time.Since(begun))
}
