package model

// Shares writes into shares, of the length of counts, what part of somebody's doing happens where, drawn towards the population:
// (count + strength * prior) / (sum of counts + strength), the mean of a Dirichlet posterior (Gelman et al.: Bayesian Data Analysis,
// section 3.4). Counts may be decayed. Prior sums to 1; nil stands for equal parts.
func Shares(shares, counts, prior []float64, strength float64) {
	sum := strength
	for _, c := range counts {
		sum += c
	}
	for i, c := range counts {
		p := 1 / float64(len(counts))
		if prior != nil {
			p = prior[i]
		}
		shares[i] = p
		if sum > 0 {
			shares[i] = (c + strength*p) / sum
		}
	}
}
