package stitch

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// player takes a history through the engine and keeps what leaves it, as the tables would.
type player struct {
	stage        *Stage
	rules        *Rules
	batch        schemas.Batch
	commands     int
	events       []played
	rows         map[uint64]schemas.IdentifierRow
	aliases      map[schemas.ProfileID]schemas.ProfileID
	attributions map[uint32]schemas.ProfileID
	decisions    []schemas.Decision
	newest       map[[2]uint64]schemas.Decision // of each pair
}

// played is an event as its row is written.
type played struct {
	name    string
	ids     []uint64
	leaf    uint32
	profile schemas.ProfileID
}

func newPlayer(rules *Rules) *player {
	return &player{stage: New(rules, []byte("test"), nil, prometheus.NewRegistry()), rules: rules,
		rows: map[uint64]schemas.IdentifierRow{}, aliases: map[schemas.ProfileID]schemas.ProfileID{},
		attributions: map[uint32]schemas.ProfileID{}, newest: map[[2]uint64]schemas.Decision{}}
}

// play takes entries through the stage as one batch.
func (p *player) play(entries []storyEntry) error {
	b := &p.batch
	b.Reset()
	b.Number++
	for i := range entries {
		b.Events = append(b.Events, p.event(&entries[i]))
	}
	all := slices.Clone(b.Events)
	if err := p.stage.Begin(b); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	m := &schemas.Moment{}
	for _, e := range all {
		m.Event, m.Touched = e, m.Touched[:0]
		if err := p.stage.Step(b, m); err != nil {
			return fmt.Errorf("step %s: %w", e.ID, err)
		}
	}
	if err := p.stage.Apply(b); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	return p.take(all)
}

// event makes the event of an entry. A statement has none.
func (p *player) event(entry *storyEntry) *schemas.Event {
	e := &schemas.Event{ID: entry.name, Time: entry.at, Identifiers: slices.Clone(entry.ids), Command: entry.command}
	if e.Command.Kind != schemas.CommandNone {
		p.commands++
		e.ID = fmt.Sprint("command-", p.commands)
	}
	return e
}

// take keeps what a batch gave.
func (p *player) take(all []*schemas.Event) error {
	b := &p.batch
	b.CheckStitched()
	rest := 0
	for _, e := range all {
		if e.Command.Kind != schemas.CommandNone {
			continue
		}
		if rest >= len(b.Events) || b.Events[rest] != e {
			return fmt.Errorf("event %s is not in its place in the closed batch", e.ID)
		}
		rest++
		p.events = append(p.events, played{e.ID, slices.Clone(e.IdentifierIDs), e.Leaf, e.ProfileID})
	}
	if rest != len(b.Events) {
		return errors.New("a command stays in the closed batch")
	}
	for _, row := range b.Identifiers {
		p.rows[row.ID] = row
	}
	for _, a := range b.Aliases {
		p.aliases[a.AliasID] = a.ProfileID
	}
	for _, a := range b.Attributions {
		p.attributions[a.Leaf] = a.ProfileID
	}
	for _, d := range b.Decisions {
		if d.Position != uint64(len(p.decisions))+1 {
			return fmt.Errorf("decision %v has not position %d", d, len(p.decisions)+1)
		}
		p.decisions = append(p.decisions, d)
		switch d.Kind {
		case schemas.DecisionLinked, schemas.DecisionMerged, schemas.DecisionRefused, schemas.DecisionRetracted:
			p.newest[[2]uint64{min(d.A, d.B), max(d.A, d.B)}] = d
		}
	}
	return nil
}

// resolve gives the living profile of an id.
func (p *player) resolve(id schemas.ProfileID) schemas.ProfileID {
	if to, ok := p.aliases[id]; ok {
		return to
	}
	return id
}

// person gives whom an event belongs to now, as events_resolved does.
func (p *player) person(e *played) schemas.ProfileID {
	if to, ok := p.attributions[e.leaf]; ok {
		return p.resolve(to)
	}
	return p.resolve(e.profile)
}

// restart goes on with a new stage that loads what this one saved to the shelf.
func (p *player) restart(to shelf) error {
	if err := p.stage.Save(to); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	p.stage = New(p.rules, []byte("test"), nil, prometheus.NewRegistry())
	if err := p.stage.Load(to); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return nil
}

// shelf is a store in memory.
type shelf map[string]string

func (s shelf) Put(key, value []byte) error {
	s[string(key)] = string(value)
	return nil
}

func (s shelf) Delete(key []byte) error {
	delete(s, string(key))
	return nil
}

func (s shelf) DeleteRange(from, to []byte) error {
	maps.DeleteFunc(s, func(key, _ string) bool { return key >= string(from) && key < string(to) })
	return nil
}

func (s shelf) Each(f func(key, value []byte) error) error {
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if err := f([]byte(key), []byte(s[key])); err != nil {
			return err
		}
	}
	return nil
}
