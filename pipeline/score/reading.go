package score

import "github.com/seamline/seamline/schemas"

// readingMax bounds what one page adds to the reading time: a tab that stays open is not read.
const readingMax = 30 * schemas.Minute

// readFor adds the time that an event says was spent, unless a machine spent it.
func (l *leaf) readFor(e *schemas.Event) {
	if e.DwellMillis > 0 && !e.Machine {
		l.readingMS += min(e.DwellMillis, int64(readingMax))
		l.readingPages++
	}
}

// reading sets the time that the person spent reading pages and messages, and how many said so: plain sums over all leaves.
func (s *Stage) reading(sc *schemas.Scores) {
	for _, i := range s.fold.leaves {
		l := s.leaves.At(i)
		sc.ReadingMS += l.readingMS
		sc.ReadingPages += l.readingPages
	}
}
