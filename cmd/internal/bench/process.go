package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of the times in /proc; the same on every Linux.
const clockTick = time.Second / 100

// processUsage reads processor time and resident memory of a process from /proc: zero where there is none.
func processUsage(pid int) (cpu time.Duration, rss int64) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// The name, in brackets, may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const utime, stime, pages = 11, 12, 21
	if len(fields) <= pages {
		return 0, 0
	}
	var n [3]int64
	for i, f := range []int{utime, stime, pages} {
		if n[i], err = strconv.ParseInt(string(fields[f]), 10, 64); err != nil {
			return 0, 0
		}
	}
	return time.Duration(n[0]+n[1]) * clockTick, n[2] * int64(os.Getpagesize())
}
