package kafka

import (
	"net"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

type metrics struct {
	records map[schemas.Feed]prometheus.Counter
	bytes   map[schemas.Feed]prometheus.Counter
	lags    *prometheus.GaugeVec

	disordered prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, feeds []schemas.Feed) *metrics {
	records := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_consumers_records_total",
		Help: "Records gathered, by feed."}, []string{"feed"})
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_consumers_bytes_total",
		Help: "Bytes of record values gathered, by feed."}, []string{"feed"})
	m := &metrics{records: map[schemas.Feed]prometheus.Counter{}, bytes: map[schemas.Feed]prometheus.Counter{},
		lags: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seamline_consumers_lag_records",
			Help: "Records in the partition that are not gathered yet."}, []string{"topic", "partition"}),
		disordered: prometheus.NewCounter(prometheus.CounterOpts{Name: "seamline_consumers_disordered_total",
			Help: "Times that the line went on without a partition that did not deliver, so that a rebuild may order records otherwise."})}
	reg.MustRegister(records, bytes, m.lags, m.disordered)
	for _, f := range feeds {
		m.records[f] = records.WithLabelValues(string(f))
		m.bytes[f] = bytes.WithLabelValues(string(f))
	}
	return m
}

func (m *metrics) record(feed schemas.Feed, bytes int) {
	m.records[feed].Inc()
	m.bytes[feed].Add(float64(bytes))
}

func (m *metrics) lag(topic string, partition int32, records int64) {
	m.lags.WithLabelValues(topic, strconv.Itoa(int(partition))).Set(float64(records))
}

// connectionHook turns failed and successful connections into readiness.
type connectionHook struct{ report func(error) }

// OnBrokerConnect reports a failed dial; a later success clears it.
func (h *connectionHook) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	h.report(err)
}
