package score

import (
	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// kind says what a cell counts; the low bits of its key say what of.
type kind uint32

// The kinds of cell. They are part of the stored format.
const (
	kindCategory kind = iota + 1 // affinity to a category, decayed; of: its word
	kindBrand                    // affinity to a brand, decayed; of: its word
	kindSent                     // messages sent, decayed
	kindClick                    // clicks by the person, decayed
	kindOpen                     // opens by the person, decayed
	kindMessages                 // messages sent that are no e-mail, for ever; of: the channel
	kindHour                     // clicks and sends in an hour of the week; of: the hour
	kindAnswer                   // the latest answer to a survey; of: the survey's word
	kindConsent                  // the latest answer about a purpose; of: the purpose
)

const kindBits = 24 // what is left for of

func cellKey(k kind, of uint32) uint32 { return uint32(k)<<kindBits | of }

// cell is a small state under a key. What decays is kept as sums by epochs of one half-life each: the weight of an event within its epoch is
// a whole number that depends on its time alone, so that sums are the same in any order.
type cell struct {
	top  int32 // the newest epoch; sums[i] is that of top-i
	sums [cellEpochs]uint32
}

// keyed is a cell with its key.
type keyed struct {
	key uint32
	cell
}

// cellEpochs is how many half-lives are kept: what is older weighs less than one part in 256.
const cellEpochs = 8

// halfLife of everything that decays.
const halfLife = 30 * schemas.Day

var decay = model.Decay{HalfLife: int64(halfLife)}

// block is where some cells of one leaf are. Keys stand side by side in one cache line, so that finding a cell touches little memory.
type block struct {
	keys   [blockCells]uint32
	groups [blockCells / groupCells]uint32
	next   uint32
}

// cellGroup is some cells with keys side by side.
type cellGroup [groupCells]cell

const (
	blockCells = 12
	groupCells = 4
)

// cellsMax bounds the cells of one leaf. Beyond it further categories and brands are not learned. It is whole blocks.
const cellsMax = 600

// answersMax is how many cells there may be beside those: consents, hours and channels always find room, and so do answers to some hundred
// surveys.
const answersMax = 600

// cell gives a leaf's cell, and makes it where there is none; nil where there is no room for more.
func (s *Stage) cell(l *leaf, key uint32) *cell {
	at := &l.cells
	for *at != 0 {
		b := s.blocks.At(*at)
		for i, k := range &b.keys {
			if k == key {
				return &s.cellGroups.At(b.groups[i/groupCells])[i%groupCells]
			}
			if k == 0 && !l.refuses(key) {
				return s.newCell(l, b, i, key)
			}
			if k == 0 {
				return nil
			}
		}
		at = &b.next
	}
	if l.refuses(key) {
		return nil
	}
	*at = s.blocks.Append(block{})
	return s.newCell(l, s.blocks.At(*at), 0, key)
}

// refuses tells whether there is no room for a further cell.
func (l *leaf) refuses(key uint32) bool {
	if isTaste := kind(key>>kindBits) <= kindBrand; !isTaste {
		return l.cellCount >= cellsMax+answersMax
	}
	if l.cellCount < cellsMax {
		return false
	}
	l.cut |= schemas.BoundCategories
	return true
}

// newCell makes a cell at a place of a block.
func (s *Stage) newCell(l *leaf, b *block, i int, key uint32) *cell {
	if i%groupCells == 0 {
		b.groups[i/groupCells] = s.cellGroups.Append(cellGroup{})
	}
	b.keys[i] = key
	l.cellCount++
	return &s.cellGroups.At(b.groups[i/groupCells])[i%groupCells]
}

// appendCells appends the cells of a leaf, in the order in which they were made.
func (s *Stage) appendCells(list []keyed, l *leaf) []keyed {
	for i := l.cells; i != 0; {
		b := s.blocks.At(i)
		for j, k := range &b.keys {
			if k != 0 {
				list = append(list, keyed{key: k, cell: s.cellGroups.At(b.groups[j/groupCells])[j%groupCells]})
			}
		}
		i = b.next
	}
	return list
}

// weigh adds a weight at a time to a leaf's cell.
func (s *Stage) weigh(l *leaf, key uint32, t schemas.Time, weight uint32) {
	c := s.cell(l, key)
	if c == nil {
		return
	}
	epoch, mantissa := decay.Weight(int64(t))
	c.add(epoch, mantissa*weight)
}

// add adds to the sum of an epoch. What is older than the epochs that are kept is nothing, whenever it comes.
func (c *cell) add(epoch int32, n uint32) {
	if c.sums == ([cellEpochs]uint32{}) {
		c.top = epoch
	}
	if epoch > c.top {
		c.shift(epoch)
	}
	if i := c.top - epoch; i < cellEpochs {
		c.sums[i] = saturate(c.sums[i], n)
	}
}

// shift makes an epoch the newest.
func (c *cell) shift(top int32) {
	by := min(int(top-c.top), cellEpochs)
	copy(c.sums[by:], c.sums[:cellEpochs-by])
	clear(c.sums[:by])
	c.top = top
}

func saturate(a, b uint32) uint32 {
	if a+b < a {
		return 1<<32 - 1
	}
	return a + b
}

// merge adds another cell of the same key.
func (c *keyed) merge(o *cell) {
	switch kind(c.key >> kindBits) {
	case kindHour, kindMessages:
		c.sums[0], c.sums[1] = saturate(c.sums[0], o.sums[0]), saturate(c.sums[1], o.sums[1])
	case kindAnswer, kindConsent:
		if c.isOlder(o) {
			c.sums = o.sums
		}
	default:
		for i, n := range o.sums {
			if n != 0 {
				c.add(o.top-int32(i), n)
			}
		}
	}
}

// read gives a decayed sum as of a time.
func (c *cell) read(now schemas.Time) float64 {
	return decay.Read(c.top, c.sums[:], int64(now))
}

// A cell of the latest answer holds when it was given, what tells apart answers of the same time, and the answer.

func (c *cell) answer() (at schemas.Time, value uint32) {
	return schemas.Time(uint64(c.sums[0])<<32 | uint64(c.sums[1])), c.sums[3]
}

// isOlder tells whether another cell's answer is the later one; of two at the same time the one with the larger value.
func (c *cell) isOlder(o *cell) bool {
	for i := range c.sums[:4] {
		if c.sums[i] != o.sums[i] {
			return c.sums[i] < o.sums[i]
		}
	}
	return false
}

// say sets the latest answer, unless a later one is known.
func (s *Stage) say(l *leaf, key uint32, t schemas.Time, print, value uint32) {
	c := s.cell(l, key)
	if c == nil {
		return
	}
	said := cell{sums: [cellEpochs]uint32{uint32(uint64(t) >> 32), uint32(t), print, value}}
	if c.isOlder(&said) {
		c.sums = said.sums
	}
}

// count adds one to a plain counter of a cell.
func (s *Stage) count(l *leaf, key uint32, at int) {
	if c := s.cell(l, key); c != nil {
		c.sums[at] = saturate(c.sums[at], 1)
	}
}

func (s *Stage) changeTastes(l *leaf, i uint32) {
	if !l.tastesUnsaved {
		l.tastesUnsaved = true
		s.unsaved.tastes = append(s.unsaved.tastes, i)
	}
}
