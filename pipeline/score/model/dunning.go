package model

import "math"

// xLogX is x ln x, 0 at 0.
func xLogX(x float64) float64 {
	if x <= 0 {
		return 0
	}
	return x * math.Log(x)
}

// LLR is Dunning's log-likelihood ratio of a two by two table: both events in k11 baskets, only the first in k12, only the second in k21,
// neither in k22. It is 2 (sum k ln k over the cells - over the row sums - over the column sums + N ln N); 0 for independent events, and
// never below 0 (Dunning: Accurate Methods for the Statistics of Surprise and Coincidence, Computational Linguistics 19, 1993). Without unit.
func LLR(k11, k12, k21, k22 float64) float64 {
	cells := xLogX(k11) + xLogX(k12) + xLogX(k21) + xLogX(k22)
	rows := xLogX(k11+k12) + xLogX(k21+k22)
	columns := xLogX(k11+k21) + xLogX(k12+k22)
	return max(0, 2*(cells-rows-columns+xLogX(k11+k12+k21+k22)))
}

// PairLLR is LLR of two items from the counts that are kept: n baskets, first and second of them with the one and the other, both with both.
func PairLLR(n, first, second, both float64) float64 {
	return LLR(both, first-both, second-both, n-first-second+both)
}

// Lift is how much more often two items share a basket than by chance: n both / (first second), in baskets; 1 for chance, 0 where an item
// was never seen (Brin, Motwani, Ullman, Tsur, SIGMOD 1997, as interest).
func Lift(n, first, second, both float64) float64 {
	if first <= 0 || second <= 0 {
		return 0
	}
	return n * both / (first * second)
}

// Confidence is the share of the first item's baskets that hold the second as well: both / first (Agrawal, Imielinski, Swami, SIGMOD 1993).
func Confidence(first, both float64) float64 {
	if first <= 0 {
		return 0
	}
	return both / first
}

// Entropy is that of a distribution given by counts or shares of any sum, in nats: ln S - (sum c ln c) / S (Shannon 1948).
func Entropy(counts []float64) float64 {
	sum, parts := 0.0, 0.0
	for _, c := range counts {
		if c > 0 {
			sum += c
			parts += xLogX(c)
		}
	}
	if sum <= 0 {
		return 0
	}
	return max(0, math.Log(sum)-parts/sum)
}

// NormalisedEntropy is Entropy divided by ln len(counts): 0 where all is in one place, 1 where all places are alike.
func NormalisedEntropy(counts []float64) float64 {
	if len(counts) < 2 {
		return 0
	}
	return min(1, Entropy(counts)/math.Log(float64(len(counts))))
}
