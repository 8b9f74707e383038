package main

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func TestContactsSettings(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config contactsConfig
		want   string
	}{
		{contactsConfig{}, ""},
		{contactsConfig{Clear: true, Key: key}, ""},
		{contactsConfig{Clear: true, KeyFile: file}, ""},
		{contactsConfig{Key: key}, ""}, // for exports of what was kept before
		{contactsConfig{Clear: true}, "contacts.clear needs contacts.key or contacts.key-file"},
		{contactsConfig{Key: key, KeyFile: file}, "exclude each other"},
		{contactsConfig{Clear: true, Key: "secret!"}, "contacts.key: it is not base64"},
		{contactsConfig{Clear: true, Key: key[:20]}, "contacts.key: it holds 15 bytes, and a key has 32"},
		{contactsConfig{Clear: true, KeyFile: file + "-not"}, "contacts.key-file"},
	} {
		err := c.config.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v gives %v, want %q", c.config, err, c.want)
		}
		if err != nil && c.config.Key != "" && strings.Contains(err.Error(), c.config.Key) {
			t.Errorf("the error names the key: %v", err)
		}
	}
	s := defaultSettings()
	before, err := s.rules()
	if err != nil {
		t.Fatal(err)
	}
	s.Contacts = contactsConfig{Key: key}
	if same, err := s.rules(); err != nil || same != before {
		t.Errorf("a key alone changes the rules, %v", err)
	}
	s.Contacts.Clear = true
	with, err := s.rules()
	if err != nil || with == before {
		t.Errorf("rows of another table do not change the rules, %v", err)
	}
	var out bytes.Buffer
	if err := s.print(&out); err != nil || strings.Contains(out.String(), key) || !strings.Contains(out.String(), "contacts.key: (set)") {
		t.Errorf("seamline check prints the key, or not that it is set: %v", err)
	}
}

func TestContactsOpen(t *testing.T) {
	t.Parallel()
	config := contactsConfig{Clear: true, Key: base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))}
	sealer, err := config.sealer()
	if err != nil {
		t.Fatal(err)
	}
	sealed := sealer.Seal(5, schemas.ContactPostal, "94025")
	open, seal, err := config.vault()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(5, "postal", sealer.KeyID(), sealed); err != nil || got != "94025" {
		t.Errorf("opened %q, %v", got, err)
	}
	if keyID, again, err := seal(5, "postal", "94025"); err != nil || keyID != sealer.KeyID() || !bytes.Equal(again, sealed) {
		t.Errorf("sealed with %s: %v", keyID, err)
	}
	if _, _, err := seal(5, "street", "x"); err == nil {
		t.Error("a street is sealed")
	}
	for _, c := range []struct{ kind, key, want string }{{"postal", "00000000", "was encrypted with key 00000000"}, {"street", sealer.KeyID(), `"street" is not known`},
		{"city", sealer.KeyID(), "sealed with another key"}} {
		if got, err := open(5, c.kind, c.key, sealed); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v gives %q, %v", c, got, err)
		}
	}
	if open, seal, err := (&contactsConfig{}).vault(); open != nil || seal != nil || err != nil {
		t.Errorf("without a key: %v, %v", open != nil, err)
	}
}
