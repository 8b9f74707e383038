package field

// Words tells what is known of a few words, quickly where a word is none of them. It is a table without collisions, made once.
type Words struct {
	slots []wordSlot
	seed  uint64
}

type wordSlot struct {
	word  string
	value uint8
}

// wordSeedsMax bounds how many seeds are tried at one size of the table, before a larger one is.
const wordSeedsMax = 256

// NewWords makes the table of words by what holds for them. A word that stands in several lists has the bits of all of them.
func NewWords(lists map[uint8][]string) *Words {
	values := map[string]uint8{}
	for value, list := range lists {
		for _, word := range list {
			values[word] |= value
		}
	}
	size := 16
	for size < 4*len(values) {
		size *= 2
	}
	for ; ; size *= 2 {
		for seed := range uint64(wordSeedsMax) {
			if w := (&Words{slots: make([]wordSlot, size), seed: seed*2 + 1}); w.fill(values) {
				return w
			}
		}
	}
}

// fill puts the words into the table, unless two of them share a slot.
func (w *Words) fill(values map[string]uint8) bool {
	for word, value := range values {
		slot := w.slot(word)
		if slot.word != "" {
			return false
		}
		*slot = wordSlot{word, value}
	}
	return true
}

func (w *Words) slot(word string) *wordSlot {
	return &w.slots[keyHash(word)*w.seed>>32&uint64(len(w.slots)-1)]
}

// Of gives what holds for a word, and 0 for any other.
func (w *Words) Of(word string) uint8 {
	if slot := w.slot(word); slot.word == word {
		return slot.value
	}
	return 0
}

// Len gives the number of words.
func (w *Words) Len() (n int) {
	for i := range w.slots {
		if w.slots[i].word != "" {
			n++
		}
	}
	return n
}
