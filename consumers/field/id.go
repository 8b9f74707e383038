package field

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/seamline/seamline/schemas"
)

// idBytes is how much of the hash an id keeps: 128 bits, so that ids never meet by chance.
const idBytes = 16

// ID makes an event id where the producer gives none: prefix, a hyphen, and the first 16 bytes of a SHA-256 in 32 hexadecimal digits.
// Each part goes into the hash behind its length, so that ("ab", "c") and ("a", "bc") differ. The result is the same for ever: ids
// stand in ClickHouse and duplicates are told by them.
func ID(prefix string, parts ...string) string {
	var buffer [96]byte
	return string(AppendID(buffer[:0], prefix, parts...))
}

// AppendID appends what ID gives to dst. It needs no memory for parts of up to 400 bytes together.
func AppendID(dst []byte, prefix string, parts ...string) []byte {
	var buffer [448]byte
	content := buffer[:0]
	for _, part := range parts {
		content = binary.AppendUvarint(content, uint64(len(part)))
		content = append(content, part...)
	}
	return appendSum(dst, prefix, content)
}

// IDOf is ID into the arena of out, without any memory of its own.
func IDOf(out *schemas.Decoded, prefix string, parts ...string) string {
	var buffer [96]byte
	return out.Text(AppendID(buffer[:0], prefix, parts...))
}

// ContentID makes an event id of the bytes of a whole element: prefix, a hyphen, and 32 hexadecimal digits of their SHA-256.
func ContentID(out *schemas.Decoded, prefix string, content []byte) string {
	var buffer [96]byte
	return out.Text(appendSum(buffer[:0], prefix, content))
}

// ElementID makes an event id of the bytes of a whole element, as ContentID does, where at is 0: then the element itself tells when it
// happened. Elsewhere its time and its place in the record are part of the hash, since the same bytes may well be sent again.
func ElementID(out *schemas.Decoded, prefix string, content []byte, at schemas.Time) string {
	if at == 0 {
		return ContentID(out, prefix, content)
	}
	var when [16]byte
	binary.BigEndian.PutUint64(when[:8], uint64(at))
	binary.BigEndian.PutUint64(when[8:], uint64(out.Element))
	return IDOf(out, prefix, ContentID(out, prefix, content), string(when[:]))
}

// IntText writes n into the arena of out; small numbers need no memory.
func IntText(out *schemas.Decoded, n int64) string {
	if n >= 0 && n < 100 {
		return strconv.Itoa(int(n))
	}
	var buffer [20]byte
	return out.Text(strconv.AppendInt(buffer[:0], n, 10))
}

func appendSum(dst []byte, prefix string, content []byte) []byte {
	sum := sha256.Sum256(content)
	dst = append(append(dst, prefix...), '-')
	return hex.AppendEncode(dst, sum[:idBytes])
}
