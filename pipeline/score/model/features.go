package model

import "math"

// Features turns what is known of a session into an example for FTRL, without any statistics of the data set: every name is hashed, words
// become one feature each (name=value), numbers become their logarithm and a word for their size. Reuse one builder; it allocates only
// while its list grows.
type Features struct{ list []Feature }

// numberScale is what logarithms of numbers are multiplied with, so that a large one does not outweigh the words. Tuned together with
// bucketsPerOctave and DefaultRates on the online shoppers.
const (
	numberScale      = 0.4
	bucketsPerOctave = 0.5
)

// Reset begins a new example, with the constant feature that carries the base rate.
func (f *Features) Reset() {
	f.list = append(f.list[:0], Feature{Key: Key("", ""), Value: 1})
}

// List gives the example, which is valid until the next Reset.
func (f *Features) List() []Feature { return f.list }

// Number adds a number that is 0 or more (another is taken as 0): 0.4 log(1+v), and a word for its bucket, which spans a factor of four;
// of 0 only a word. Shares and rates do best as thousandths, since log(1+v) tells small numbers apart badly.
func (f *Features) Number(name string, v float64) {
	key := hashOf(name)
	if !(v > 0) {
		f.list = append(f.list, Feature{Key: mix(key, bucketOfZero), Value: 1})
		return
	}
	v = min(v, math.MaxFloat64)
	bucket := int64(math.Floor(math.Log2(v) * bucketsPerOctave))
	f.list = append(f.list,
		Feature{Key: mix(key, logarithm), Value: numberScale * math.Log1p(v)},
		Feature{Key: mix(key, uint64(bucket)<<2|bucketed), Value: 1})
}

// What a feature of a number stands for, in the low bits of the second half of its key.
const (
	bucketOfZero = iota
	logarithm
	bucketed
)

// Word adds a word, such as the channel or the kind of device.
func (f *Features) Word(name, value string) {
	f.list = append(f.list, Feature{Key: Key(name, value), Value: 1})
}

// Key is the hash that a word has as a feature: FNV-1a of the name and of the value, mixed so that each of its bits depends on all.
func Key(name, value string) uint64 { return mix(hashOf(name), hashOf(value)) }

// hashOf is FNV-1a (Fowler, Noll, Vo).
func hashOf(text string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 0x100000001b3
	}
	return h
}

// mix joins two hashes, with the finish of SplitMix64 (Steele, Lea, Flood 2014).
func mix(a, b uint64) uint64 {
	h := a*0x9E3779B97F4A7C15 + b
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
