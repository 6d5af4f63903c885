//go:build !goexperiment.runtimesecret

package salt

// Erasing says whether registers, stacks and signal frames are wiped after each use of a key. It takes a build with
// GOEXPERIMENT=runtimesecret, on linux/amd64 or linux/arm64.
const Erasing = false

// erasing runs f. What f leaves in registers and on the stack stays there until something else needs the room.
func erasing(f func()) { f() }
