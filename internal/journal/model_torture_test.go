//go:build torture

package journal

// modelRuns is how many random journals TestModel tries at each number of processors.
const modelRuns = 150
