package score

import (
	"math"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// channelStrength is how many visits or purchases of the population stand beside a person's own.
const channelStrength = 2

// buyWeight says how much more than a visit a purchase tells about a channel.
const buyWeight = 4

// channels sets where the person browses, answers and buys: shares by channel as means of Dirichlet posteriors around the population's (of
// visits, decayed with a half-life of 30 days, and of all purchases), and the degree of omnichannel: the entropy of all of it over the channels that
// the population uses, divided by its largest value.
func (m *models) channels(p *schemas.Profile, sc *schemas.Scores, t *taste) {
	var buys, all [schemas.ChannelCount]float64
	for i := range buys {
		buys[i] = float64(max(0, p.Channels[i].Orders))
		all[i] = t.browse[i] + t.respond[i] + buyWeight*buys[i]
	}
	shares(&sc.ChannelBrowse, &t.browse, &m.Browse)
	shares(&sc.ChannelRespond, &t.respond, &m.Respond)
	shares(&sc.ChannelBuy, &buys, &m.Buy)
	used, n := all[:0], 0
	for i := range all {
		if m.Browse[i]+m.Respond[i]+m.Buy[i] > 0 || all[i] > 0 {
			used, n = append(used, all[i]), n+1
		}
	}
	if n > 1 {
		sc.Omnichannel = float32(min(1, model.Entropy(used)/math.Log(float64(n))))
	}
}

// shares sets nothing where the person did nothing.
func shares(into *[schemas.ChannelCount]float32, counts, prior *[schemas.ChannelCount]float64) {
	var out [schemas.ChannelCount]float64
	total, known := 0.0, 0.0
	for i := range counts {
		total += counts[i]
		known += prior[i]
	}
	if total == 0 {
		return
	}
	strength := float64(channelStrength)
	if known == 0 {
		strength = 0
	}
	model.Shares(out[:], counts[:], prior[:], strength)
	for i := range out {
		into[i] = float32(out[i])
	}
}
