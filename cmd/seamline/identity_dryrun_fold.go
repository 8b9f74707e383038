package main

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/schemas"
)

// drySide is one of the two folds of a dry run.
type drySide struct {
	rules   *stitch.Rules
	stage   *stitch.Stage
	batch   schemas.Batch
	counts  map[dryDecision]uint64
	numbers []uint64 // of a log: its number for each identifier of the stage
}

// dryDecision is a kind of decision by a rule.
type dryDecision struct{ kind, rule string }

// dryFold folds the same events twice. Where events are after it is kept by leaf: an event belongs to one leaf under each set of rules,
// so what both sides say of all events fits into a table of pairs of leaves.
type dryFold struct {
	inForce, other  *drySide
	pairs           *slab.Table[uint64, uint64] // events by their leaves: that in force above, the other below
	records, events uint64
	leaves          []uint32 // of the events of the batch at hand, under the rules in force
	isLog           bool
	ends            [][2]uint64 // of a log: the numbers of the identifiers of the batch's events
	progress        func()
	resolve         func(ids []uint64) (map[uint64]schemas.IdentifierRow, error) // of a log: the rows of its numbers
}

func newDryFold(s *settings, path string, space *slab.Space) (*dryFold, error) {
	inForce, other, err := dryRules(s, path)
	if err != nil {
		return nil, err
	}
	key, _, err := s.Identity.Secret()
	if err != nil {
		return nil, err
	}
	side := func(rules *stitch.Rules) *drySide {
		return &drySide{rules: rules, stage: stitch.New(rules, key, space, prometheus.NewRegistry()), counts: map[dryDecision]uint64{}}
	}
	return &dryFold{inForce: side(inForce), other: side(other), pairs: slab.NewTable[uint64, uint64](nil, slab.Hash64), progress: func() {}}, nil
}

// fold takes the batch's events through both sides.
func (f *dryFold) fold(b *schemas.Batch) error {
	f.leaves = f.leaves[:0]
	if err := f.inForce.fold(b, f.ends, func(e *schemas.Event) { f.leaves = append(f.leaves, e.Leaf) }); err != nil {
		return err
	}
	i := 0
	err := f.other.fold(b, f.ends, func(e *schemas.Event) {
		key := uint64(f.leaves[i])<<32 | uint64(e.Leaf)
		i++
		if e.Command.Kind != schemas.CommandNone {
			return
		}
		f.events++
		if n := f.pairs.Ref(key); n != nil {
			*n++
		} else {
			f.pairs.Put(key, 1)
		}
	})
	f.progress()
	return err
}

// fold takes the batch's events through one side, and tells of each. It leaves nothing in them.
func (d *drySide) fold(b *schemas.Batch, ends [][2]uint64, each func(e *schemas.Event)) error {
	d.batch.Reset()
	d.batch.Number, d.batch.Now, d.batch.Latest = b.Number, b.Now, b.Latest
	d.batch.Events = append(d.batch.Events, b.Events...)
	if err := d.stage.Begin(&d.batch); err != nil {
		return fmt.Errorf("dry run: %w", err)
	}
	var m schemas.Moment
	for i, e := range b.Events {
		m.Event, m.Touched = e, m.Touched[:0]
		if err := d.stage.Step(&d.batch, &m); err != nil {
			return fmt.Errorf("dry run: %w", err)
		}
		if ends != nil {
			d.number(e, ends[i])
		}
		each(e)
		e.IdentifierIDs, e.Leaf, e.Profile, e.ProfileID = nil, 0, 0, schemas.ProfileID{}
	}
	if err := d.stage.Apply(&d.batch); err != nil {
		return fmt.Errorf("dry run: %w", err)
	}
	for i := range d.batch.Decisions {
		d.count(&d.batch.Decisions[i])
	}
	return d.stage.Save(pipeline.Nowhere{}) // or it would remember for ever what there is to save
}

// number notes which numbers of the log an event's identifiers are. Two of one namespace stand in the event's order.
func (d *drySide) number(e *schemas.Event, ends [2]uint64) {
	var fresh []uint64
	for _, id := range e.IdentifierIDs {
		for uint64(len(d.numbers)) <= id {
			d.numbers = append(d.numbers, 0)
		}
		if n := d.numbers[id]; n == 0 {
			fresh = append(fresh, id)
		} else if n == ends[0] {
			ends[0] = 0
		} else {
			ends[1] = 0
		}
	}
	for _, id := range fresh {
		namespace := d.stage.Identifier(uint32(id)).Namespace
		for i, raw := range e.Identifiers {
			if ends[i] != 0 && raw.Namespace == namespace {
				d.numbers[id], ends[i] = ends[i], 0
				break
			}
		}
	}
}

// decisionsMax bounds the distinct rules that are counted.
const decisionsMax = 1000

// count counts a decision by its rule. What an operator wrote is no rule.
func (d *drySide) count(x *schemas.Decision) {
	rule := x.Rule
	for _, order := range []string{"command: ", "erase: "} {
		if strings.HasPrefix(rule, order) {
			rule = strings.TrimSuffix(order, ": ")
		}
	}
	key := dryDecision{x.Kind.String(), rule}
	if _, known := d.counts[key]; !known && len(d.counts) >= decisionsMax {
		key.rule = "others"
	}
	d.counts[key]++
}
