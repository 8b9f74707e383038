//go:build race

package email

// raceDetector is on: pools then lose memory on purpose.
const raceDetector = true
