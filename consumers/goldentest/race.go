//go:build race

package goldentest

// raceDetector is on: pools then lose memory on purpose.
const raceDetector = true
