package clickhouse

import (
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/contact"
)

// contactTable is the table contacts.
type contactTable struct {
	block
	id, batch           fixed[uint64]
	kind                names
	at                  fixed[int64]
	plain, google, uid2 fixed[[32]byte]
	value               texts
}

func newContactTable(database string) *contactTable {
	t := &contactTable{id: uint64s(), kind: newNames(schemas.ContactNames()), at: times(), plain: hashes(), google: hashes(), uid2: hashes(), batch: uint64s()}
	t.block = newBlock(database, "contacts",
		named{"identifier_id", &t.id}, named{"kind", &t.kind}, named{"time", &t.at}, named{"plain", &t.plain}, named{"google", &t.google},
		named{"uid2", &t.uid2}, named{"value", &t.value}, named{"_batch", &t.batch})
	return t
}

func (t *contactTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Contacts {
		r := &b.Contacts[i]
		t.id.add(r.IdentifierID)
		t.kind.add(uint8(r.Kind))
		t.at.add(int64(r.Time))
		t.plain.add(r.Forms.Plain)
		t.google.add(r.Forms.Google)
		t.uid2.add(r.Forms.UID2)
		t.value.add(r.Value)
		t.batch.add(b.Number)
		t.keyed.add(printContact(r))
	}
	return t.filled()
}

// printContact is the fingerprint of a row's key.
func printContact(r *schemas.ContactRow) uint64 {
	return addTo(addTo(r.IdentifierID, uint64(r.Kind)), uint64(r.Time))
}

// clearTable is the table contacts_clear.
type clearTable struct {
	block
	sealer     *contact.Sealer // nil where nothing is kept
	id, batch  fixed[uint64]
	kind       names
	at         fixed[int64]
	key        words
	ciphertext texts
}

func newClearTable(database string, sealer *contact.Sealer) *clearTable {
	t := &clearTable{sealer: sealer, id: uint64s(), kind: newNames(schemas.ContactNames()), at: times(), batch: uint64s()}
	t.block = newBlock(database, "contacts_clear",
		named{"identifier_id", &t.id}, named{"kind", &t.kind}, named{"time", &t.at}, named{"key_id", &t.key},
		named{"ciphertext", &t.ciphertext}, named{"_batch", &t.batch})
	return t
}

// fill also writes rows for what was taken back, and for what came as a hash alone: without a ciphertext, so that an older value is not the
// newest one that is known.
func (t *clearTable) fill(b *schemas.Batch) []*block {
	t.reset()
	if t.sealer == nil {
		return nil
	}
	for i := range b.Contacts {
		r := &b.Contacts[i]
		t.id.add(r.IdentifierID)
		t.kind.add(uint8(r.Kind))
		t.at.add(int64(r.Time))
		t.key.add(t.sealer.KeyID())
		if r.Clear == "" {
			t.ciphertext.add("")
		} else {
			t.ciphertext.addBytes(t.sealer.Seal(r.IdentifierID, r.Kind, r.Clear))
		}
		t.batch.add(b.Number)
		t.keyed.add(printContact(r))
	}
	return t.filled()
}
