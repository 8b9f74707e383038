package field

// Words tells what is known of a few words, quickly also where a word is none of them.
type Words struct {
	slots []wordSlot // a power of two, most of them empty; a word stands in the first that was free from its hash on
	words int
}

type wordSlot struct {
	word  string
	value uint8
}

// wordSlotsPerWord keeps most words in the slot of their hash, and most others out of any.
const wordSlotsPerWord = 8

// NewWords makes the table of words by what holds for them. A word that stands in several lists has the bits of all of them; the empty
// word is none.
func NewWords(lists map[uint8][]string) *Words {
	size, count := 16, 0
	for _, list := range lists {
		count += len(list)
	}
	for size < wordSlotsPerWord*count {
		size *= 2
	}
	w := &Words{slots: make([]wordSlot, size)}
	for value, list := range lists {
		for _, word := range list {
			w.add(word, value)
		}
	}
	return w
}

func (w *Words) add(word string, value uint8) {
	slot := w.slot(word)
	if slot.word == "" {
		w.words++
	}
	*slot = wordSlot{word, slot.value | value}
}

// Of gives what holds for a word, and 0 for any other.
func (w *Words) Of(word string) uint8 { return w.slot(word).value }

// slot gives the slot of a word, or the empty one where it belongs.
func (w *Words) slot(word string) *wordSlot {
	for i := keyHash(word); ; i++ {
		if slot := &w.slots[i&uint64(len(w.slots)-1)]; slot.word == word || slot.word == "" {
			return slot
		}
	}
}

// Len gives the number of words.
func (w *Words) Len() int { return w.words }
