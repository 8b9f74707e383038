package main

import (
	"context"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// historyMax bounds the rows of an identifier's history that are shown.
const historyMax = 200

// biography is what an identifier is, whose it is, and how that came.
type biography struct {
	Identifier shownIdentifier `json:"identifier"`
	AsOf       *schemas.Time   `json:"as_of,omitempty"`
	Since      *schemas.Time   `json:"since,omitempty"` // event time from which it belongs to its profile; missing where nothing tells
	History    []shownDecision `json:"history"`         // rows of identity_log that name it, the oldest first
	Truncated  bool            `json:"truncated"`       // there are older ones
}

// shownDecision is a row of identity_log.
type shownDecision struct {
	Position uint64            `json:"position"`
	Time     schemas.Time      `json:"time"`
	Decision string            `json:"decision"`
	With     *shownIdentifier  `json:"with,omitempty"` // the other identifier
	Profile  schemas.ProfileID `json:"profile_id"`
	Other    schemas.ProfileID `json:"other_profile_id"`
	Rule     string            `json:"rule,omitempty"`
	EventID  string            `json:"event_id"`
}

// explainOne tells what an identifier is and whose; as of a time, or now where that is 0.
func (d *identityDesk) explainOne(ctx context.Context, id schemas.Identifier, asOf schemas.Time) (*biography, error) {
	row, err := d.find(ctx, "the identifier ("+id.Namespace+")", id)
	if err != nil {
		return nil, err
	}
	decisions, isCut, err := d.reader.Decisions(ctx, clickhouse.DecisionQuery{Identifiers: []uint64{row.ID}, AsOf: asOf, Newest: true, Max: historyMax})
	if err != nil {
		return nil, err
	}
	bio := &biography{Identifier: shown(row), Truncated: isCut, History: []shownDecision{}}
	if asOf != 0 {
		bio.AsOf = &asOf
		search, err := d.search(ctx, row.ID, row.ID, asOf)
		if err != nil {
			return nil, err
		}
		bio.Identifier.belongTo(search.Answer().ProfileA)
		bio.borrowed(row.ID, decisions)
	}
	var ids []uint64
	for i := range decisions {
		ids = append(ids, decisions[i].A+decisions[i].B-row.ID)
	}
	others, err := d.reader.Identifiers(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range decisions {
		x := &decisions[i]
		one := shownDecision{Position: x.Position, Time: x.Time, Decision: x.Kind.String(), Profile: x.ProfileID, Other: x.OtherProfile, Rule: x.Rule, EventID: x.EventID}
		if other, known := others[x.A+x.B-row.ID]; known {
			with := shown(other)
			one.With = &with
		}
		bio.History = append(bio.History, one)
	}
	return bio, bio.sinceWhen(ctx, d.reader, row.ID, decisions)
}

// borrowed lets a shared identifier belong to whom had it in hands then.
func (b *biography) borrowed(id uint64, decisions []schemas.Decision) {
	for i := len(decisions) - 1; i >= 0; i-- {
		if x := &decisions[i]; x.Kind == schemas.DecisionDemoted && x.B == id {
			b.Identifier.belongTo(x.ProfileID)
			return
		}
	}
}

// personOf gives the profile that an identifier belongs to by a row that names it; zero where the row does not tell.
func personOf(id uint64, d *schemas.Decision) schemas.ProfileID {
	switch d.Kind {
	case schemas.DecisionLinked, schemas.DecisionMerged, schemas.DecisionDemoted:
		return d.ProfileID
	case schemas.DecisionRefused:
		if d.B == id {
			return d.OtherProfile
		}
		return d.ProfileID
	}
	if d.A == id {
		return d.ProfileID
	}
	return schemas.ProfileID{}
}

// sinceWhen finds since when the identifier belongs to its profile: the first of the newest rows that all say so, or the merge that made
// what they say an alias.
func (b *biography) sinceWhen(ctx context.Context, reader *clickhouse.IdentityReader, id uint64, decisions []schemas.Decision) error {
	if b.Identifier.ProfileID == nil {
		return nil
	}
	person := *b.Identifier.ProfileID
	for i := len(decisions) - 1; i >= 0; i-- {
		told := personOf(id, &decisions[i])
		if told.IsZero() {
			continue
		}
		if told == person {
			at := decisions[i].Time
			b.Since = &at
			continue
		}
		if b.Since != nil {
			return nil
		}
		if to, since, is, err := reader.Alias(ctx, told); err != nil || is && to == person && (b.AsOf == nil || since <= *b.AsOf) {
			b.Since = &since
			return err
		}
		return nil
	}
	if b.Since == nil && len(decisions) == 0 {
		at := b.Identifier.FirstSeen
		b.Since = &at
	}
	return nil
}
