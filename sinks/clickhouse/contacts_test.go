package clickhouse

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/contact"
)

// testSealer encrypts with a key that is known.
func testSealer() *contact.Sealer {
	s, err := contact.NewSealer(bytes.Repeat([]byte{17}, contact.KeyBytes))
	if err != nil {
		panic(err)
	}
	return s
}

// expectedContacts adds the rows of contact data that a batch must leave.
func expectedContacts(b *schemas.Batch, put func(table string, values ...any)) {
	digits := func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
	for _, r := range b.Contacts {
		put("contacts", "identifier_id", r.IdentifierID, "kind", r.Kind.String(), "time", r.Time, "plain", digits(r.Forms.Plain[:]),
			"google", digits(r.Forms.Google[:]), "uid2", digits(r.Forms.UID2[:]), "value", r.Value, "_batch", b.Number)
		sealed := []byte(nil)
		if r.Clear != "" {
			sealed = testSealer().Seal(r.IdentifierID, r.Kind, r.Clear)
		}
		put("contacts_clear", "identifier_id", r.IdentifierID, "kind", r.Kind.String(), "time", r.Time, "key_id", testSealer().KeyID(),
			"ciphertext", digits(sealed), "_batch", b.Number)
	}
}

// TestClearContacts: nothing is kept in clear by default, and where it is kept, only with the key can it be read.
func TestClearContacts(t *testing.T) {
	t.Parallel()
	rows := []schemas.ContactRow{{IdentifierID: 3, Kind: schemas.ContactPostal, Time: start, Forms: schemas.ContactForms{Plain: [32]byte{1}}, Clear: "SW1A 1AA"},
		{IdentifierID: 3, Kind: schemas.ContactEmail, Time: start, Forms: schemas.ContactForms{Plain: [32]byte{2}}}}
	if blocks := newClearTable("any", nil).fill(&schemas.Batch{Contacts: rows}); blocks != nil {
		t.Errorf("without a key %d rows are written", blocks[0].rows())
	}
	cfg := config(t)
	s := open(t, cfg)
	for batch := range uint64(2) { // the second is a replay
		write(t, s, &schemas.Batch{Number: 1 + batch, Now: start, Contacts: rows})
	}
	columns, found, err := Query(t.Context(), cfg, "SELECT key_id, hex(ciphertext) FROM contacts_clear FINAL WHERE kind = 'postal'")
	if err != nil || len(found) != 1 || len(columns) != 2 {
		t.Fatalf("%d rows, %v; want one", len(found), err)
	}
	sealed, err := hex.DecodeString(found[0][1].(string))
	if err != nil {
		t.Fatal(err)
	}
	if clear, err := testSealer().Open(3, schemas.ContactPostal, sealed); err != nil || clear != "SW1A 1AA" || found[0][0] != testSealer().KeyID() {
		t.Errorf("the key %v opens %q, %v", found[0][0], clear, err)
	}
	if n := one(t, cfg, "SELECT count() FROM contacts WHERE value != ''"); n != "0" {
		t.Errorf("%s rows of contacts hold something in clear", n)
	}
	newest := func(want, what string) {
		t.Helper()
		if got := one(t, cfg, "SELECT argMax(ciphertext, time) != '' FROM contacts_clear FINAL WHERE identifier_id = 3 AND kind = 'postal'"); got != want {
			t.Errorf("%s: is the newest value known? %s, want %s", what, got, want)
		}
	}
	newest("1", "told")
	for i, r := range []schemas.ContactRow{{}, {Clear: "SW1A 1AB", Forms: schemas.ContactForms{Plain: [32]byte{3}}}, {Forms: schemas.ContactForms{Plain: [32]byte{4}}}} {
		r.IdentifierID, r.Kind, r.Time = 3, schemas.ContactPostal, start+schemas.Time(i)+1
		write(t, s, &schemas.Batch{Number: 3 + uint64(i), Now: start, Contacts: []schemas.ContactRow{r}})
		newest([]string{"0", "1", "0"}[i], []string{"taken back", "told again", "replaced by a hash"}[i])
	}
}
