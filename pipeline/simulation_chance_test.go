package pipeline_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync/atomic"
)

// chance decides what happens by chance. Each decision has a name and depends on that and on the seed alone, so that it does not matter
// which of two things is decided first.
type chance struct {
	seed   uint64
	isCalm atomic.Bool // nothing goes wrong any more
}

// roll gives a number for a decision.
func (c *chance) roll(name ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, c.seed)
	for _, n := range name {
		fmt.Fprint(h, "/", n)
	}
	// One more step of mixing: the last bytes hardly reach the upper bits.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// happens tells whether something that goes wrong permille times in a thousand does.
func (c *chance) happens(permille uint64, name ...any) bool {
	return !c.isCalm.Load() && c.roll(name...)%1000 < permille
}

// rng gives a source of numbers for one purpose.
func (c *chance) rng(name ...any) *rand.Rand { return rand.New(rand.NewPCG(c.seed, c.roll(name...))) }
