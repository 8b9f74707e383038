package clickhouse

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seamline/seamline/schemas"
)

// ProfileReader answers what is known of one person from the tables. One goroutine uses it at a time.
type ProfileReader struct{ r *IdentityReader }

// Profiles gives a reader of people, over the same connection.
func (r *IdentityReader) Profiles() *ProfileReader { return &ProfileReader{r: r} }

// ProfileRow is a row of profiles: its columns by name, but for the state. Times are schemas.Time, money and quantities schemas.Decimal,
// ids schemas.ProfileID, also within maps; a time that never was is nil.
type ProfileRow map[string]any

// Row gives the row of a living profile, and whether there is one.
func (p *ProfileReader) Row(ctx context.Context, id schemas.ProfileID) (ProfileRow, bool, error) {
	rows, err := p.r.conn.Query(ctx, strings.ReplaceAll("SELECT * EXCEPT (state) FROM {database}.profiles FINAL WHERE profile_id = ?", "{database}", p.r.cfg.Database), uuid.UUID(id))
	if err != nil {
		return nil, false, fmt.Errorf("read a profile: %w", err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, false, fmt.Errorf("read a profile: %w", err)
		}
		return nil, false, nil
	}
	places := make([]any, len(rows.Columns()))
	for i, t := range rows.ColumnTypes() {
		places[i] = reflect.New(t.ScanType()).Interface()
	}
	if err := rows.Scan(places...); err != nil {
		return nil, false, fmt.Errorf("read a profile: %w", err)
	}
	row := ProfileRow{}
	for i, name := range rows.Columns() {
		row[name] = plain(reflect.ValueOf(places[i]).Elem().Interface())
	}
	return row, true, nil
}

// plain gives a value of a cell in the project's own words.
func plain(v any) any {
	switch v := v.(type) {
	case time.Time:
		if v.UnixMilli() == 0 {
			return nil
		}
		return timeOf(v)
	case uuid.UUID:
		return schemas.ProfileID(v)
	case fmt.Stringer: // the driver's decimals
		var a amount
		if a.Scan(v) != nil {
			return v.String()
		}
		return a.Decimal
	}
	if m := reflect.ValueOf(v); m.Kind() == reflect.Map {
		words := make(map[string]any, m.Len())
		for i := m.MapRange(); i.Next(); {
			words[i.Key().String()] = plain(i.Value().Interface())
		}
		return words
	}
	return v
}

// amount reads a cell of a Decimal.
type amount struct{ schemas.Decimal }

// Scan takes the driver's form.
func (a *amount) Scan(v any) (err error) {
	text, ok := v.(fmt.Stringer)
	if !ok {
		return fmt.Errorf("%T is no decimal", v)
	}
	a.Decimal, err = schemas.ParseDecimal(text.String())
	return err
}

// Person is a living profile with what its rows may stand under in tables that keep the id of the time of processing.
type Person struct {
	ID      schemas.ProfileID
	aliases []schemas.ProfileID // that resolve to it
	leaves  []uint64            // that came to it other than by a merge
	isVast  bool                // there are too many to name: its rows are looked for everywhere
}

// reachMax bounds the aliases and leaves that a query names.
const reachMax = 2000

// Person finds under which ids and leaves the rows of a living profile stand.
func (p *ProfileReader) Person(ctx context.Context, id schemas.ProfileID) (*Person, error) {
	who := &Person{ID: id}
	query := fmt.Sprintf("SELECT alias_id FROM {database}.profile_aliases FINAL WHERE profile_id = ? AND alias_id != profile_id LIMIT %d", reachMax+1)
	err := p.r.each(ctx, query, func(scan func(...any) error) error {
		var alias uuid.UUID
		err := scan(&alias)
		who.aliases = append(who.aliases, schemas.ProfileID(alias))
		return err
	}, uuid.UUID(id))
	if err != nil {
		return nil, fmt.Errorf("read aliases: %w", err)
	}
	if who.isVast = len(who.aliases) > reachMax; who.isVast {
		return who, nil
	}
	query = fmt.Sprintf("SELECT leaf FROM {database}.leaf_profiles FINAL WHERE profile_id IN (%s) LIMIT %d", who.ids(), reachMax+1)
	err = p.r.each(ctx, query, func(scan func(...any) error) error {
		var leaf uint64
		err := scan(&leaf)
		who.leaves = append(who.leaves, leaf)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read leaves: %w", err)
	}
	who.isVast = len(who.leaves) > reachMax
	return who, nil
}

// ids gives the list of an IN.
func (w *Person) ids() string {
	texts := []string{"toUUID('" + w.ID.String() + "')"}
	for _, a := range w.aliases {
		texts = append(texts, "toUUID('"+a.String()+"')")
	}
	return strings.Join(texts, ",")
}

// where gives the condition that a row of events_resolved is the person's. The ids of the time of processing are named beside the one that
// counts, so that the index finds them.
func (w *Person) where() string {
	is := "profile_id = toUUID('" + w.ID.String() + "')"
	switch {
	case w.isVast:
		return is
	case len(w.leaves) == 0:
		return is + " AND profile_id_processed IN (" + w.ids() + ")"
	}
	return is + " AND (profile_id_processed IN (" + w.ids() + ") OR leaf IN (" + list(w.leaves) + "))"
}

// Step is a step of a person's journey.
type Step struct {
	Time     schemas.Time
	From, To string // From is empty for somebody new
	Reason   string
}

// Journey gives the latest steps of a person, the latest first. Steps that were made under an id that was merged away since were another's.
func (p *ProfileReader) Journey(ctx context.Context, id schemas.ProfileID, most int) (steps []Step, err error) {
	query := fmt.Sprintf(`SELECT time, toString(from_stage), toString(to_stage), toString(reason) FROM {database}.journey_changes FINAL WHERE profile_id = ?
		ORDER BY time DESC, _batch DESC, to_stage LIMIT %d`, most)
	err = p.r.each(ctx, query, func(scan func(...any) error) error {
		var step Step
		var at time.Time
		err := scan(&at, &step.From, &step.To, &step.Reason)
		step.Time = timeOf(at)
		steps = append(steps, step)
		return err
	}, uuid.UUID(id))
	if err != nil {
		return nil, fmt.Errorf("read the journey: %w", err)
	}
	return steps, nil
}

// EventCount is how many events of a type a person has, done by the person or by machines.
type EventCount struct {
	Type    string
	Machine bool
	Events  uint64
	First   schemas.Time
	Last    schemas.Time
}

// Counts gives how many events of each type there are, by type; those of people before those of machines.
func (p *ProfileReader) Counts(ctx context.Context, who *Person) (counts []EventCount, err error) {
	query := "SELECT toString(type), machine, count(), min(event_time), max(event_time) FROM {database}.events_resolved WHERE " + who.where() +
		" GROUP BY type, machine ORDER BY toString(type), machine"
	err = p.r.each(ctx, query, func(scan func(...any) error) error {
		var c EventCount
		var first, last time.Time
		err := scan(&c.Type, &c.Machine, &c.Events, &first, &last)
		c.First, c.Last = timeOf(first), timeOf(last)
		counts = append(counts, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	return counts, nil
}

// Look is a product that somebody looked at, and when last.
type Look struct {
	SKU  string
	Last schemas.Time
}

// Looks gives the products that a person looked at, the latest first.
func (p *ProfileReader) Looks(ctx context.Context, who *Person, most int) (looks []Look, err error) {
	query := fmt.Sprintf(`SELECT sku, max(event_time) AS last FROM {database}.events_resolved WHERE %s AND sku != ''
		AND type IN ('product_view', 'product_click', 'wishlist_add') GROUP BY sku ORDER BY last DESC, sku LIMIT %d`, who.where(), most)
	err = p.r.each(ctx, query, func(scan func(...any) error) error {
		var l Look
		var last time.Time
		err := scan(&l.SKU, &last)
		l.Last = timeOf(last)
		looks = append(looks, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what was looked at: %w", err)
	}
	return looks, nil
}

// Models gives the rows of the table models that scores of a version were computed with: of each model the newest up to it, since one that
// could not be fitted keeps its parameters.
func (p *ProfileReader) Models(ctx context.Context, version uint32) (models []schemas.Model, err error) {
	query := `SELECT toString(name), version, fitted_at, people, log_likelihood, arraySort(mapKeys(parameters)), arrayMap(k -> parameters[k], arraySort(mapKeys(parameters)))
		FROM {database}.models FINAL WHERE version <= ? ORDER BY name, version DESC LIMIT 1 BY name`
	err = p.r.each(ctx, query, func(scan func(...any) error) error {
		var m schemas.Model
		var at time.Time
		var names []string
		var values []float64
		if err := scan(&m.Name, &m.Version, &at, &m.People, &m.LogLikelihood, &names, &values); err != nil {
			return err
		}
		m.FittedAt = timeOf(at)
		for i := range names {
			m.Parameters = append(m.Parameters, schemas.Parameter{Name: names[i], Value: values[i]})
		}
		models = append(models, m)
		return nil
	}, version)
	if err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	return models, nil
}
