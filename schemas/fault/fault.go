// Package fault lets a test build (-tags faults) fail on demand: it kills the process at a named step, or switches a protection off,
// so that tests can show that somebody notices. Names come in from the environment; nothing goes out.
// Other builds compile it to nothing.
package fault

// Environment variables that a test build reads.
const (
	// EnvCrash is POINT or POINT:N: the process kills itself with SIGKILL when it comes to the point for the Nth time.
	EnvCrash = "SEAMLINE_FAULT_CRASH"
	// EnvOff lists protections that are switched off, comma separated.
	EnvOff = "SEAMLINE_FAULT_OFF"
)

// The steps of the batch protocol, in their order.
const (
	PointGathered    = "gathered"
	PointDecoded     = "decoded"
	PointFolded      = "folded"
	PointPlanned     = "planned"
	PointIntent      = "intent"       // the intent is durable, no sink has seen the batch
	PointBlock       = "block"        // one block of ClickHouse is written
	PointLetters     = "letters"      // Kafka has the dead letters and audience changes
	PointTables      = "tables"       // every table but commits is written
	PointWritten     = "written"      // every sink is done
	PointCollected   = "collected"    // a checkpoint is collected
	PointCheckpoint  = "checkpoint"   // a checkpoint is committed
	PointOffsets     = "offsets"      // offsets are exported
	PointBackup      = "backup"       // a part of the state is copied to ClickHouse
	PointRestorePart = "restore-part" // a part of the state is restored
)

// Points lists the steps.
func Points() []string {
	return []string{PointGathered, PointDecoded, PointFolded, PointPlanned, PointIntent, PointBlock, PointLetters, PointTables, PointWritten,
		PointCollected, PointCheckpoint, PointOffsets, PointBackup, PointRestorePart}
}

// The protections that can be switched off.
const (
	Intent      = "intent"       // intents are written and replayed
	Verify      = "verify"       // a block that ClickHouse took for a repeated one is counted
	Attempt     = "attempt"      // a block whose rows are missing goes out under a new token
	Split       = "split"        // a replayed batch is cut into the same blocks
	Checksum    = "checksum"     // a replayed batch is held against its intent
	Order       = "order"        // the checkpoint is committed after the sinks
	Fence       = "fence"        // an instance that lost the lead cannot write intents
	DeadLetters = "dead-letters" // dead letters are part of the batch
	Reset       = "reset"        // a gap in the offsets stops the line
	Token       = "token"        // inserts carry a deduplication token
	Canonical   = "canonical"    // records are taken in canonical order
	Canary      = "canary"       // a state directory with a missing piece is refused
)
