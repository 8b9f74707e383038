package shoppers

import (
	"testing"
	"time"
)

// BenchmarkNext measures building and ordering records, on one core.
func BenchmarkNext(b *testing.B) {
	for name, eventTruth := range map[string]bool{"plain": false, "event truth": true} {
		b.Run(name, func(b *testing.B) {
			c := DefaultConfig()
			c.Shoppers, c.Duration, c.EventTruth = 100_000, 3650*24*time.Hour, eventTruth
			g := New(c)
			var size int64
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				r, ok := g.Next()
				if !ok {
					b.Fatal("the simulation is over")
				}
				size += int64(len(r.Value))
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(size)/float64(b.N), "bytes/record")
		})
	}
}
