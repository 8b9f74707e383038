package field

import "golang.org/x/sys/cpu"

// markBlocks marks whole blocks of 64 bytes: in stops every quote, backslash and control character, in digits every digit, space and
// hyphen. It tells whether all bytes are ASCII.
func markBlocks(text []byte, stops, digits []uint64) (ascii bool) {
	blocks := len(text) / blockBytes
	if blocks == 0 {
		return true
	}
	if !cpu.X86.HasAVX2 {
		return markBlocksPlain(text, stops, digits)
	}
	stops, digits = stops[:blocks], digits[:blocks]
	return markBlocksAVX2(&text[0], blocks, &stops[0], &digits[0]) == 0
}

// markBlocksAVX2 does the same with the vector unit, and gives a number other than 0 where a byte is not ASCII.
//
//go:noescape
func markBlocksAVX2(text *byte, blocks int, stops, digits *uint64) (high uint32)
