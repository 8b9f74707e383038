//go:build race

package clickstream

// raceDetector is on: pools then lose memory on purpose.
const raceDetector = true
