package decode

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

type metrics struct {
	events  *prometheus.CounterVec
	rejects *prometheus.CounterVec
	drops   *prometheus.CounterVec
	sources map[string]prometheus.Counter // of events, so that counting them is a map look-up
}

func newMetrics(reg prometheus.Registerer, decoders map[schemas.Feed]schemas.Decoder) *metrics {
	m := &metrics{sources: map[string]prometheus.Counter{},
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_decode_events_total",
			Help: "Events decoded, by kind of producer."}, []string{"source"}),
		rejects: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_decode_rejects_total",
			Help: "Records, or elements of records, that became dead letters."}, []string{"feed", "reason"}),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_decode_dropped_total",
			Help: "Readable elements that yield no event on purpose."}, []string{"source", "reason"}),
	}
	reg.MustRegister(m.events, m.rejects, m.drops)
	for feed := range decoders {
		for _, reason := range schemas.Reasons() {
			m.rejects.WithLabelValues(string(feed), string(reason))
		}
	}
	return m
}

func (m *metrics) event(source string, events int) {
	c := m.sources[source]
	if c == nil {
		c = m.events.WithLabelValues(source)
		m.sources[source] = c
	}
	c.Add(float64(events))
}

func (m *metrics) reject(feed schemas.Feed, reason schemas.Reason) {
	m.rejects.WithLabelValues(string(feed), string(reason)).Inc()
}

func (m *metrics) drop(source string, drop schemas.Drop) {
	m.drops.WithLabelValues(source, string(drop)).Inc()
}
