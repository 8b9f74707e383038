package consent

import (
	"encoding/base64"
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// The core segment of an IAB TCF v2 string, in bits from its start.
const (
	tcVersion        = 2
	tcVersionBits    = 6
	tcPurposesAt     = 152
	tcPurposes       = 24
	tcVendorsAt      = 213
	tcVendorIDBits   = 16
	tcEntryCountBits = 12
	tcLengthMax      = 64 << 10 // of a string; with every vendor in its lists one has a third of it
)

// tcTable says which purposes of TCF all must be consented to for one of ours: 1 is storage on the device, 3 and 4 are profiles for
// advertising and their use, 5 and 6 the same for content, 7 and 8 measuring advertising and content. Legitimate interest is no consent.
var tcTable = [...]struct {
	purpose schemas.Purpose
	needs   []int
}{
	{schemas.PurposeAnalytics, []int{1, 8}},
	{schemas.PurposeAdsStorage, []int{1}},
	{schemas.PurposeAdsUserData, []int{1, 7}},
	{schemas.PurposeAdsPersonalization, []int{1, 3, 4}},
	{schemas.PurposePersonalization, []int{1, 5, 6}},
}

// sayTC reads the core segment of a string, adds what it says, and tells what is wrong with it. The buffer is given back to be used again.
func sayTC(buffer []byte, tc string, said *field.Consents) (used []byte, bad string) {
	core, _, _ := strings.Cut(tc, ".")
	if len(core) > tcLengthMax {
		return buffer, "is longer than any can be"
	}
	buffer = append(buffer[:0], strings.TrimRight(core, "=")...)
	encoded := len(buffer)
	buffer, err := base64.RawURLEncoding.AppendDecode(buffer, buffer)
	if err != nil {
		return buffer, "is not in base64url"
	}
	b := bitText{b: buffer[encoded:]}
	if b.number(tcVersionBits) != tcVersion {
		return buffer, "is not of version 2"
	}
	b.at = tcPurposesAt
	purposes := b.number(tcPurposes)
	b.at = tcVendorsAt
	b.skipVendors()
	b.skipVendors() // those with a legitimate interest
	if b.short {
		return buffer, "ends within its core segment"
	}
	if b.broken {
		return buffer, "has a broken list of vendors"
	}
	for _, row := range tcTable {
		state := schemas.ConsentGranted
		for _, need := range row.needs {
			if purposes>>(tcPurposes-need)&1 == 0 {
				state = schemas.ConsentDenied
			}
		}
		said.Say(1<<row.purpose, state)
	}
	return buffer, ""
}

// bitText reads numbers of a few bits, the highest first.
type bitText struct {
	b      []byte
	at     int  // in bits
	short  bool // something was read behind the end
	broken bool
}

// number reads a number of so many bits.
func (t *bitText) number(bits int) (n int) {
	if t.at+bits > 8*len(t.b) {
		t.short = true
		return 0
	}
	for ; bits > 0; bits-- {
		n = n<<1 | int(t.b[t.at/8]>>(7-t.at%8)&1)
		t.at++
	}
	return n
}

// skipVendors steps over a list of vendors: one bit for each, or ranges.
func (t *bitText) skipVendors() {
	last := t.number(tcVendorIDBits)
	if t.number(1) == 0 {
		if t.at += last; t.at > 8*len(t.b) {
			t.short = true
		}
		return
	}
	for entries := t.number(tcEntryCountBits); entries > 0 && !t.short; entries-- {
		isRange := t.number(1) == 1
		first := t.number(tcVendorIDBits)
		end := first
		if isRange {
			end = t.number(tcVendorIDBits)
		}
		if !t.short && (first == 0 || end < first || end > last) {
			t.broken = true
		}
	}
}
