package score

import "github.com/seamline/seamline/schemas"

// What an event changes of a person lies anywhere in memory, and most of its cost is waiting for memory. So the stage looks ahead: it reads
// what the coming events will need, for some of them at once, so that the processor waits for all of it together. Whose an event is is only
// known when its moment comes; until then the device's last person stands for it. A wrong guess costs nothing but time.

// aheadEvents is for how many events memory is read at once.
const aheadEvents = 32

// ahead is how far a batch was looked ahead in.
type ahead struct {
	at, until int      // places in the batch: of the next event, and of the first that nothing was read for
	guesses   []uint32 // leaves by a part of the device's hash
	count     int      // guesses noted since the list grew last
	sum       uint64   // of what was read, so that the reads are not left out
}

const guessesMin = 1 << 12

// guess notes whose a device is.
func (a *ahead) guess(device uint64, leaf uint32) {
	if a.count++; a.count > len(a.guesses) && len(a.guesses) < guessesMax {
		a.guesses = append(a.guesses, make([]uint32, max(guessesMin, len(a.guesses)))...)
		// Devices are chosen by their lower bits, so that each half begins as the whole was.
		copy(a.guesses[len(a.guesses)/2:], a.guesses[:len(a.guesses)/2])
	}
	a.guesses[device&uint64(len(a.guesses)-1)] = leaf
}

// guessesMax bounds the list of guesses.
const guessesMax = 1 << 24

// lookAhead follows the batch to the event of the moment, and reads for the next ones where that is due.
func (s *Stage) lookAhead(b *schemas.Batch, e *schemas.Event) {
	a := &s.ahead
	for a.at < len(b.Events) && b.Events[a.at] != e { // events that are not the stage's, or a batch without
		a.at++
	}
	if a.at >= a.until && a.at < len(b.Events) {
		a.until = min(a.at+aheadEvents, len(b.Events))
		s.readAhead(b.Events[a.at:a.until])
	}
	a.at++
}

func (s *Stage) readAhead(events []*schemas.Event) {
	var leaves [aheadEvents]uint32
	a, known := &s.ahead, uint32(s.leaves.Len())
	if known == 0 {
		return
	}
	for i, e := range events {
		guess := e.Leaf
		if guess == 0 && e.Device != 0 && len(a.guesses) > 0 {
			guess = a.guesses[e.Device&uint64(len(a.guesses)-1)]
		}
		if guess < known { // else nobody's leaf stands for it
			leaves[i] = guess
		}
	}
	s.readLeaves(leaves[:len(events)])
	for _, i := range leaves[:len(events)] {
		l := s.leaves.At(i)
		a.sum += uint64(s.blocks.At(l.cells).next) + uint64(s.recents.At(l.viewed)[0].at)
	}
	for n, i := range leaves[:len(events)] {
		if e := events[n]; len(e.Items) == 1 && isAboutProduct(e.Type) {
			a.sum += s.readCells(s.blocks.At(s.leaves.At(i).cells), &e.Items[0])
		}
	}
}

// readCells reads the cells of a product's category and brand, as far as a leaf's first block has them.
func (s *Stage) readCells(b *block, it *schemas.Item) (sum uint64) {
	category, brand := cellKey(kindCategory, s.words.known(it.Category)), cellKey(kindBrand, s.words.known(it.Brand))
	for i, k := range &b.keys {
		if k == category || k == brand {
			sum += uint64(s.cellGroups.At(b.groups[i/groupCells])[i%groupCells].top)
		}
	}
	return sum
}

// readLeaves reads the front of leaves.
func (s *Stage) readLeaves(leaves []uint32) {
	sum := uint64(0)
	for _, i := range leaves {
		l := s.leaves.At(i)
		sum += uint64(l.held.end) + uint64(l.stay.last) + uint64(l.cells) + uint64(l.channels[schemas.ChannelWeb].last)
	}
	s.ahead.sum += sum
}

const (
	rowsAhead   = 16 // rows that memory is read for at once
	leavesAhead = 64 // most leaves of theirs
)

// readPeople reads what the rows of some profiles are made of.
func (s *Stage) readPeople(people []schemas.Touch) {
	f := &s.fold
	f.leaves = f.leaves[:0]
	for _, t := range people {
		s.graph.Leaves(t.Profile, f.collect)
		if len(f.leaves) >= leavesAhead {
			break
		}
	}
	leaves := f.leaves[:min(len(f.leaves), leavesAhead)]
	s.readLeaves(leaves)
	sum := uint64(0)
	for _, i := range leaves {
		l := s.leaves.At(i)
		sum += uint64(l.channels[schemas.ChannelCount-1].last) + uint64(l.email.opens) + uint64(l.orders) + uint64(s.blocks.At(l.cells).next) +
			uint64(s.recents.At(l.viewed)[0].at) + uint64(s.visits.At(l.visits).next)
	}
	for _, i := range leaves {
		l := s.leaves.At(i)
		sum += uint64(s.recents.At(l.bought)[0].at) + uint64(s.orders.At(l.orders).next)
		for _, group := range s.blocks.At(l.cells).groups {
			if group != 0 {
				sum += uint64(s.cellGroups.At(group)[0].top) + uint64(s.cellGroups.At(group)[groupCells-1].top)
			}
		}
	}
	s.ahead.sum += sum
}
