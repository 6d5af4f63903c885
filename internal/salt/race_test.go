//go:build race

package salt

const raceDetector = true
