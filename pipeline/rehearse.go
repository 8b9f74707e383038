package pipeline

import (
	"fmt"
	"time"

	"github.com/seamline/seamline/schemas"
)

// Rehearsal takes batches through stages as a line does, but has no sinks and keeps nothing: what the stages made of them can be asked of
// the stages.
type Rehearsal struct {
	before  []schemas.Stage
	fold    *fold
	keepers []schemas.Keeper
}

// Rehearse makes a rehearsal of stages, in the order of the line; cool keeps the ceiling of their memory, nil for none.
func Rehearse(stages []schemas.Stage, cool func() error) *Rehearsal {
	r := &Rehearsal{}
	r.before, r.fold = split(Config{Stages: stages, Cool: cool, Clock: time.Now})
	for _, s := range stages {
		if k, ok := s.(schemas.Keeper); ok {
			r.keepers = append(r.keepers, cooled{Keeper: k, cooler: &r.fold.cooler})
		}
	}
	return r
}

// Apply takes a batch through the stages.
func (r *Rehearsal) Apply(b *schemas.Batch) error {
	for _, s := range r.before {
		if err := s.Apply(b); err != nil {
			return fmt.Errorf("%s: batch %d: %w", s.Name(), b.Number, err)
		}
	}
	b.CheckDecoded()
	if err := r.fold.apply(b); err != nil {
		return err
	}
	for _, k := range r.keepers { // or they would remember for ever what there is to save
		if err := k.Save(Nowhere{}); err != nil {
			return fmt.Errorf("%s: batch %d: %w", k.Name(), b.Number, err)
		}
	}
	return nil
}

// Nowhere takes state that nobody keeps.
type Nowhere struct{}

// Put does nothing.
func (Nowhere) Put([]byte, []byte) error { return nil }

// Delete does nothing.
func (Nowhere) Delete([]byte) error { return nil }

// DeleteRange does nothing.
func (Nowhere) DeleteRange([]byte, []byte) error { return nil }
