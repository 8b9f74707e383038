package field

import (
	"unsafe"

	"github.com/seamline/seamline/schemas"
)

// markedBytesMax bounds the texts that are marked, since marks take four bytes and more for each of the text's. Longer texts are read
// without.
const markedBytesMax = 512 << 10

// blockBytes is how many bytes of a text share a word of marks.
const blockBytes = 64

// Mark searches the text of a record once for what its readers ask for again and again: where strings may end, whether all of it is
// ASCII, and where card numbers can be. Readers of any part of the text find the marks through out. They hold until the next record
// begins; of the texts of one record only the first is marked.
func Mark(text []byte, out *schemas.Decoded) {
	m := &out.Marks
	if m.Text != nil || len(text) == 0 || len(text) > markedBytesMax {
		return
	}
	whole, blocks := len(text)/blockBytes, len(text)/blockBytes+1
	if len(m.Stops) <= blocks { // one more word than blocks, since words are read in pairs
		growMarks(m, blocks)
	}
	ascii := markBlocks(text[:whole*blockBytes], m.Stops, m.Digits)
	// The last block is filled up with zeros, whose marks stop every search.
	var last [blockBytes]byte
	copy(last[:], text[whole*blockBytes:])
	ascii = markBlocks(last[:], m.Stops[whole:], m.Digits[whole:]) && ascii
	clear(m.Opened[:blocks])
	m.Text, m.ASCII = text, ascii
}

// growMarks makes room for a text of so many blocks, and for somewhat longer ones.
func growMarks(m *schemas.Marks, blocks int) {
	blocks += blocks/2 + 16
	m.Stops, m.Digits, m.Opened = make([]uint64, blocks), make([]uint64, blocks), make([]uint64, blocks)
	m.Ends = make([]uint32, blocks*blockBytes)
}

// marksOf gives the marks of b, and where b stands in the text that they are of; nil where b is no part of that text.
func marksOf(b []byte, out *schemas.Decoded) (m *schemas.Marks, base int) {
	if out == nil || len(b) == 0 || len(b) > len(out.Marks.Text) {
		return nil, 0
	}
	m = &out.Marks
	start, at := uintptr(unsafe.Pointer(unsafe.SliceData(m.Text))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if at-start > uintptr(len(m.Text)-len(b)) {
		return nil, 0
	}
	return m, int(at - start)
}

// asciiOnly tells whether the marks say that b has no byte beyond ASCII.
func asciiOnly(b []byte, out *schemas.Decoded) bool {
	m, _ := marksOf(b, out)
	return m != nil && m.ASCII
}
