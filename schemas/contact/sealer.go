package contact

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// KeyBytes is the length of the key that clear contact data is encrypted with.
const KeyBytes = 32

// nonceBytes is the length of a nonce of AES-GCM.
const nonceBytes = 12

// Sealer encrypts values with AES-256-GCM. The nonce is derived from the key and all that is sealed, so that a replay gives the same bytes,
// and no nonce serves two different values. Goroutines may share it.
type Sealer struct {
	aead  cipher.AEAD
	nonce []byte // the key that nonces are derived with
	id    string
}

// ParseKey reads a key: 32 bytes in base64.
func ParseKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		key, err = base64.RawStdEncoding.DecodeString(text)
	}
	if err != nil {
		return nil, errors.New("it is not base64; make a key with: openssl rand -base64 32")
	}
	if len(key) != KeyBytes {
		return nil, fmt.Errorf("it holds %d bytes, and a key has %d; make one with: openssl rand -base64 32", len(key), KeyBytes)
	}
	return key, nil
}

// NewSealer makes a sealer of a key.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != KeyBytes {
		return nil, fmt.Errorf("a key has %d bytes, and this one %d", KeyBytes, len(key))
	}
	block, err := aes.NewCipher(derive(key, "seamline contacts cipher"))
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	sum := sha256.Sum256(key)
	return &Sealer{aead: aead, nonce: derive(key, "seamline contacts nonce"), id: hex.EncodeToString(sum[:4])}, nil
}

// derive gives a key for one purpose.
func derive(key []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose))
	return mac.Sum(nil)
}

// KeyID names the key without telling it: the first bytes of its SHA-256 in hexadecimal digits.
func (s *Sealer) KeyID() string { return s.id }

// whose is what a sealed value is bound to: it cannot be moved to another identifier or kind.
func whose(identifier uint64, kind schemas.ContactKind) []byte {
	return append(binary.BigEndian.AppendUint64(nil, identifier), kind.String()...)
}

// Seal encrypts the value of an identifier: the nonce, and behind it the text with its tag.
func (s *Sealer) Seal(identifier uint64, kind schemas.ContactKind, value string) []byte {
	bound := whose(identifier, kind)
	mac := hmac.New(sha256.New, s.nonce)
	mac.Write(bound)
	mac.Write([]byte{0})
	mac.Write([]byte(value))
	var sum [sha256.Size]byte
	sealed := append(make([]byte, 0, nonceBytes+len(value)+s.aead.Overhead()), mac.Sum(sum[:0])[:nonceBytes]...)
	return s.aead.Seal(sealed, sealed, []byte(value), bound)
}

// Open decrypts what Seal gave for the same identifier and kind.
func (s *Sealer) Open(identifier uint64, kind schemas.ContactKind, sealed []byte) (string, error) {
	if len(sealed) < nonceBytes+s.aead.Overhead() {
		return "", fmt.Errorf("open contact data: %d bytes are too few", len(sealed))
	}
	value, err := s.aead.Open(nil, sealed[:nonceBytes], sealed[nonceBytes:], whose(identifier, kind))
	if err != nil {
		return "", errors.New("open contact data: it was sealed with another key, for another identifier, or has changed")
	}
	return string(value), nil
}
