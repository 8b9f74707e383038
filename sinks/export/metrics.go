package export

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	people   *prometheus.GaugeVec
	changes  *prometheus.CounterVec
	seconds  prometheus.Histogram
	failures prometheus.Counter
}

// newMetrics registers the metrics.
func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		people:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seamline_export_people", Help: "People on the standing list of an audience for a platform."}, []string{"audience", "platform"}),
		changes:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_export_changes_total", Help: "People added to and removed from lists."}, []string{"op"}),
		seconds:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "seamline_export_pass_seconds", Help: "Seconds that a pass over the people of some lists took.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 16)}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "seamline_export_failures_total", Help: "Lists that could not be made anew, so that the older ones stand."}),
	}
	if reg != nil {
		reg.MustRegister(m.people, m.changes, m.seconds, m.failures)
	}
	for _, op := range []string{opAdd, opRemove} {
		m.changes.WithLabelValues(op)
	}
	return m
}

func compareText(a, b string) int { return cmp.Compare(a, b) }
