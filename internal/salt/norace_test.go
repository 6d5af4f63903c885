//go:build !race

package salt

const raceDetector = false
