package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/consumers/decode"
	"github.com/seamline/seamline/pipeline"
	"github.com/seamline/seamline/pipeline/audience"
	"github.com/seamline/seamline/pipeline/dedup"
	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/pipeline/timers"
	"github.com/seamline/seamline/schemas"
)

// rehearsedSide is the audience stage under one set of rules. What it would write is thrown away: only who is in which audience is asked.
type rehearsedSide struct {
	*audience.Stage
	rules []audience.Rule
}

// Step implements schemas.Folder.
func (r *rehearsedSide) Step(b *schemas.Batch, m *schemas.Moment) error {
	memberships, changes := len(b.Memberships), len(b.Changes)
	err := r.Stage.Step(b, m)
	b.Memberships, b.Changes = b.Memberships[:memberships], b.Changes[:changes]
	return err
}

// rehearsedAudiences is a line over the topics, with the audiences of the rules in force, and of other rules beside them.
type rehearsedAudiences struct {
	stitch          *stitch.Stage
	inForce, other  *rehearsedSide // other is nil where only those in force are looked at
	line            *pipeline.Rehearsal
	records, events uint64
	now             schemas.Time
}

// previewAudiences takes the topics through the line in memory, and asks at the end who is where. It writes nothing but temporary state,
// joins no consumer group, and commits nothing.
func previewAudiences(ctx context.Context, s *settings, opt previewOptions) (report *previewReport, err error) {
	s = s.withinMemory()
	err = inPassing(ctx, s, func(space *slab.Space) error {
		r, err := rehearseAudiences(s, opt.file, space)
		if err != nil {
			return err
		}
		if err := r.known(opt.only); err != nil {
			return err
		}
		if err := r.read(ctx, s, space, opt); err != nil {
			return err
		}
		report = r.report(opt)
		return nil
	})
	return report, err
}

// rehearseAudiences makes the stages.
func rehearseAudiences(s *settings, file string, space *slab.Space) (*rehearsedAudiences, error) {
	r := &rehearsedAudiences{}
	rules, err := stitch.ReadRules(s.Identity.Rules)
	if err != nil {
		return nil, err
	}
	key, _, err := s.Identity.Secret()
	if err != nil {
		return nil, err
	}
	scoring := s.Score
	if err := scoring.ReadRules(); err != nil {
		return nil, err
	}
	reg := prometheus.NewRegistry()
	r.stitch = stitch.New(rules, key, space, reg)
	sides := []**rehearsedSide{&r.inForce, &r.other}
	for i, path := range []string{s.Audiences.Rules, file} {
		if i > 0 && path == "" {
			continue
		}
		list, err := audience.ReadRules(path)
		if err != nil {
			return nil, err
		}
		*sides[i] = &rehearsedSide{rules: list, Stage: audience.New(s.Audiences, list, r.stitch, space, prometheus.NewRegistry())}
	}
	scores := score.New(scoring, r.stitch, space, reg)
	stages := []schemas.Stage{decode.New(s.Decode, sources(s), reg), dedup.New(s.Dedup, space, reg), r.stitch, scores, r.inForce}
	if r.other != nil {
		stages = append(stages, r.other)
	}
	scores.Serve(r.reads)
	r.line = pipeline.Rehearse(append(stages, timers.New(space, reg)), space.Cool)
	return r, nil
}

// reads gives what either side reads.
func (r *rehearsedAudiences) reads(e *schemas.Event, changed schemas.Fields) schemas.Fields {
	all := r.inForce.Reads(e, changed)
	if r.other != nil {
		all |= r.other.Reads(e, changed)
	}
	return all
}

// known finds an audience that neither side has.
func (r *rehearsedAudiences) known(name string) error {
	rules := r.inForce.rules
	if r.other != nil {
		rules = append(slices.Clip(rules), r.other.rules...)
	}
	if name == "" || slices.ContainsFunc(rules, func(a audience.Rule) bool { return a.Name == name }) {
		return nil
	}
	return usageError{fmt.Errorf("audiences preview: --audience: there is no audience %s", name)}
}

// read takes all records that the topics have at the start through the line.
func (r *rehearsedAudiences) read(ctx context.Context, s *settings, space *slab.Space, opt previewOptions) error {
	progress := newWaiting(opt.out)
	defer progress.end()
	began := time.Now()
	return readTopics(ctx, s, opt.now, opt.log, func(b *schemas.Batch) error {
		if err := r.line.Apply(b); err != nil {
			return err
		}
		r.records, r.events, r.now = r.records+uint64(len(b.Records)), r.events+uint64(len(b.Events)), b.Now
		progress.update(fmt.Sprintf("read %d records, %d events, %.0f s", r.records, r.events, time.Since(began).Seconds()))
		return space.Trim()
	})
}
