//go:build !amd64

package field

// markBlocks marks whole blocks of 64 bytes: in stops every quote, backslash and control character, in digits every digit, space and
// hyphen. It tells whether all bytes are ASCII.
func markBlocks(text []byte, stops, digits []uint64) (ascii bool) {
	return markBlocksPlain(text, stops, digits)
}
