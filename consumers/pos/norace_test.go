//go:build !race

package pos

// raceDetector is off.
const raceDetector = false
