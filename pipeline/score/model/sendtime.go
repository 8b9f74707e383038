package model

// ClickRate is the chance that a message sent in an hour of the week is clicked, drawn towards the population's rate of that hour:
// (clicks + strength * prior) / (sends + strength), the mean of a Beta posterior.
func ClickRate(clicks, sends uint32, prior, strength float64) float64 {
	below := float64(max(sends, clicks)) + strength
	if !(below > 0) {
		return prior
	}
	return (float64(clicks) + strength*prior) / below
}
