//go:build race

package pos

// raceDetector is on: pools then lose memory on purpose.
const raceDetector = true
