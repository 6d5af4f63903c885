//go:build goexperiment.runtimesecret

package salt

import "runtime/secret"

// Erasing says whether registers, stacks and signal frames are wiped after each use of a key. It takes a build with
// GOEXPERIMENT=runtimesecret, on linux/amd64 or linux/arm64.
const Erasing = true

// erasing runs f and wipes what f left in registers and on the stack.
func erasing(f func()) { secret.Do(f) }
