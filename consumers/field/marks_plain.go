package field

import "encoding/binary"

const (
	lowSeven = lowBits * 0x7f
	// gather moves the high bit of each byte, shifted down to its lowest, into the highest byte.
	gather = 0x0102040810204080
)

// markBlocksPlain is markBlocks in eight bytes at a time, for processors without vectors that we know.
func markBlocksPlain(text []byte, stops, digits []uint64) (ascii bool) {
	var all uint64
	for block := 0; block < len(text)/blockBytes; block++ {
		b := text[block*blockBytes:][:blockBytes]
		var stop, digit uint64
		for i := 0; i < blockBytes; i += 8 {
			x := binary.LittleEndian.Uint64(b[i:])
			all |= x
			stop |= stopBytes(x) >> 7 * gather >> 56 << i
			digit |= digitBytes(x) >> 7 * gather >> 56 << i
		}
		stops[block], digits[block] = stop, digit
	}
	return all&highBits == 0
}

// stopBytes gives the high bit of every byte that is a quote, a backslash or a control character.
func stopBytes(x uint64) uint64 {
	// With its second bit turned, a quote is 0x20, and only control characters are less.
	turned, backslash := x^lowBits*2, x^lowBits*'\\'
	return ^(turned&lowSeven+lowBits*0x5f|turned)&highBits | zeroBytes(backslash)
}

// digitBytes gives the high bit of every byte that is a digit, a space or a hyphen.
func digitBytes(x uint64) uint64 {
	digit := x ^ lowBits*'0'
	return ^(digit&lowSeven+lowBits*0x76|digit)&highBits | zeroBytes(x^lowBits*' ') | zeroBytes(x^lowBits*'-')
}

// zeroBytes gives the high bit of every byte that is zero.
func zeroBytes(x uint64) uint64 { return ^(x&lowSeven + lowSeven | x) & highBits }
