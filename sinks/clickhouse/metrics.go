package clickhouse

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	rows       *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	duplicates *prometheus.CounterVec
	pending    *prometheus.GaugeVec
	squashLag  prometheus.Gauge
	squashed   *prometheus.CounterVec
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
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seamline_clickhouse_pending",
			Help: "Aliases of people and leaves with another person that old rows do not say themselves yet, so that queries look them up."}, []string{"kind"}),
		squashLag: prometheus.NewGauge(prometheus.GaugeOpts{Name: "seamline_clickhouse_squash_lag_seconds",
			Help: "Seconds since the oldest of what is pending was processed; 0 where nothing is."}),
		squashed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_clickhouse_squashed_rows_total",
			Help: "Old rows that were given the person that they belong to by now."}, label),
	}
	if reg != nil {
		reg.MustRegister(m.rows, m.seconds, m.duplicates, m.pending, m.squashLag, m.squashed)
	}
	for _, t := range tables {
		m.rows.WithLabelValues(t)
		m.seconds.WithLabelValues(t)
		m.duplicates.WithLabelValues(t)
	}
	for _, kind := range []string{"aliases", "leaves"} {
		m.pending.WithLabelValues(kind)
	}
	for _, t := range squashedTables {
		m.squashed.WithLabelValues(t)
	}
	return m
}
