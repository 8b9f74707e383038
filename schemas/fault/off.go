//go:build !faults

package fault

// Enabled tells whether this build can fail on demand.
const Enabled = false

// At is a place where a test build may kill the process. In other builds it is nothing.
func At(string) {}

// Off tells whether a test build has switched a protection off. In other builds none is.
func Off(string) bool { return false }
