//go:build !race

package clickstream

// raceDetector is off.
const raceDetector = false
