package clickhouse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seamline/seamline/schemas"
)

// TestProfileReader: a person's rows are found under their own id, under those that became it, and by leaves that came to them.
func TestProfileReader(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	b := identityBatch(7)
	of := func(e *schemas.Event, profile byte, leaf uint32, kind schemas.Type, sku string) {
		e.ProfileID, e.Leaf, e.Type, e.SKU = person(profile), leaf, kind, sku
	}
	of(b.Events[0], 1, 1, schemas.TypeProductView, "A") // 1000
	of(b.Events[1], 7, 2, schemas.TypeMessageOpen, "")  // 3000, of one that was merged away
	of(b.Events[2], 9, 3, schemas.TypeProductView, "B") // 2000, of another's history that came over
	b.Events[1].Machine = true
	b.Attributions = []schemas.Attribution{{Leaf: 3, ProfileID: person(1), Since: 6000}}
	b.Profiles[0].Scores = &schemas.Scores{At: 4000, Models: 2, NPS: -1, CSAT: -1, ExpectedValue: 12_3400, Categories: []schemas.Weighed{{Word: "Shoes", Weight: 1.5}}}
	b.Profiles[0].Channels[schemas.ChannelWeb] = schemas.ChannelTotals{Events: 2, FirstSeen: 1000, LastSeen: 3000, Revenue: 9_9000}
	b.Models = []schemas.Model{{Name: "mbgnbd", Version: 1, FittedAt: 10, People: 5, LogLikelihood: -7, Parameters: []schemas.Parameter{{Name: "r", Value: 0.5}, {Name: "a", Value: 2}}},
		{Name: "rfm", Version: 1}, {Name: "rfm", Version: 2, FittedAt: 20}, {Name: "rfm", Version: 3}}
	write(t, s, b)
	identities, err := OpenIdentityReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer identities.Close()
	r := identities.Profiles()

	row, lives, err := r.Row(t.Context(), person(1))
	if err != nil || !lives || row["scored_at"] != schemas.Time(4000) || row["expected_value"] != schemas.Decimal(12_3400) || row["next_order"] != nil || row["profile_id"] != person(1) ||
		row["models"] != uint32(2) || row["state"] != nil {
		t.Errorf("row: %v, %v, error %v", row, lives, err)
	}
	for column, want := range map[string]any{"category_affinity": map[string]any{"Shoes": float32(1.5)}, "channel_last_seen": map[string]any{"web": schemas.Time(3000)},
		"channel_revenue": map[string]any{"web": schemas.Decimal(9_9000)}} {
		if fmt.Sprint(row[column]) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", column, row[column], want)
		}
	}
	if _, lives, err := r.Row(t.Context(), person(8)); err != nil || lives {
		t.Errorf("a person that never was lives: error %v", err)
	}

	who, err := r.Person(t.Context(), person(1))
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, who *Person) {
		t.Helper()
		counts, err := r.Counts(t.Context(), who)
		if want := "[{message_open true 1 1970-01-01T00:00:03.000Z 1970-01-01T00:00:03.000Z} {product_view false 2 1970-01-01T00:00:01.000Z 1970-01-01T00:00:02.000Z}]"; err != nil || fmt.Sprint(counts) != want {
			t.Errorf("%s: counts %v, error %v; want %s", name, counts, err, want)
		}
		looks, err := r.Looks(t.Context(), who, 1)
		if err != nil || len(looks) != 1 || looks[0].SKU != "B" {
			t.Errorf("%s: looks %v, error %v", name, looks, err)
		}
	}
	f("by names", who)
	f("everywhere", &Person{ID: person(1), isVast: true})

	models, err := r.Models(t.Context(), 2)
	if err != nil || len(models) != 2 || models[0].Name != "mbgnbd" || models[0].LogLikelihood != -7 || fmt.Sprint(models[0].Parameters) != "[{a 2} {r 0.5}]" || models[1].Version != 2 || models[1].FittedAt != 20 {
		t.Errorf("models: %+v, error %v", models, err)
	}
	for name, err := range map[string]error{
		"row":     func() error { _, _, err := broken(t, cfg).Row(t.Context(), person(1)); return err }(),
		"person":  func() error { _, err := broken(t, cfg).Person(t.Context(), person(1)); return err }(),
		"journey": func() error { _, err := broken(t, cfg).Journey(t.Context(), person(1), 1); return err }(),
		"orders":  func() error { _, err := broken(t, cfg).Orders(t.Context(), who, 1); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), "read") {
			t.Errorf("%s of a database that is not there: error %v", name, err)
		}
	}
}

// broken gives a reader of a database that is not there.
func broken(t *testing.T, cfg Config) *ProfileReader {
	t.Helper()
	cfg.Database += "_none"
	r, err := OpenIdentityReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r.Profiles()
}

func TestPersonWhere(t *testing.T) {
	t.Parallel()
	f := func(who Person, want string) {
		t.Helper()
		if got := who.where(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	id, alias := uuid.UUID(person(1)).String(), uuid.UUID(person(2)).String()
	is := "profile_id = toUUID('" + id + "')"
	f(Person{ID: person(1)}, is+" AND profile_id_processed IN (toUUID('"+id+"'))")
	f(Person{ID: person(1), aliases: []schemas.ProfileID{person(2)}}, is+" AND profile_id_processed IN (toUUID('"+id+"'),toUUID('"+alias+"'))")
	f(Person{ID: person(1), leaves: []uint64{4, 5}}, is+" AND (profile_id_processed IN (toUUID('"+id+"')) OR leaf IN (4,5))")
	f(Person{ID: person(1), isVast: true}, is)
}
