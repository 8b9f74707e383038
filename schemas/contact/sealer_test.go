package contact

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

func TestParseKey(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, KeyBytes)
	for _, text := range []string{base64.StdEncoding.EncodeToString(key), " " + base64.RawStdEncoding.EncodeToString(key) + "\n"} {
		if got, err := ParseKey(text); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%q gives %x, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"": "0 bytes", "not base64!": "not base64", base64.StdEncoding.EncodeToString(key[:16]): "16 bytes",
		strings.Repeat("ab", 32): "48 bytes"} {
		if _, err := ParseKey(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "openssl rand -base64 32") {
			t.Errorf("%q gives %v", text, err)
		}
	}
}

func TestSealer(t *testing.T) {
	t.Parallel()
	seal := func(fill byte) *Sealer {
		s, err := NewSealer(bytes.Repeat([]byte{fill}, KeyBytes))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, other := seal(1), seal(2)
	sealed := s.Seal(17, schemas.ContactPostal, "94025")
	if again := seal(1).Seal(17, schemas.ContactPostal, "94025"); !bytes.Equal(sealed, again) {
		t.Error("a replay seals other bytes")
	}
	if got, err := s.Open(17, schemas.ContactPostal, sealed); err != nil || got != "94025" {
		t.Errorf("opened: %q, %v", got, err)
	}
	if bytes.Contains(sealed, []byte("94025")) || s.KeyID() == other.KeyID() || len(s.KeyID()) != 8 {
		t.Errorf("sealed %x with the key %s", sealed, s.KeyID())
	}
	nonces := map[string]bool{}
	for _, b := range [][]byte{sealed, s.Seal(18, schemas.ContactPostal, "94025"), s.Seal(17, schemas.ContactCity, "94025"), s.Seal(17, schemas.ContactPostal, "94026"), other.Seal(17, schemas.ContactPostal, "94025")} {
		nonces[string(b[:nonceBytes])] = true
	}
	if len(nonces) != 5 {
		t.Errorf("%d nonces for five values", len(nonces))
	}
	for name, open := range map[string]func() (string, error){
		"another key":        func() (string, error) { return other.Open(17, schemas.ContactPostal, sealed) },
		"another identifier": func() (string, error) { return s.Open(18, schemas.ContactPostal, sealed) },
		"another kind":       func() (string, error) { return s.Open(17, schemas.ContactCity, sealed) },
		"a changed byte": func() (string, error) {
			return s.Open(17, schemas.ContactPostal, append(bytes.Clone(sealed[:len(sealed)-1]), sealed[len(sealed)-1]^1))
		},
		"too few bytes": func() (string, error) { return s.Open(17, schemas.ContactPostal, sealed[:20]) },
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s opens it: %q", name, got)
		}
	}
	if _, err := NewSealer(make([]byte, 31)); err == nil {
		t.Error("a key of 31 bytes is taken")
	}
}
