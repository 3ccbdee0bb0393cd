package harness

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of the times in /proc; the same on every Linux.
const clockTick = time.Second / 100

// CPU is the processor time that a running server has taken, in user and system mode.
func (s *Server) CPU() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID()))
	if err != nil {
		return 0, fmt.Errorf("harness: reading a server's processor time: %w", err)
	}
	// The name, in brackets, may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const utime, stime = 11, 12
	if len(fields) <= stime {
		return 0, fmt.Errorf("harness: %q is no processor time", stat)
	}
	var total time.Duration
	for _, i := range []int{utime, stime} {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("harness: reading a server's processor time: %w", err)
		}
		total += time.Duration(n) * clockTick
	}
	return total, nil
}

// RSS is a running server's resident memory in bytes, now and at most so far (or since ResetPeak).
func (s *Server) RSS() (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		return 0, 0, fmt.Errorf("harness: reading a server's memory: %w", err)
	}
	for field, to := range map[string]*int64{"VmRSS:": &now, "VmHWM:": &peak} {
		_, rest, _ := strings.Cut(string(status), field)
		words := strings.Fields(rest)
		if len(words) == 0 {
			return 0, 0, fmt.Errorf("harness: a server's status has no %s", field)
		}
		kib, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("harness: reading a server's memory: %w", err)
		}
		*to = kib << 10
	}
	return now, peak, nil
}

// ResetPeak has the peak of RSS begin anew.
func (s *Server) ResetPeak() error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.PID()), []byte("5"), 0); err != nil {
		return fmt.Errorf("harness: resetting the peak of a server's memory: %w", err)
	}
	return nil
}
