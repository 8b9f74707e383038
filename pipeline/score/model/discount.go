package model

// DiscountShare is the share of somebody's lines that were bought on promotion, drawn towards the population's share:
// (promoted + strength share) / (lines + strength), the mean of a Beta posterior.
func DiscountShare(promoted, lines, share, strength float64) float64 {
	if !(lines+strength > 0) {
		return share
	}
	return (promoted + strength*share) / (lines + strength)
}

// DiscountDepth is what was taken off, per list value: sum of discounts / sum of list values, in the same money; 0..1, 0 without a list value.
func DiscountDepth(discounts, list float64) float64 {
	if !(list > 0) {
		return 0
	}
	return min(1, max(0, discounts/list))
}

// PriceSensitivity is where somebody's DiscountShare s stands against the population's share p: the logistic function of the logarithm of
// their odds ratio, that is o / (o + q) with odds o = s/(1-s) and q = p/(1-p). It is 0.5 for who buys on promotion as everybody does,
// towards 1 for who waits for promotions, towards 0 for who never minds. It does not depend on how many promotions there are for all.
// Where the population always or never buys on promotion it is 0.5. Definition: ours.
func PriceSensitivity(promoted, lines, share, strength float64) float64 {
	if !(share > 0 && share < 1) {
		return 0.5
	}
	s := DiscountShare(promoted, lines, share, strength)
	waits, minds := s*(1-share), (1-s)*share
	if !(waits+minds > 0) {
		return 0.5
	}
	return waits / (waits + minds)
}
