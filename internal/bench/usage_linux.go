package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of times in /proc/PID/stat. It is 1/100 s on every Linux that Go runs on.
const tick = 10 * time.Millisecond

var errStat = errors.New("it is not as expected")

// usage reads what a process has used: the time of all its threads, ended ones too, on processors in user and kernel mode (what getrusage would tell the
// process itself), to 20 ms; and its resident memory in bytes.
func usage(pid int) (cpu time.Duration, resident int64, err error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read a process's times: %w", err)
	}
	// The name, in brackets, may hold anything. Behind it: state is field 3, utime 14, stime 15, rss 24.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 22 {
		return 0, 0, fmt.Errorf("cannot read a process's times: %w", errStat)
	}
	var values [3]int64
	for i, field := range [...]int{14, 15, 24} {
		if values[i], err = strconv.ParseInt(string(fields[field-3]), 10, 64); err != nil {
			return 0, 0, fmt.Errorf("cannot read a process's times: %w", errStat)
		}
	}
	return time.Duration(values[0]+values[1]) * tick, values[2] * int64(os.Getpagesize()), nil
}
