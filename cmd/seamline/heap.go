package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/seamline/seamline/cmd/seamline/bench"
)

// heapGrowth is GOGC where nothing else is said. What is on its way in batches is used again and again, so that little becomes garbage;
// to collect it seldom costs memory that a ceiling bounds, and spares passes over all that is on its way.
const heapGrowth = 200

// machineShare is the part of the machine's memory that the heap is held to where state.memory sets no ceiling.
const machineShare = 2

// tuneHeap sets how often garbage is collected, and the memory from which on it is collected more often. The variables GOGC and
// GOMEMLIMIT of the environment have the last word.
func (s *settings) tuneHeap() {
	limit := s.heapBytes()
	if limit == 0 {
		limit = machineBytes() / machineShare
	}
	if os.Getenv("GOMEMLIMIT") == "" && limit > 0 {
		debug.SetMemoryLimit(limit)
	}
	if os.Getenv("GOGC") == "" && limit > 0 {
		debug.SetGCPercent(heapGrowth)
	}
}

// machineBytes gives the memory that the process may have: the machine's or the control group's, whichever is less; 0 where neither is known.
func machineBytes() int64 {
	least := int64(0)
	for _, read := range []func() int64{bench.MachineMemory, groupMax} {
		if n := read(); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// groupMax reads the ceiling of the control group; "max" is none.
func groupMax() int64 {
	text, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}
