package export

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
	contacts "github.com/seamline/seamline/schemas/contact"
)

// testSealer encrypts with a key that is known.
func testSealer(t testing.TB, fill byte) *contacts.Sealer {
	t.Helper()
	s, err := contacts.NewSealer(bytes.Repeat([]byte{fill}, contacts.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func vaultOf(t testing.TB, fill byte) *vault {
	t.Helper()
	s := testSealer(t, fill)
	return &vault{open: func(identifier uint64, kind, keyID string, ciphertext []byte) (string, error) {
		known, _ := schemas.ParseContactKind(kind)
		if keyID != s.KeyID() {
			return "", fmt.Errorf("sealed with key %s", keyID)
		}
		return s.Open(identifier, known, ciphertext)
	}, seal: func(identifier uint64, kind, value string) (string, []byte, error) {
		known, _ := schemas.ParseContactKind(kind)
		return s.KeyID(), s.Seal(identifier, known, value), nil
	}}
}

func testVault(t testing.TB) *vault { t.Helper(); return vaultOf(t, 17) }

func TestSealedValues(t *testing.T) {
	t.Parallel()
	v, one, two := testVault(t), schemas.ProfileID{1}, schemas.ProfileID{2}
	sealed, err := v.close(one, kindPostal, "63101")
	if err != nil || strings.Contains(sealed, "63101") || !strings.HasPrefix(sealed, sealedPrefix) {
		t.Fatalf("%s: %v", sealed, err)
	}
	if again, _ := v.close(one, kindPostal, "63101"); again != sealed {
		t.Error("a value is sealed in two ways, so that everybody would be removed and added with each list")
	}
	if other, _ := v.close(two, kindPostal, "63101"); other == sealed {
		t.Error("two people show that they share a value")
	}
	f := func(v *vault, id schemas.ProfileID, k kind, value, want string) {
		t.Helper()
		got, err := v.reveal(id, k, []byte(value))
		if string(got) != want || (err != nil) != (want == "") {
			t.Errorf("%s of %s: got %q, %v; want %q", k, value, got, err, want)
		}
	}
	f(v, one, kindPostal, sealed, "63101")
	f(v, one, kindPostal, "63101", "63101")
	f(v, one, kindMobileID, sealed, sealed)
	f(v, two, kindPostal, sealed, "")
	f(v, one, kindCity, sealed, "")
	f(v, one, kindPostal, sealed[:len(sealed)-5]+"AAAA=", "")
	f(v, one, kindPostal, sealedPrefix+"%", "")
	f(vaultOf(t, 18), one, kindPostal, sealed, "")
	f(&vault{}, one, kindPostal, sealed, "")
}

// TestDecryptedValuesAreKeptSealed: postal codes stand in lists and in answers, and nowhere in the ledger or in what lists are made of.
func TestDecryptedValuesAreKeptSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := testVault(t)
	w.opt.Open, w.opt.Seal = v.open, v.seal
	w.people(1, 6, "US", grantedAll)
	w.audience("lapsed", 0)
	w.enter("lapsed", numbers(1, 6))
	postal := func(n int, value string, minute int) {
		at := fmt.Sprintf("toDateTime64('2026-09-01 12:%02d:00', 3, 'UTC')", minute)
		for _, kind := range []string{"given_name", "family_name", "country", "postal"} {
			w.exec("INSERT INTO contacts (identifier_id, kind, time, plain, google, value, _batch) SELECT %d, '%s', %s, SHA256('%[2]s'), SHA256('%[2]s'), '%[4]s', 1", n*2, kind, at, map[string]string{"country": "US"}[kind])
		}
		s := testSealer(t, 17)
		w.exec("INSERT INTO contacts_clear (identifier_id, kind, time, key_id, ciphertext, _batch) SELECT %d, 'postal', %s, '%s', unhex('%x'), 1", n*2, at, s.KeyID(), s.Seal(uint64(n*2), schemas.ContactPostal, value))
	}
	for n := 1; n < 6; n++ {
		postal(n, fmt.Sprint(63100+n), 1)
	}
	w.commit()
	x, l := w.exporter(), List{"lapsed", "google"}
	x.platforms["google"].MinSize = 0
	w.refresh(x, l)
	postal(2, "99999", 2)
	w.refresh(x, l)
	if got := w.list(x, l, FormatCSV); strings.Count(got, ",6310") != 4 || strings.Count(got, ",99999") != 1 || strings.Contains(got, sealedPrefix) {
		t.Errorf("got\n%s", got)
	}
	w.agree(x, l)
	page, err := x.Changes(t.Context(), l, "", 100)
	if err != nil || len(page.Changes) != 7 || !strings.Contains(string(page.Changes[5].Keys), `"postal":"63102"`) || !strings.Contains(string(page.Changes[6].Keys), `"postal":"99999"`) {
		t.Errorf("changes are %+v: %v", page, err)
	}
	if got := w.query("SELECT count(), countIf(arrayExists(k -> k LIKE '%%6310%%' OR k LIKE '%%99999%%', keys)), countIf(arrayExists(k -> startsWith(k, 'sealed:'), keys)) FROM export_changes"); got != "7 0 7" {
		t.Errorf("rows of the ledger, of them with a value in clear, and sealed: %s", got)
	}
	s, _ := x.Standing(t.Context(), l)
	state, err := os.ReadFile(filepath.Join(x.store.path(s), nameState))
	if err != nil || bytes.Contains(state, []byte("6310")) || !bytes.Contains(state, []byte(sealedPrefix)) {
		t.Errorf("the state holds a value in clear: %v\n%q", err, state)
	}
	// Another machine makes the same of the ledger, and one with another key gives removals without what it cannot read.
	csv := w.list(x, l, FormatCSV)
	w.cfg.Dir += "-other"
	y := w.exporter()
	if _, err := y.takeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.list(y, l, FormatCSV); got != csv {
		t.Errorf("the ledger gives\n%s\nwant\n%s", got, csv)
	}
	other := vaultOf(t, 18)
	w.opt.Open, w.opt.Seal = other.open, other.seal
	z := w.exporter()
	z.platforms["google"].MinSize = 0
	w.now = w.now.Add(time.Minute)
	w.refresh(z, l)
	page, err = z.Changes(t.Context(), l, x.Cursor(s), 100)
	if err != nil || len(page.Changes) != 10 || strings.Contains(fmt.Sprint(page.Changes), "postal") {
		t.Errorf("changes are %+v: %v", page, err)
	}
	w.opt.Seal = nil
	if _, err := New(w.cfg, w.opt); err == nil {
		t.Error("an exporter that cannot seal what it opens is made")
	}
}
