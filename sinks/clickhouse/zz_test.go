package clickhouse

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	server := ownServer(t, "")
	var sinks [2]*Sink
	for i := range sinks {
		cfg := DefaultConfig()
		cfg.Addr, cfg.Database, cfg.Fsync = server.Addr(), []string{"off", "on"}[i], i == 1
		sinks[i] = open(t, cfg)
	}
	for _, events := range []int{500, 10000} {
		r := rand.New(rand.NewPCG(1, 1))
		took := [2][]time.Duration{}
		for n := range 150 {
			b := usual(r, uint64(events+n), events)
			for k := range 2 {
				i := (n + k) % 2
				begun := time.Now()
				write(t, sinks[i], b)
				took[i] = append(took[i], time.Since(begun))
			}
		}
		for i := range 2 {
			slices.Sort(took[i])
			t.Logf("%d events fsync=%v: median %v p90 %v", events, i == 1, took[i][75], took[i][135])
		}
	}
}
