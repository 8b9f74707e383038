package clickhouse

import "github.com/seamline/seamline/schemas"

// journeyTable is the table journey_changes.
type journeyTable struct {
	block
	profile  uuids
	at       fixed[int64]
	from, to names
	reason   words
	batch    fixed[uint64]
}

func newJourneyTable(database string) *journeyTable {
	t := &journeyTable{profile: ids(), at: times(), from: newNames(stageNames()), to: newNames(stageNames()), batch: uint64s()}
	t.block = newBlock(database, "journey_changes",
		named{"profile_id", &t.profile}, named{"time", &t.at}, named{"from_stage", &t.from}, named{"to_stage", &t.to}, named{"reason", &t.reason},
		named{"_batch", &t.batch})
	return t
}

// stageNames lists the stages of journeys behind the empty word.
func stageNames() []string {
	list := make([]string, 1, schemas.JourneyCount+1)
	for stage := range schemas.JourneyCount {
		list = append(list, schemas.JourneyStage(stage).String())
	}
	return list
}

func (t *journeyTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.StageChanges {
		c := &b.StageChanges[i]
		t.profile.addID(c.ProfileID)
		t.at.add(int64(c.Time))
		from := uint8(c.From) + 1
		if c.IsFirst {
			from = 0
		}
		t.from.add(from)
		t.to.add(uint8(c.To) + 1)
		t.reason.add(c.Reason)
		t.batch.add(b.Number)
		t.keyed.add(addTo(printID(c.ProfileID), uint64(c.Time)<<8|uint64(c.To)))
	}
	return t.filled()
}
