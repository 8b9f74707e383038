package clickhouse

import "github.com/seamline/seamline/schemas"

// identifierTable is the table identifiers.
type identifierTable struct {
	block
	id, batch           fixed[uint64]
	namespace           words
	hash                fixed[[16]byte]
	display             texts
	profile             uuids
	class               words
	firstSeen, lastSeen fixed[int64]
	quarantined         fixed[bool]
}

func newIdentifierTable(database string) *identifierTable {
	t := &identifierTable{id: uint64s(), batch: uint64s(), hash: bytes16("FixedString(16)"), profile: ids(), firstSeen: times(),
		lastSeen: times(), quarantined: bools()}
	t.block = newBlock(database, "identifiers",
		named{"identifier_id", &t.id}, named{"namespace", &t.namespace}, named{"value_hash", &t.hash}, named{"display", &t.display},
		named{"profile_id", &t.profile}, named{"class", &t.class}, named{"first_seen", &t.firstSeen}, named{"last_seen", &t.lastSeen},
		named{"quarantined", &t.quarantined}, named{"_batch", &t.batch})
	return t
}

func (t *identifierTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Identifiers {
		r := &b.Identifiers[i]
		t.id.add(r.ID)
		t.namespace.add(r.Namespace)
		t.hash.add(r.ValueHash)
		t.display.add(r.Display)
		t.profile.addID(r.ProfileID)
		t.class.add(r.Class.String())
		t.firstSeen.add(int64(r.FirstSeen))
		t.lastSeen.add(int64(r.LastSeen))
		t.quarantined.add(r.Quarantined)
		t.batch.add(b.Number)
		t.keyed.add(r.ID)
	}
	return t.filled()
}

// identityLogTable is the table identity_log.
type identityLogTable struct {
	block
	position, a, b, batch        fixed[uint64]
	at                           fixed[int64]
	kind                         names
	aNamespace, bNamespace, rule words
	profile, other               uuids
	event                        texts
}

func newIdentityLogTable(database string) *identityLogTable {
	t := &identityLogTable{position: uint64s(), a: uint64s(), b: uint64s(), batch: uint64s(), at: times(),
		kind: newNames(schemas.DecisionNames()), profile: ids(), other: ids()}
	t.block = newBlock(database, "identity_log",
		named{"position", &t.position}, named{"time", &t.at}, named{"kind", &t.kind}, named{"a_id", &t.a},
		named{"a_namespace", &t.aNamespace}, named{"b_id", &t.b}, named{"b_namespace", &t.bNamespace},
		named{"profile_id", &t.profile}, named{"other_profile_id", &t.other}, named{"rule", &t.rule}, named{"event_id", &t.event},
		named{"_batch", &t.batch})
	return t
}

func (t *identityLogTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Decisions {
		d := &b.Decisions[i]
		t.position.add(d.Position)
		t.at.add(int64(d.Time))
		t.kind.add(uint8(d.Kind))
		t.a.add(d.A)
		t.aNamespace.add(d.ANamespace)
		t.b.add(d.B)
		t.bNamespace.add(d.BNamespace)
		t.profile.addID(d.ProfileID)
		t.other.addID(d.OtherProfile)
		t.rule.add(d.Rule)
		t.event.add(d.EventID)
		t.batch.add(b.Number)
		t.keyed.add(d.Position)
	}
	return t.filled()
}

// aliasTable is the table profile_aliases.
type aliasTable struct {
	block
	alias, profile uuids
	since          fixed[int64]
	batch          fixed[uint64]
}

func newAliasTable(database string) *aliasTable {
	t := &aliasTable{alias: ids(), profile: ids(), since: times(), batch: uint64s()}
	t.block = newBlock(database, "profile_aliases",
		named{"alias_id", &t.alias}, named{"profile_id", &t.profile}, named{"since", &t.since}, named{"_batch", &t.batch})
	return t
}

func (t *aliasTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Aliases {
		a := &b.Aliases[i]
		t.alias.addID(a.AliasID)
		t.profile.addID(a.ProfileID)
		t.since.add(int64(a.Since))
		t.batch.add(b.Number)
		t.keyed.add(printID(a.AliasID))
	}
	return t.filled()
}

// attributionTable is the table leaf_profiles.
type attributionTable struct {
	block
	leaf, batch fixed[uint64]
	profile     uuids
	since       fixed[int64]
}

func newAttributionTable(database string) *attributionTable {
	t := &attributionTable{leaf: uint64s(), batch: uint64s(), profile: ids(), since: times()}
	t.block = newBlock(database, "leaf_profiles",
		named{"leaf", &t.leaf}, named{"profile_id", &t.profile}, named{"since", &t.since}, named{"_batch", &t.batch})
	return t
}

func (t *attributionTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Attributions {
		a := &b.Attributions[i]
		t.leaf.add(uint64(a.Leaf))
		t.keyed.add(uint64(a.Leaf))
		t.profile.addID(a.ProfileID)
		t.since.add(int64(a.Since))
		t.batch.add(b.Number)
	}
	return t.filled()
}
