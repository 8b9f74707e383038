package score

// lexicon gives words dense numbers from 1. Words stay ordinary strings: a catalog is small beside the people who buy from it.
type lexicon struct {
	words []string
	index map[string]uint32
	max   int
	saved int      // words that are stored
	memo  []uint32 // by place: the word that was asked for last of those that share it
}

// Bounds of the lexicons: what is beyond them is not told apart.
const (
	skusMax      = 1 << 22
	wordsMax     = 1 << 20
	wordBytesMax = 256
)

func newLexicon(most int) lexicon {
	return lexicon{words: make([]string, 1), index: map[string]uint32{}, max: most, saved: 1, memo: make([]uint32, lexiconMemo)}
}

// lexiconMemo is how many words are found without the map: few words make up most of what is asked for, and each is asked for several times
// per event.
const (
	lexiconMemoBits = 12
	lexiconMemo     = 1 << lexiconMemoBits
)

// place chooses a word's place in the memo by its length and its last bytes, in which the words of a shop differ.
func place(word string) int {
	h := uint64(0)
	if n := len(word); n >= 8 {
		end := word[n-8:]
		h = uint64(end[0]) | uint64(end[1])<<8 | uint64(end[2])<<16 | uint64(end[3])<<24 | uint64(end[4])<<32 | uint64(end[5])<<40 | uint64(end[6])<<48 | uint64(end[7])<<56
	} else {
		for i := range n {
			h = h<<8 | uint64(word[i])
		}
	}
	return int((h + uint64(len(word))) * 0x9E3779B97F4A7C15 >> (64 - lexiconMemoBits))
}

// find gives the number of a word; 0 where it has none.
func (x *lexicon) find(word string) uint32 {
	at := &x.memo[place(word)]
	if x.words[*at] != word {
		i := x.index[word]
		if i == 0 {
			return 0
		}
		*at = i
	}
	return *at
}

// of gives the number of a word, and makes one where it is new; 0 for the empty word and where there is no room.
func (x *lexicon) of(word string) uint32 {
	if word == "" {
		return 0
	}
	if i := x.find(word); i != 0 {
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
func (x *lexicon) known(word string) uint32 {
	if word == "" {
		return 0
	}
	return x.find(word)
}
