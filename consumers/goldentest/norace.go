//go:build !race

package goldentest

// raceDetector is off.
const raceDetector = false
