package field

import (
	"math/bits"

	"github.com/seamline/seamline/schemas"
)

// HoldsCard tells whether CardNumber finds one in the value of a record. It marks the value, and looks closely only where the marks say
// that enough digits stand together.
func HoldsCard(value []byte, out *schemas.Decoded) bool {
	Mark(value, out)
	if m, _ := marksOf(value, out); m != nil && len(value) == len(m.Text) {
		return cardMarked(value, m.Digits[:len(value)/blockBytes+1])
	}
	_, _, found := CardNumber(value)
	return found
}

// cardMarked looks for runs of cardDigitsMin digits, spaces and hyphens: a run of a length is two overlapping runs of a shorter one.
func cardMarked(b []byte, digits []uint64) bool {
	var last, last2, last4, last8 uint64 // of the block before, to carry on from
	done := 0
	for block, run := range digits {
		run2 := run & (run<<1 | last>>63)
		run4 := run2 & (run2<<2 | last2>>62)
		run8 := run4 & (run4<<4 | last4>>60)
		ends := run8 & (run8<<(cardDigitsMin-8) | last8>>(64-cardDigitsMin+8))
		last, last2, last4, last8 = run, run2, run4, run8
		for ; ends != 0; ends &= ends - 1 {
			i := block*blockBytes + bits.TrailingZeros64(ends)
			if i < done {
				continue
			}
			low, high, enough := digitRegion(b, i, done)
			done = high
			if !enough {
				continue
			}
			if _, _, found := cardInRegion(b, low, high); found {
				return true
			}
		}
	}
	return false
}

// digitRegion gives the bounds of the digits, spaces and hyphens around i, from done on, and whether a number's digits are among them.
func digitRegion(b []byte, i, done int) (low, high int, enough bool) {
	low, digits := i, 0
	for low > done && cardChar(b[low-1]) {
		low--
	}
	for high = low; high < len(b); high++ {
		if class := charClasses[b[high]]; class == charDigit {
			digits++
		} else if class != charSeparator {
			break
		}
	}
	return low, high, digits >= cardDigitsMin
}
