package export

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// Opener decrypts a value of contacts_clear, or one that a Closer encrypted.
type Opener func(identifier uint64, kind, keyID string, ciphertext []byte) (string, error)

// Closer encrypts a value: equal values of one identifier and kind are equal bytes. It names the key that it used.
type Closer func(identifier uint64, kind, value string) (keyID string, ciphertext []byte, err error)

// vault seals what was decrypted for a list before it goes into records and the ledger, and opens it again where a list is given out.
type vault struct {
	open Opener
	seal Closer
}

// sealedPrefix opens a key that is sealed; behind it stand the id of the key it was sealed with, a colon, and base64.
const sealedPrefix = "sealed:"

// sealable are the kinds that may stand sealed: all that name somebody in clear.
const sealable kindSet = 1<<kindEnd - 1 - 1<<kindCountry - 1<<kindMobileID - 1<<kindProfileID

// boundTo is the number that the seals of a person are bound to, so that a value cannot be moved to somebody else, and so that people who share
// a value, such as a postal code, do not show it.
func boundTo(id schemas.ProfileID) uint64 {
	return binary.BigEndian.Uint64(id[:8]) ^ binary.BigEndian.Uint64(id[8:])
}

// close gives the sealed form of a value.
func (v *vault) close(id schemas.ProfileID, k kind, value string) (string, error) {
	keyID, sealed, err := v.seal(boundTo(id), k.String(), value)
	if err != nil {
		return "", fmt.Errorf("seal %s for a list: %w", k, err)
	}
	return sealedPrefix + keyID + ":" + base64.StdEncoding.EncodeToString(sealed), nil
}

// reveal gives a value in clear, whether it is sealed or not.
func (v *vault) reveal(id schemas.ProfileID, k kind, value []byte) ([]byte, error) {
	if !sealable.has(k) || !bytes.HasPrefix(value, []byte(sealedPrefix)) {
		return value, nil
	}
	keyID, text, _ := strings.Cut(string(value[len(sealedPrefix):]), ":")
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("open %s of a list: %w", k, err)
	}
	if v.open == nil {
		return nil, fmt.Errorf("open %s of a list: it was sealed with key %s, and there is no contacts.key", k, keyID)
	}
	opened, err := v.open(boundTo(id), k.String(), keyID, sealed)
	if err != nil {
		return nil, fmt.Errorf("open %s of a list: %w", k, err)
	}
	return []byte(opened), nil
}

// revealed gives a record with all of its values in clear, in the memory of to where there is something to open. Values that cannot be opened
// are left out, and err says why the last of them could not.
func (v *vault) revealed(to []byte, id schemas.ProfileID, record []byte) (clear []byte, err error) {
	if !bytes.Contains(record, []byte(sealedPrefix)) {
		return record, nil
	}
	to, count := append(to, 0, 0), 0
	at := len(to) - 2
	keys(record, func(k kind, value []byte) {
		value, failed := v.reveal(id, k, value)
		if failed != nil {
			err = failed
			return
		}
		to, count = appendKey(to, k, string(value)), count+1
	})
	binary.BigEndian.PutUint16(to[at:], uint16(count))
	return to[at:], err
}
