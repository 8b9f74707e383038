package clickhouse

import "github.com/seamline/seamline/schemas"

// memberTable is the table audience_members.
type memberTable struct {
	block
	audience, reason words
	profile          uuids
	member           fixed[bool]
	since, until     fixed[int64]
	version          fixed[uint64]
}

func newMemberTable(database string) *memberTable {
	t := &memberTable{profile: ids(), member: bools(), since: times(), until: times(), version: uint64s()}
	t.block = newBlock(database, "audience_members",
		named{"audience", &t.audience}, named{"profile_id", &t.profile}, named{"member", &t.member}, named{"since", &t.since},
		named{"until", &t.until}, named{"reason", &t.reason}, named{"version", &t.version})
	return t
}

func (t *memberTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Memberships {
		m := &b.Memberships[i]
		t.audience.add(m.Audience)
		t.profile.addID(m.ProfileID)
		t.member.add(m.Member)
		t.since.add(int64(m.Since))
		t.until.add(int64(m.Until))
		t.reason.add(m.Reason)
		t.version.add(b.Number)
		t.keyed.add(addTo(printID(m.ProfileID), printText(m.Audience)))
	}
	return t.filled()
}

// audienceTable is the table audiences.
type audienceTable struct {
	block
	audience, holdoutOf words
	description, rule   texts
	least               fixed[uint32]
	active              fixed[bool]
	batch               fixed[uint64]
}

func newAudienceTable(database string) *audienceTable {
	t := &audienceTable{least: uint32s(), active: bools(), batch: uint64s()}
	t.block = newBlock(database, "audiences",
		named{"audience", &t.audience}, named{"description", &t.description}, named{"rule", &t.rule}, named{"min_size", &t.least},
		named{"holdout_of", &t.holdoutOf}, named{"active", &t.active}, named{"_batch", &t.batch})
	return t
}

func (t *audienceTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Audiences {
		a := &b.Audiences[i]
		t.audience.add(a.Name)
		t.description.add(a.Description)
		t.rule.add(a.Rule)
		t.least.add(a.MinSize)
		t.holdoutOf.add(a.HoldoutOf)
		t.active.add(a.Active)
		t.batch.add(b.Number)
		t.keyed.add(printText(a.Name))
	}
	return t.filled()
}

// changeTable is the table audience_changes.
type changeTable struct {
	block
	audience, reason words
	sequence, batch  fixed[uint64]
	profile          uuids
	change           names
	at               fixed[int64]
}

func newChangeTable(database string) *changeTable {
	t := &changeTable{sequence: uint64s(), batch: uint64s(), profile: ids(), change: newNames([]string{"exit", "enter"}), at: times()}
	t.block = newBlock(database, "audience_changes",
		named{"audience", &t.audience}, named{"sequence", &t.sequence}, named{"profile_id", &t.profile}, named{"change", &t.change},
		named{"time", &t.at}, named{"reason", &t.reason}, named{"_batch", &t.batch})
	return t
}

func (t *changeTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Changes {
		c := &b.Changes[i]
		t.audience.add(c.Audience)
		t.sequence.add(c.Sequence)
		t.profile.addID(c.ProfileID)
		if c.Enter {
			t.change.add(1)
		} else {
			t.change.add(0)
		}
		t.at.add(int64(c.Time))
		t.reason.add(c.Reason)
		t.batch.add(b.Number)
		t.keyed.add(addTo(printText(c.Audience), c.Sequence))
	}
	return t.filled()
}
