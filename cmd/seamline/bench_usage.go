package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
)

// usage is the CPU time of the three parts.
type usage struct{ pipeline, broker, clickHouse time.Duration }

func (u usage) all() time.Duration { return u.pipeline + u.broker + u.clickHouse }

// usage reads the CPU time used so far by this process, the broker and ClickHouse.
func (b *benchRun) usage() (usage, error) {
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return usage{}, err
	}
	u := usage{pipeline: time.Duration(self.Utime.Nano() + self.Stime.Nano())}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return u, errors.New("the CPU time of other processes can be read on Linux only")
	}
	for _, path := range stats {
		pid, parent, used, ok := processStat(path)
		switch {
		case !ok:
		case pid == b.stack.Process.Pid:
			u.broker += used
		case parent == b.stack.Process.Pid:
			u.clickHouse += used
		}
	}
	return u, nil
}

// clockTick is the unit of the times in /proc/PID/stat on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// processStat reads number, parent and CPU time of a process; false where it is gone.
func processStat(path string) (pid, parent int, used time.Duration, ok bool) {
	file, err := os.Open(path)
	if err != nil {
		return 0, 0, 0, false
	}
	defer file.Close()
	line, _ := bufio.NewReader(file).ReadString('\n')
	// The command's name stands in parentheses and may hold blanks.
	end := strings.LastIndexByte(line, ')')
	begin := strings.IndexByte(line, ' ')
	if end < 0 || begin < 0 {
		return 0, 0, 0, false
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 13 {
		return 0, 0, 0, false
	}
	pid, _ = strconv.Atoi(line[:begin])
	parent, _ = strconv.Atoi(fields[1])
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return pid, parent, time.Duration(user+system) * clockTick, true
}

// peakResident reads the most memory that a process ever had; 0 where it is gone.
func peakResident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			fields := strings.Fields(rest)
			kilobytes, _ := strconv.ParseInt(fields[0], 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

// verdict says whether a goal is met.
func verdict(isMet bool) string {
	if isMet {
		return "pass"
	}
	return "not met"
}

// stitchShareMax is the goal: how much of the pipeline's CPU time stitching may take.
const stitchShareMax = 0.12

// printStitch writes the share of the pipeline's CPU time that stitching takes, with what it calls, by the samples of a profile.
func printStitch(out io.Writer, profile []byte) error {
	shares, err := bench.CPUShares(profile, "github.com/seamline/seamline/pipeline/stitch.")
	if err != nil {
		return err
	}
	share := shares[0]
	fmt.Fprintf(out, "\n  stitching is %.1f %% of the pipeline's CPU; goal at most %.0f %%: %s\n", 100*share, 100*stitchShareMax, verdict(share <= stitchShareMax))
	return nil
}
