package score

import (
	"github.com/prometheus/client_golang/prometheus"
)

// measure sets what is watched.
func (s *Stage) measure() {
	m := s.metrics
	m.leaves.Set(float64(s.leaves.Len()))
	m.orders.Set(float64(s.orders.Len() - 1))
	m.sessions.Set(float64(s.sessions.Len()))
	m.carts.Set(float64(s.cartCount))
	m.products.Set(float64(len(s.skus.words) - 1))
	m.pairs.Set(float64(s.pairs.Len()))
	m.version.Set(float64(s.models.Version))
}

type metrics struct {
	leaves, orders, sessions, carts, products, pairs, version prometheus.Gauge
	fits                                                      prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		reg.MustRegister(g)
		return g
	}
	fits := prometheus.NewCounter(prometheus.CounterOpts{Name: "seamline_score_fits_total", Help: "Fits of the population's models."})
	reg.MustRegister(fits)
	return &metrics{fits: fits, products: gauge("seamline_score_products", "Products that were met."),
		pairs: gauge("seamline_score_pairs", "Pairs of products that are counted."), version: gauge("seamline_score_models_version", "Version of the models in force."),
		leaves: gauge("seamline_score_leaves", "Leaves with state."), orders: gauge("seamline_score_orders", "Orders remembered."),
		sessions: gauge("seamline_score_sessions", "Devices with a remembered session."), carts: gauge("seamline_score_carts", "Leaves with a cart ledger.")}
}
