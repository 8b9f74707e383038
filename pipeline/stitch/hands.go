package stitch

import "github.com/seamline/seamline/schemas"

// movesMax bounds the changes of hands that are kept per identifier; where there are more, the second oldest goes.
const movesMax = 256

// leafAt gives the leaf that an identifier's events at a time belong to.
func (g *graph) leafAt(i *identifier, at schemas.Time) uint32 {
	if i.moves == 0 {
		return i.leaf
	}
	m := g.moves.At(i.moves)
	for m.since > at && m.next != 0 {
		m = g.moves.At(m.next)
	}
	return m.leaf
}

// moveTo records that from since on an identifier's events belong to leaf l. Late moves sort in by event time.
func (g *graph) moveTo(id, l uint32, since schemas.Time) {
	i := g.identifiers.At(id)
	if i.moves == 0 {
		i.moves, i.moveCount = g.newMove(move{leaf: i.leaf}), 1
	}
	// before is the newest move that is not after since, or the oldest of all.
	var behind *move
	before := i.moves
	for m := g.moves.At(before); m.since > since && m.next != 0; m = g.moves.At(before) {
		behind, before = m, m.next
	}
	if m := g.moves.At(before); m.since == since {
		m.leaf = l
	} else {
		g.insertMove(i, behind, move{since: since, leaf: l, next: before})
	}
	if i.moveCount > movesMax {
		g.dropMove(i)
	}
	i.leaf = g.moves.At(i.moves).leaf
}

// insertMove puts a move behind a newer one, or makes it the newest. The oldest stays the oldest, whatever its time.
func (g *graph) insertMove(i *identifier, behind *move, m move) {
	n := g.newMove(m)
	if behind == nil {
		i.moves = n
	} else {
		behind.next = n
	}
	i.moveCount++
}

func (g *graph) newMove(m move) uint32 {
	if g.freeMoves == 0 {
		return g.moves.Append(m)
	}
	n := g.freeMoves
	at := g.moves.At(n)
	g.freeMoves = at.next
	*at = m
	return n
}

// dropMove forgets the second oldest move, so that its time counts for the oldest.
func (g *graph) dropMove(i *identifier) {
	newer := g.moves.At(i.moves)
	for {
		second := g.moves.At(newer.next)
		if g.moves.At(second.next).next == 0 {
			dropped := newer.next
			newer.next = second.next
			second.next, g.freeMoves = g.freeMoves, dropped
			i.moveCount--
			return
		}
		newer = second
	}
}

// eachMove calls f for an identifier's moves, newest first, until f says stop.
func (g *graph) eachMove(i *identifier, f func(m *move) (more bool)) {
	for n := i.moves; n != 0; {
		m := g.moves.At(n)
		if !f(m) {
			return
		}
		n = m.next
	}
}
