package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seamline/seamline/pipeline/explain"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

func runIdentityExplain(ctx context.Context, args []string) error {
	s := defaultSettings()
	fs := flag.NewFlagSet("identity explain", flag.ContinueOnError)
	var asOf timeFlag
	asJSON := fs.Bool("json", false, "print JSON")
	fs.Var(&asOf, "as-of", "RFC 3339 time: answer from what was decided on events up to then")
	if err := s.parseMixed(fs, args); err != nil {
		return err
	}
	ids, err := parseIdentifiers(fs.Args(), 1, 2)
	if err != nil {
		return usageError{fmt.Errorf("identity explain: %w", err)}
	}
	if err := s.ClickHouse.Validate(); err != nil {
		return usageError{err}
	}
	desk, err := openDesk(&s)
	if err != nil {
		return err
	}
	defer desk.reader.Close()
	if len(ids) == 1 {
		answer, err := desk.explainOne(ctx, ids[0], schemas.Time(asOf))
		if err != nil {
			return err
		}
		return show(os.Stdout, *asJSON, answer)
	}
	answer, err := desk.explain(ctx, ids[0], ids[1], schemas.Time(asOf))
	if err != nil {
		return err
	}
	return show(os.Stdout, *asJSON, answer)
}

// show prints an answer as JSON or as text.
func show(out io.Writer, asJSON bool, answer interface{ print(out io.Writer) error }) error {
	if !asJSON {
		return answer.print(out)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(answer)
}

// shownIdentifier is an identifier as operators see it: never with its value.
type shownIdentifier struct {
	ID          uint64             `json:"identifier_id"`
	Namespace   string             `json:"namespace"`
	Display     string             `json:"display"`
	Class       string             `json:"class"`
	ProfileID   *schemas.ProfileID `json:"profile_id,omitempty"` // missing where it is not known
	FirstSeen   schemas.Time       `json:"first_seen"`
	LastSeen    schemas.Time       `json:"last_seen"`
	Quarantined bool               `json:"quarantined"`
}

func shown(row schemas.IdentifierRow) shownIdentifier {
	s := shownIdentifier{ID: row.ID, Namespace: row.Namespace, Display: row.Display, Class: row.Class.String(), FirstSeen: row.FirstSeen, LastSeen: row.LastSeen,
		Quarantined: row.Quarantined}
	s.belongTo(row.ProfileID)
	return s
}

func (s *shownIdentifier) belongTo(id schemas.ProfileID) {
	if s.ProfileID = nil; !id.IsZero() {
		s.ProfileID = &id
	}
}

// shownEvent is an event that gave evidence.
type shownEvent struct {
	ID      string       `json:"event_id"`
	Time    schemas.Time `json:"time"`
	Source  string       `json:"source,omitempty"` // with channel and type: empty where the event is not in the tables any more
	Channel string       `json:"channel,omitempty"`
	Type    string       `json:"type,omitempty"`
}

// shownStep is one link of a chain.
type shownStep struct {
	From     shownIdentifier `json:"from"`
	To       shownIdentifier `json:"to"`
	State    explain.State   `json:"state"`
	Decision string          `json:"decision"`       // of the row that says what holds
	Rule     string          `json:"rule,omitempty"` // of that row
	Position uint64          `json:"position"`       // of that row in identity_log
	Decided  schemas.Time    `json:"decided"`
	Lent     bool            `json:"lent,omitempty"` // the shared end follows the other's records all the same
	First    shownEvent      `json:"first"`
	Last     *shownEvent     `json:"last,omitempty"`
	Events   uint64          `json:"events"` // that name both
}

// explanation is why two identifiers are one person, or why they are not.
type explanation struct {
	A         shownIdentifier `json:"a"`
	B         shownIdentifier `json:"b"`
	AsOf      *schemas.Time   `json:"as_of,omitempty"`
	Together  bool            `json:"together"`
	Summary   string          `json:"summary"`
	Chain     []shownStep     `json:"chain"` // where they are apart, with the links that would have joined them
	Truncated bool            `json:"truncated"`
	Seen      int             `json:"identifiers_seen"`
}

// search walks the identity log. Of too many rows it reads the newest, so that what it knows of a link is what holds.
func (d *identityDesk) search(ctx context.Context, a, b uint64, asOf schemas.Time) (*explain.Search, error) {
	limits := d.limits
	limits.Whole = asOf != 0
	s := explain.New(a, b, limits)
	for ids := s.Wanted(); len(ids) > 0; ids = s.Wanted() {
		rows, isCut, err := d.reader.Decisions(ctx, clickhouse.DecisionQuery{Identifiers: ids, AsOf: asOf, Newest: true, Max: d.rows})
		if err != nil {
			return nil, err
		}
		s.Add(rows, isCut)
	}
	return s, nil
}

// explain tells why two identifiers are one person, or why they are not; as of a time, or now where that is 0.
func (d *identityDesk) explain(ctx context.Context, a, b schemas.Identifier, asOf schemas.Time) (*explanation, error) {
	x, err := d.find(ctx, "a ("+a.Namespace+")", a)
	if err != nil {
		return nil, err
	}
	y, err := d.find(ctx, "b ("+b.Namespace+")", b)
	if err != nil {
		return nil, err
	}
	return d.explainRows(ctx, x, y, asOf)
}

func (d *identityDesk) explainRows(ctx context.Context, x, y schemas.IdentifierRow, asOf schemas.Time) (*explanation, error) {
	search, err := d.search(ctx, x.ID, y.ID, asOf)
	if err != nil {
		return nil, err
	}
	found := search.Answer()
	e := &explanation{A: shown(x), B: shown(y), Together: found.Together, Truncated: found.Truncated, Seen: found.Seen, Chain: []shownStep{}}
	if asOf != 0 {
		e.AsOf = &asOf
		e.A.belongTo(found.ProfileA)
		e.B.belongTo(found.ProfileB)
	}
	if e.Chain, err = d.chain(ctx, found.Chain, asOf); err != nil {
		return nil, err
	}
	e.Summary = e.summarise(x.ID == y.ID)
	return e, nil
}

// evidenceWaitMax bounds how long the events of a chain are counted.
const evidenceWaitMax = time.Minute

// chain fills the steps of a chain from the tables.
func (d *identityDesk) chain(ctx context.Context, steps []explain.Step, asOf schemas.Time) ([]shownStep, error) {
	chain := make([]shownStep, 0, len(steps))
	if len(steps) == 0 {
		return chain, nil
	}
	ids := []uint64{steps[0].From}
	for _, s := range steps {
		ids = append(ids, s.To)
	}
	rows, err := d.reader.Identifiers(ctx, ids)
	if err != nil {
		return nil, err
	}
	var queries []clickhouse.EvidenceQuery
	refs := map[clickhouse.EventRef]bool{}
	for _, s := range steps {
		queries = append(queries, clickhouse.EvidenceQuery{A: rows[s.From], B: rows[s.To]})
		refs[clickhouse.EventRef{ID: s.First.EventID, Time: s.First.Time}] = true
	}
	counting, cancel := context.WithTimeout(ctx, evidenceWaitMax)
	defer cancel()
	evidence, err := d.reader.Evidence(counting, queries, asOf)
	if err != nil {
		return nil, err
	}
	for _, e := range evidence {
		if e.Events > 0 {
			refs[clickhouse.EventRef{ID: e.LastID, Time: e.Last}] = true
		}
	}
	list := make([]clickhouse.EventRef, 0, len(refs))
	for ref := range refs {
		list = append(list, ref)
	}
	sources, err := d.reader.EventSources(ctx, list)
	if err != nil {
		return nil, err
	}
	event := func(id string, at schemas.Time) shownEvent {
		s := sources[clickhouse.EventRef{ID: id, Time: at}]
		return shownEvent{ID: id, Time: at, Source: s.Source, Channel: s.Channel, Type: s.Type}
	}
	for i, s := range steps {
		step := shownStep{From: shown(rows[s.From]), To: shown(rows[s.To]), State: s.State, Decision: s.Now.Kind.String(), Rule: s.Now.Rule,
			Position: s.Now.Position, Decided: s.Now.Time, Lent: s.Lent, Events: evidence[i].Events, First: event(s.First.EventID, s.First.Time)}
		if e := evidence[i]; e.Events > 0 {
			last := event(e.LastID, e.Last)
			step.Last = &last
		}
		chain = append(chain, step)
	}
	return chain, nil
}

// errNoLink says that there is nothing to retract.
var errNoLink = errors.New("there is no link between the two")
