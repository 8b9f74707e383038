package shoppers

import "math"

// rng is a splitmix64 generator. It is our own so that a seed means the same bytes under every Go release.
type rng struct{ state uint64 }

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return scramble(r.state)
}

// below returns a number from 0 to n-1.
func (r *rng) below(n int) int { return int(r.next() >> 32 * uint64(n) >> 32) }

// between returns a number from low to high-1.
func (r *rng) between(low, high int64) int64 {
	return low + int64(r.float()*float64(high-low))
}

func (r *rng) float() float64 { return float64(r.next()>>11) / (1 << 53) }

func (r *rng) chance(p float64) bool { return r.float() < p }

// exponential returns a waiting time with the given mean.
func (r *rng) exponential(mean float64) float64 { return -mean * math.Log(1-r.float()) }

func scramble(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// mix derives a seed from another and a label, so that each thing in the world has numbers of its own.
func mix(seed, label uint64) uint64 {
	return scramble(seed ^ scramble(label+0x9e3779b97f4a7c15))
}

// fraction reads a seed as a number from 0 to 1.
func fraction(seed uint64) float64 { return float64(seed>>11) / (1 << 53) }

// hashString is FNV-1a with a final scramble.
func hashString[T string | []byte](s T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return scramble(h)
}
