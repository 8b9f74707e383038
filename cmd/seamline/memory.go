package main

// Of state.memory, this much is neither state nor heap: the program itself, and what comes back to memory before it is dropped again.
const outsideBytes = 88 << 20

// stateShare is the percentage of the rest that the stages' state may take; the heap is left to batches and the store.
const stateShare = 60

// heapBytesMin is what the connections and the store need, with a few small batches.
const heapBytesMin = 96 << 20

// What batches take of the heap. Several are on their way at the same time: gathered, decoded, and in columns.
const (
	recordBytes   = 48 << 10 // for each record of a full batch, in all places together
	bytesInFlight = 32       // for each byte of a full batch
	recordsMin    = 1000
	bytesMin      = 1 << 20

	checkpointsPerBatch = 4  // a checkpoint may stand for the events of so many full batches
	backupShare         = 12 // the part of the heap that changes may take that wait to be copied
)

// stateBytes is how much of the stages' state may be in memory; 0 for all of it.
func (s *settings) stateBytes() int64 {
	if s.StateMemory == 0 {
		return 0
	}
	return int64(s.StateMemory) - outsideBytes - s.heapBytes()
}

// heapBytes is how much the heap may take; 0 for no limit.
func (s *settings) heapBytes() int64 {
	if s.StateMemory == 0 {
		return 0
	}
	return max(heapBytesMin, (int64(s.StateMemory)-outsideBytes)/100*(100-stateShare))
}

// withinMemory gives the settings with batches that fit into state.memory. No result depends on where batches are cut.
func (s *settings) withinMemory() *settings {
	heap := int(s.heapBytes())
	if heap == 0 {
		return s
	}
	bounded := *s
	bounded.Kafka.RecordsMax = min(s.Kafka.RecordsMax, max(recordsMin, heap/recordBytes))
	bounded.Kafka.BytesMax = min(s.Kafka.BytesMax, max(bytesMin, heap/bytesInFlight))
	return &bounded
}

// checkpointMax is how many moments a checkpoint may stand for; 0 for the default.
func (s *settings) checkpointMax() int {
	if s.StateMemory == 0 {
		return 0
	}
	return checkpointsPerBatch * s.Kafka.RecordsMax
}

// backupBytesMax is how many bytes of changes may wait to be copied; 0 for the default.
func (s *settings) backupBytesMax() int { return int(s.heapBytes()) / backupShare }
