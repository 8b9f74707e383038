package main

import (
	"context"

	"github.com/seamline/seamline/sinks/clickhouse"
)

// keepSquashed writes merges and unmerges into old rows in the background, until the function that it gives is called. A rebuild only
// keeps the dictionaries cheap: what the rows of before the rebuild say about people may not be so under its rules.
func (r *pipelineRun) keepSquashed(ctx context.Context) (end func()) {
	if r.atLeastOnce {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.tables.KeepSquashed(ctx, clickhouse.Squashing{Bound: func() uint64 { return r.store.Point().Batch }, Leads: r.journal.Leads, DictionariesOnly: r.rebuild})
	}()
	return func() {
		cancel()
		<-ended
	}
}
