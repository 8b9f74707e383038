package clickhouse

import "github.com/seamline/seamline/schemas"

// consentTable is the table consents.
type consentTable struct {
	block
	at              fixed[int64]
	source, country words
	event           texts
	purpose, state  names
	profile         uuids
	leaf, batch     fixed[uint64]
}

func newConsentTable(database string) *consentTable {
	t := &consentTable{at: times(), purpose: newNames(schemas.PurposeNames()), profile: ids(), leaf: uint64s(), batch: uint64s()}
	t.state = newNames([]string{schemas.ConsentUnset.String(), schemas.ConsentGranted.String(), schemas.ConsentDenied.String()})
	t.block = newBlock(database, "consents",
		named{"time", &t.at}, named{"source", &t.source}, named{"event_id", &t.event}, named{"purpose", &t.purpose}, named{"state", &t.state},
		named{"profile_id", &t.profile}, named{"leaf", &t.leaf}, named{"country", &t.country}, named{"_batch", &t.batch})
	return t
}

func (t *consentTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for _, e := range b.Events {
		for _, c := range e.Consents {
			t.at.add(int64(e.Time))
			t.source.add(e.Source)
			t.event.add(e.ID)
			t.purpose.add(uint8(c.Purpose))
			t.state.add(uint8(c.State))
			t.profile.addID(e.ProfileID)
			t.leaf.add(uint64(e.Leaf))
			t.country.add(e.Country)
			t.batch.add(b.Number)
			t.keyed.add(addTo(addTo(addTo(printText(e.Source), printText(e.ID)), uint64(e.Time)), uint64(c.Purpose)))
		}
	}
	return t.filled()
}

// answerTable is the table survey_answers.
type answerTable struct {
	block
	at                    fixed[int64]
	source, survey, store words
	event                 texts
	profile               uuids
	leaf, batch           fixed[uint64]
	kind, channel         names
	score                 fixed[int8]
}

func newAnswerTable(database string) *answerTable {
	t := &answerTable{at: times(), profile: ids(), leaf: uint64s(), batch: uint64s(), channel: newNames(schemas.ChannelNames()), score: int8s()}
	t.kind = newNames([]string{schemas.SurveyNone.String(), schemas.SurveyNPS.String(), schemas.SurveyCSAT.String()})
	t.block = newBlock(database, "survey_answers",
		named{"time", &t.at}, named{"source", &t.source}, named{"event_id", &t.event}, named{"profile_id", &t.profile}, named{"leaf", &t.leaf},
		named{"survey", &t.survey}, named{"kind", &t.kind}, named{"score", &t.score}, named{"channel", &t.channel},
		named{"store_id", &t.store}, named{"_batch", &t.batch})
	return t
}

func (t *answerTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for _, e := range b.Events {
		if e.Answer.Kind == schemas.SurveyNone {
			continue
		}
		t.at.add(int64(e.Time))
		t.source.add(e.Source)
		t.event.add(e.ID)
		t.profile.addID(e.ProfileID)
		t.leaf.add(uint64(e.Leaf))
		t.survey.add(e.Answer.Survey)
		t.kind.add(uint8(e.Answer.Kind))
		t.score.add(e.Answer.Score)
		t.channel.add(uint8(e.Channel))
		t.store.add(e.StoreID)
		t.batch.add(b.Number)
		t.keyed.add(addTo(addTo(printText(e.Source), printText(e.ID)), uint64(e.Time)))
	}
	return t.filled()
}
