package clickhouse

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	rows       *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	duplicates *prometheus.CounterVec
}

// newMetrics registers the metrics, with every table present from the start.
func newMetrics(reg prometheus.Registerer, tables []string) *metrics {
	label := []string{"table"}
	m := &metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_clickhouse_rows_total",
			Help: "Rows that ClickHouse acknowledged, rows of repeated batches included."}, label),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "seamline_clickhouse_insert_seconds",
			Help: "Seconds that an INSERT of one block took.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}, label),
		duplicates: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_clickhouse_duplicate_blocks_total",
			Help: "Blocks that ClickHouse dropped since it had taken their token before."}, label),
	}
	if reg != nil {
		reg.MustRegister(m.rows, m.seconds, m.duplicates)
	}
	for _, t := range tables {
		m.rows.WithLabelValues(t)
		m.seconds.WithLabelValues(t)
		m.duplicates.WithLabelValues(t)
	}
	return m
}
