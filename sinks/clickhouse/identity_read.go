package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"github.com/seamline/seamline/schemas"
)

// IdentityReader answers questions of operators about identities from the tables. One goroutine uses it at a time.
type IdentityReader struct {
	cfg  Config
	conn driver.Conn
}

// OpenIdentityReader makes a reader, which connects when it is first asked.
func OpenIdentityReader(cfg Config) (*IdentityReader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	conn, err := cfg.open()
	if err != nil {
		return nil, fmt.Errorf("read identities: %w", err)
	}
	return &IdentityReader{cfg: cfg, conn: conn}, nil
}

// Close ends the connection.
func (r *IdentityReader) Close() error { return r.conn.Close() }

// each runs a query and calls scan for every row.
func (r *IdentityReader) each(ctx context.Context, query string, scan func(row func(into ...any) error) error, args ...any) error {
	rows, err := r.conn.Query(ctx, strings.ReplaceAll(query, "{database}", r.cfg.Database), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readIDsMax bounds the text of a query: numbers have up to 20 digits, and a query 256 KiB.
const readIDsMax = 5000

// list gives numbers as the list of an IN.
func list(ids []uint64) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(id, 10))
	}
	return b.String()
}

// IdentifierKey names an identifier as the table identifiers does.
type IdentifierKey struct {
	Namespace string
	Hash      [16]byte
}

const identifierColumns = "identifier_id, toString(namespace), value_hash, display, profile_id, toString(class), first_seen, last_seen, quarantined"

// Find gives the row of a key's identifier: where a value was erased and came again, the newest. It gives false where there is none.
func (r *IdentityReader) Find(ctx context.Context, key IdentifierKey) (row schemas.IdentifierRow, known bool, err error) {
	query := fmt.Sprintf("SELECT %s FROM {database}.identifiers FINAL WHERE value_hash = unhex('%x') AND namespace = ? ORDER BY identifier_id DESC LIMIT 1",
		identifierColumns, key.Hash)
	err = r.each(ctx, query, func(scan func(...any) error) error {
		known = true
		row, err = scanIdentifier(scan)
		return err
	}, key.Namespace)
	if err != nil {
		return row, false, fmt.Errorf("look for an identifier: %w", err)
	}
	return row, known, nil
}

// Identifiers gives the rows of identifiers by id. Those that have none are missing.
func (r *IdentityReader) Identifiers(ctx context.Context, ids []uint64) (map[uint64]schemas.IdentifierRow, error) {
	found := map[uint64]schemas.IdentifierRow{}
	for some := range slices.Chunk(ids, readIDsMax) {
		query := fmt.Sprintf("SELECT %s FROM {database}.identifiers FINAL WHERE identifier_id IN (%s)", identifierColumns, list(some))
		err := r.each(ctx, query, func(scan func(...any) error) error {
			row, err := scanIdentifier(scan)
			found[row.ID] = row
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read identifiers: %w", err)
		}
	}
	return found, nil
}

func scanIdentifier(scan func(...any) error) (row schemas.IdentifierRow, err error) {
	var hash, class string
	var profile uuid.UUID
	var first, last time.Time
	if err := scan(&row.ID, &row.Namespace, &hash, &row.Display, &profile, &class, &first, &last, &row.Quarantined); err != nil {
		return row, err
	}
	copy(row.ValueHash[:], hash)
	row.ProfileID, row.FirstSeen, row.LastSeen = schemas.ProfileID(profile), timeOf(first), timeOf(last)
	row.Class, _ = schemas.ParseClass(class)
	return row, nil
}

// timeOf reads a column in which 1970 means none.
func timeOf(t time.Time) schemas.Time { return schemas.Time(t.UnixMilli()) }

// DecisionQuery says which rows of identity_log are wanted.
type DecisionQuery struct {
	Identifiers []uint64     // rows that name one of them
	AsOf        schemas.Time // only those whose time is not later; 0 for all
	Newest      bool         // of too many the newest, not the oldest
	Max         int          // most rows
}

const decisionColumns = "position, time, toString(kind), a_id, toString(a_namespace), b_id, toString(b_namespace), profile_id, other_profile_id, toString(rule), event_id"

// Decisions gives rows of identity_log by position, and whether there are more than the most.
func (r *IdentityReader) Decisions(ctx context.Context, q DecisionQuery) (rows []schemas.Decision, isCut bool, err error) {
	seen := map[uint64]bool{} // a row whose ends fall into two questions comes twice
	for some := range slices.Chunk(q.Identifiers, readIDsMax) {
		ids := list(some)
		where := fmt.Sprintf("(a_id IN (%[1]s) OR b_id IN (%[1]s))", ids)
		if q.AsOf != 0 {
			where += fmt.Sprintf(" AND time <= fromUnixTimestamp64Milli(%d, 'UTC')", int64(q.AsOf))
		}
		order := "position"
		if q.Newest {
			order = "position DESC"
		}
		// Without FINAL, so that the indexes of a_id and b_id serve; of a position's rows the newest counts.
		query := fmt.Sprintf("SELECT %s FROM {database}.identity_log WHERE %s ORDER BY %s, _batch DESC LIMIT 1 BY position LIMIT %d",
			decisionColumns, where, order, q.Max+1)
		err := r.each(ctx, query, func(scan func(...any) error) error {
			d, err := scanDecision(scan)
			if err == nil && !seen[d.Position] {
				seen[d.Position] = true
				rows = append(rows, d)
			}
			return err
		})
		if err != nil {
			return nil, false, fmt.Errorf("read the identity log: %w", err)
		}
		if len(rows) > q.Max {
			isCut = true
			if rows = q.trim(rows); !q.Newest {
				return rows, true, nil // the rest would be cut off as well
			}
		}
	}
	return q.trim(rows), isCut, nil
}

// trim sorts rows by position and leaves the most that are wanted.
func (q *DecisionQuery) trim(rows []schemas.Decision) []schemas.Decision {
	slices.SortFunc(rows, func(x, y schemas.Decision) int { return cmp.Compare(x.Position, y.Position) })
	switch {
	case len(rows) <= q.Max:
		return rows
	case q.Newest:
		return slices.Delete(rows, 0, len(rows)-q.Max)
	}
	return rows[:q.Max]
}

// DecisionsOf gives the rows that an event or a command made, behind a position, by position.
func (r *IdentityReader) DecisionsOf(ctx context.Context, eventID string, after uint64) (rows []schemas.Decision, err error) {
	query := fmt.Sprintf("SELECT %s FROM {database}.identity_log WHERE position > ? AND event_id = ? ORDER BY position, _batch DESC LIMIT 1 BY position LIMIT %d",
		decisionColumns, decisionsOfMax)
	err = r.each(ctx, query, func(scan func(...any) error) error {
		d, err := scanDecision(scan)
		rows = append(rows, d)
		return err
	}, after, eventID)
	if err != nil {
		return nil, fmt.Errorf("read the identity log: %w", err)
	}
	return rows, nil
}

// decisionsOfMax bounds what is read of what one command did.
const decisionsOfMax = 500_000

func scanDecision(scan func(...any) error) (d schemas.Decision, err error) {
	var at time.Time
	var kind string
	var profile, other uuid.UUID
	if err := scan(&d.Position, &at, &kind, &d.A, &d.ANamespace, &d.B, &d.BNamespace, &profile, &other, &d.Rule, &d.EventID); err != nil {
		return d, err
	}
	d.Time, d.ProfileID, d.OtherProfile = timeOf(at), schemas.ProfileID(profile), schemas.ProfileID(other)
	k := slices.Index(schemas.DecisionNames(), kind)
	if k < 0 {
		return d, fmt.Errorf("kind %q of position %d is unknown to this build", kind, d.Position)
	}
	d.Kind = schemas.DecisionKind(k)
	return d, nil
}

// Evidence is how often two identifiers came together in one event.
type Evidence struct {
	Events  uint64
	First   schemas.Time
	Last    schemas.Time
	LastID  string
	FirstID string
}

// EvidenceQuery names two identifiers, as their rows are.
type EvidenceQuery struct{ A, B schemas.IdentifierRow }

// Evidence counts the events that name both identifiers of each query, up to a time; 0 for all. Their first and last times bound what
// is read.
func (r *IdentityReader) Evidence(ctx context.Context, queries []EvidenceQuery, asOf schemas.Time) ([]Evidence, error) {
	if asOf == 0 {
		asOf = math.MaxInt64
	}
	found := make([]Evidence, len(queries))
	for from := 0; from < len(queries); from += evidenceMax {
		var parts []string
		for i := from; i < min(from+evidenceMax, len(queries)); i++ {
			a, b := queries[i].A, queries[i].B
			parts = append(parts, fmt.Sprintf(`SELECT toUInt64(%d), uniqExact(event_time, source, event_id), min(event_time), argMin(event_id, (event_time, event_id)),
				max(event_time), argMax(event_id, (event_time, event_id)) FROM {database}.events
				WHERE event_time >= fromUnixTimestamp64Milli(%d, 'UTC') AND event_time <= fromUnixTimestamp64Milli(%d, 'UTC') AND has(identifiers, %d) AND has(identifiers, %d)`,
				i, int64(max(a.FirstSeen, b.FirstSeen)), int64(min(a.LastSeen, b.LastSeen, asOf)), a.ID, b.ID))
		}
		err := r.each(ctx, strings.Join(parts, " UNION ALL "), func(scan func(...any) error) error {
			var i uint64
			var e Evidence
			var first, last time.Time
			if err := scan(&i, &e.Events, &first, &e.FirstID, &last, &e.LastID); err != nil {
				return err
			}
			if e.Events > 0 {
				e.First, e.Last = timeOf(first), timeOf(last)
				found[i] = e
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("count evidence: %w", err)
		}
	}
	return found, nil
}

// evidenceMax bounds the parts of one query.
const evidenceMax = 16

// EventRef names an event as the identity log does.
type EventRef struct {
	ID   string
	Time schemas.Time
}

// EventSource is where an event came from.
type EventSource struct{ Source, Channel, Type string }

// EventSources tells where events came from, as far as they are still in the table.
func (r *IdentityReader) EventSources(ctx context.Context, refs []EventRef) (map[EventRef]EventSource, error) {
	found := map[EventRef]EventSource{}
	for some := range slices.Chunk(refs, idsMax) {
		var in strings.Builder
		for i, ref := range some {
			if i > 0 {
				in.WriteByte(',')
			}
			fmt.Fprintf(&in, "(fromUnixTimestamp64Milli(%d, 'UTC'), %s)", int64(ref.Time), quote(ref.ID))
		}
		query := "SELECT event_id, event_time, toString(source), toString(channel), toString(type) FROM {database}.events WHERE (event_time, event_id) IN (" + in.String() +
			") ORDER BY source DESC, _batch"
		err := r.each(ctx, query, func(scan func(...any) error) error {
			var ref EventRef
			var at time.Time
			var s EventSource
			err := scan(&ref.ID, &at, &s.Source, &s.Channel, &s.Type)
			ref.Time = timeOf(at)
			found[ref] = s
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look for events: %w", err)
		}
	}
	return found, nil
}

// Alias tells what a profile id resolves to, since when, and whether it is an alias at all. One whose merge was taken back is none.
func (r *IdentityReader) Alias(ctx context.Context, id schemas.ProfileID) (to schemas.ProfileID, since schemas.Time, is bool, err error) {
	err = r.each(ctx, "SELECT profile_id, since FROM {database}.profile_aliases FINAL WHERE alias_id = ?", func(scan func(...any) error) error {
		var profile uuid.UUID
		var at time.Time
		err := scan(&profile, &at)
		to, since, is = schemas.ProfileID(profile), timeOf(at), schemas.ProfileID(profile) != id
		return err
	}, uuid.UUID(id))
	if err != nil {
		return to, since, false, fmt.Errorf("read aliases: %w", err)
	}
	return to, since, is, nil
}

// Pairs calls f for every link of the identity log, in the order of its first evidence, with the row that first had it.
func (r *IdentityReader) Pairs(ctx context.Context, f func(d schemas.Decision) error) error {
	query := fmt.Sprintf("SELECT %s FROM {database}.identity_log FINAL WHERE b_id != 0 AND kind IN ('linked', 'merged', 'refused') ORDER BY position LIMIT 1 BY least(a_id, b_id), greatest(a_id, b_id)",
		decisionColumns)
	err := r.each(ctx, query, func(scan func(...any) error) error {
		d, err := scanDecision(scan)
		if err != nil {
			return err
		}
		return f(d)
	})
	if err != nil {
		return fmt.Errorf("read the identity log: %w", err)
	}
	return nil
}
