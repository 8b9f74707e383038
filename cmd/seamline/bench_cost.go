package main

import (
	"context"
	"time"

	"github.com/seamline/seamline/schemas"
)

const never = 1000 * time.Hour

// exactlyOnceCostMax is the goal: how much more CPU an event may cost than at least once.
const exactlyOnceCostMax = 1.05

// stitchShareMax is the goal: how much of the pipeline's CPU time stitching may take.
const stitchShareMax = 0.12

// noJournal keeps no intents: after a crash, batches would be cut otherwise.
type noJournal struct{}

func (noJournal) Write(context.Context, *schemas.Intent) error { return nil }
func (noJournal) Finished(uint64)                              {}
func (noJournal) Offset(uint64) int64                          { return 0 }
