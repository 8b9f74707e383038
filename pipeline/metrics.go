package pipeline

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

// latencySampleEvery says of how many records one is observed in the latency histogram.
const latencySampleEvery = 64

// Metrics are the line's own metrics.
type Metrics struct {
	batches           prometheus.Counter
	batchRecords      prometheus.Histogram
	stageSeconds      *prometheus.HistogramVec
	sinkSeconds       *prometheus.HistogramVec
	retries           *prometheus.CounterVec
	latencySeconds    prometheus.Histogram
	checkpointSeconds prometheus.Histogram
	checkpointBytes   prometheus.Counter
	checkpointTime    prometheus.Gauge
	backupFailures    prometheus.Counter
}

// NewMetrics registers the line's metrics, with every stage and sink present from the start.
func NewMetrics(reg prometheus.Registerer, stages []schemas.Stage, sinks []schemas.Sink) *Metrics {
	seconds := prometheus.ExponentialBuckets(0.0005, 2, 16)
	m := &Metrics{
		batches: prometheus.NewCounter(prometheus.CounterOpts{Name: "seamline_line_batches_total",
			Help: "Batches made durable in every sink."}),
		batchRecords: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "seamline_line_batch_records",
			Help: "Records per batch.", Buckets: prometheus.ExponentialBuckets(1, 4, 11)}),
		stageSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "seamline_line_stage_seconds",
			Help: "Seconds that a stage took for a batch.", Buckets: seconds}, []string{"stage"}),
		sinkSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "seamline_line_sink_seconds",
			Help: "Seconds that a sink took for a batch, retries included.", Buckets: seconds}, []string{"sink"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seamline_line_retries_total",
			Help: "Failed writes that were tried again."}, []string{"sink"}),
		latencySeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "seamline_line_latency_seconds",
			Help: "Seconds from the record's broker time until it was durable in every sink, sampled.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 18)}),
		checkpointSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "seamline_state_checkpoint_seconds",
			Help: "Seconds that collecting a checkpoint held the line.", Buckets: seconds}),
		checkpointBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "seamline_state_checkpoint_bytes_total",
			Help: "Bytes of changed state collected by checkpoints."}),
		checkpointTime: prometheus.NewGauge(prometheus.GaugeOpts{Name: "seamline_state_checkpoint_timestamp_seconds",
			Help: "Unix time of the last checkpoint that was stored."}),
		backupFailures: prometheus.NewCounter(prometheus.CounterOpts{Name: "seamline_state_backup_failures_total",
			Help: "Failed tries to copy the state to ClickHouse."}),
	}
	reg.MustRegister(m.batches, m.batchRecords, m.stageSeconds, m.sinkSeconds, m.retries, m.latencySeconds,
		m.checkpointSeconds, m.checkpointBytes, m.checkpointTime, m.backupFailures)
	for _, s := range stages {
		m.stageSeconds.WithLabelValues(s.Name())
	}
	for _, s := range sinks {
		m.sinkSeconds.WithLabelValues(s.Name())
		m.retries.WithLabelValues(s.Name())
	}
	return m
}

// observe counts a durable batch and the age of a sample of its records.
func (m *Metrics) observe(b *schemas.Batch, now time.Time) {
	m.batches.Inc()
	m.batchRecords.Observe(float64(len(b.Records)))
	at := schemas.TimeOf(now)
	for i := 0; i < len(b.Records); i += latencySampleEvery {
		m.latencySeconds.Observe(float64(max(0, at-b.Records[i].Time)) / float64(schemas.Second))
	}
}

func (m *Metrics) checkpointed(now time.Time) { m.checkpointTime.Set(float64(now.UnixMilli()) / 1000) }
