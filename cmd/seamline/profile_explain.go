package main

import (
	"context"
	"slices"

	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// shownScore is a score of a person. All below Values is there where an explanation was asked for.
type shownScore struct {
	Name    string         `json:"name"`
	Version int            `json:"version"` // of the formula
	Values  map[string]any `json:"values"`  // by column of profiles

	Inputs      map[string]any  `json:"inputs,omitempty"`
	Formula     string          `json:"formula,omitempty"`
	Source      string          `json:"source,omitempty"`
	Models      []*shownModel   `json:"models,omitempty"`      // without those that were not fitted yet
	Approximate []string        `json:"approximate,omitempty"` // what it lacks a part of
	Evidence    []shownEvidence `json:"evidence,omitempty"`

	columns, inputs []string // in the order of the documentation
}

// shownModel is a row of the table models that a score was computed with.
type shownModel struct {
	Name          string             `json:"name"`
	Version       uint32             `json:"version"`
	FittedAt      schemas.Time       `json:"fitted_at"`
	People        uint64             `json:"people"` // or baskets, or sessions
	LogLikelihood float64            `json:"log_likelihood"`
	Parameters    map[string]float64 `json:"parameters"`
}

// shownEvidence counts the events of a type that stand behind a score.
type shownEvidence struct {
	Type    string      `json:"type"`
	Person  *shownCount `json:"person,omitempty"`  // done by the person
	Machine *shownCount `json:"machine,omitempty"` // done by bots and privacy proxies
}

// shownCount is a number of events with the first and the last.
type shownCount struct {
	Events uint64       `json:"events"`
	First  schemas.Time `json:"first"`
	Last   schemas.Time `json:"last"`
}

// scores gives the values of all scores, in the order of the documentation.
func (d *profileDesk) scores(f facts) []shownScore {
	list := make([]shownScore, len(d.docs))
	for i := range d.docs {
		doc := &d.docs[i]
		list[i] = shownScore{Name: doc.Name, Version: doc.Version, Values: f.values(doc.Columns), columns: doc.Columns}
	}
	return list
}

// values gives columns as they are shown.
func (f facts) values(columns []string) map[string]any {
	values := make(map[string]any, len(columns))
	for _, column := range columns {
		if (column == "nps" || column == "csat") && f.number(column) < 0 {
			values[column] = nil // never answered
			continue
		}
		values[column] = f[column]
	}
	return values
}

// explainScores says of every score what it is made of.
func (d *profileDesk) explainScores(ctx context.Context, who *clickhouse.Person, a *dossier, f facts) error {
	counts, err := d.people.Counts(ctx, who)
	if err != nil {
		return err
	}
	models, err := d.people.Models(ctx, uint32(a.Models))
	if err != nil {
		return err
	}
	a.explained, a.Fits = true, shownModels(models)
	for i := range d.docs {
		a.Scores[i].explain(&d.docs[i], f, a.Fits)
		a.Scores[i].Evidence = evidenceOf(d.docs[i].Evidence, counts)
	}
	return nil
}

// shownModels gives rows of models as they are shown.
func shownModels(rows []schemas.Model) []shownModel {
	list := make([]shownModel, len(rows))
	for i := range rows {
		m := &rows[i]
		list[i] = shownModel{Name: m.Name, Version: m.Version, FittedAt: m.FittedAt, People: m.People, LogLikelihood: m.LogLikelihood, Parameters: map[string]float64{}}
		for _, p := range m.Parameters {
			list[i].Parameters[p.Name] = p.Value
		}
	}
	return list
}

// explain adds inputs, formula, source, models, and what is approximate.
func (s *shownScore) explain(doc *score.Doc, f facts, fits []shownModel) {
	s.Inputs, s.Formula, s.Source, s.inputs = f.values(doc.Inputs), doc.Formula, doc.Source, doc.Inputs
	for _, name := range doc.Models {
		if i := slices.IndexFunc(fits, func(m shownModel) bool { return m.Name == name }); i >= 0 {
			s.Models = append(s.Models, &fits[i])
		}
	}
	for _, part := range doc.Bounds.Words() {
		if slices.Contains(f.words("approximate"), part) {
			s.Approximate = append(s.Approximate, part)
		}
	}
}

// evidenceOf picks the counts of types, in their order. A type without an event is left out.
func evidenceOf(types []string, counts []clickhouse.EventCount) []shownEvidence {
	list := []shownEvidence{}
	for _, t := range types {
		e := shownEvidence{Type: t}
		for i := range counts {
			c := &counts[i]
			if c.Type != t {
				continue
			}
			shown := &shownCount{Events: c.Events, First: c.First, Last: c.Last}
			if c.Machine {
				e.Machine = shown
			} else {
				e.Person = shown
			}
		}
		if e.Person != nil || e.Machine != nil {
			list = append(list, e)
		}
	}
	return list
}
