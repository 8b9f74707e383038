package score

// lexicon gives words dense numbers from 1. Words stay ordinary strings: a catalog is small beside the people who buy from it.
type lexicon struct {
	words []string
	index map[string]uint32
	max   int
	saved int // words that are stored
}

// Bounds of the lexicons: what is beyond them is not told apart.
const (
	skusMax      = 1 << 28
	wordsMax     = 1 << 20
	wordBytesMax = 256
)

func newLexicon(most int) lexicon {
	return lexicon{words: make([]string, 1), index: map[string]uint32{}, max: most, saved: 1}
}

// of gives the number of a word, and makes one where it is new; 0 for the empty word and where there is no room.
func (x *lexicon) of(word string) uint32 {
	if word == "" {
		return 0
	}
	if i, ok := x.index[word]; ok {
		return i
	}
	if len(x.words) >= x.max || len(word) > wordBytesMax {
		return 0
	}
	i := uint32(len(x.words))
	word = string([]byte(word)) // events alias their record's bytes
	x.words = append(x.words, word)
	x.index[word] = i
	return i
}

// known gives the number of a word; 0 where it has none.
func (x *lexicon) known(word string) uint32 { return x.index[word] }
