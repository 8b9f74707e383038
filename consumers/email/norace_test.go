//go:build !race

package email

// raceDetector is off.
const raceDetector = false
