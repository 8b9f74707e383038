package bench

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ClockTick is the unit of the times in /proc/PID/stat on every Linux that Go runs on.
const ClockTick = 10 * time.Millisecond

// mergeThread is what ClickHouse calls the threads that merge, which it keeps.
const mergeThread = "MergeMutate"

// Stack is the processes of `seamline local`: the broker, and ClickHouse as its child.
type Stack struct {
	Broker, ClickHouse int // process ids
}

// Usage is CPU time used so far. Merges are a part of ClickHouse.
type Usage struct{ Broker, ClickHouse, Merges time.Duration }

// Since gives what was used since before.
func (u Usage) Since(before Usage) Usage {
	return Usage{u.Broker - before.Broker, u.ClickHouse - before.ClickHouse, u.Merges - before.Merges}
}

var errNoProc = errors.New("the CPU time of other processes can be read on Linux only")

// FindStack finds ClickHouse beside the broker's process.
func FindStack(broker int) (Stack, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return Stack{}, errNoProc
	}
	for _, path := range stats {
		if s, ok := readStat(path); ok && s.parent == broker {
			return Stack{broker, s.id}, nil
		}
	}
	return Stack{}, fmt.Errorf("process %d has no child: ClickHouse does not run", broker)
}

// Usage reads the CPU time of both processes.
func (s Stack) Usage() (Usage, error) {
	broker, ok := readStat(fmt.Sprintf("/proc/%d/stat", s.Broker))
	server, isThere := readStat(fmt.Sprintf("/proc/%d/stat", s.ClickHouse))
	if !ok || !isThere {
		return Usage{}, errors.New("broker or ClickHouse has ended")
	}
	u := Usage{Broker: broker.used, ClickHouse: server.used}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.ClickHouse))
	if err != nil {
		return u, err
	}
	for _, path := range threads {
		if t, ok := readStat(path); ok && t.name == mergeThread {
			u.Merges += t.used
		}
	}
	return u, nil
}

// stat is what counts of /proc/PID/stat.
type stat struct {
	id, parent int
	name       string
	used       time.Duration
}

// readStat reads about a process or a thread; false where it is gone.
func readStat(path string) (stat, bool) {
	file, err := os.Open(path)
	if err != nil {
		return stat{}, false
	}
	defer file.Close()
	line, _ := bufio.NewReader(file).ReadString('\n')
	return parseStat(line)
}

// parseStat reads the line. The command's name stands in parentheses and may hold blanks.
func parseStat(line string) (stat, bool) {
	begin, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if begin < 1 || end < begin {
		return stat{}, false
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 13 {
		return stat{}, false
	}
	s := stat{name: line[begin+1 : end]}
	s.id, _ = strconv.Atoi(strings.TrimSpace(line[:begin]))
	s.parent, _ = strconv.Atoi(fields[1])
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	s.used = time.Duration(user+system) * ClockTick
	return s, true
}

// PeakResident reads the most memory that a process ever had; 0 where it is gone.
func PeakResident(pid int) int64 {
	return memoryOf(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
}

// ResidentNow reads how much memory a process has; 0 where it is gone.
func ResidentNow(pid int) int64 {
	return memoryOf(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
}

// MachineMemory reads how much memory the machine has; 0 where the system does not say.
func MachineMemory() int64 { return memoryOf("/proc/meminfo", "MemTotal:") }

// memoryOf reads a line in kilobytes.
func memoryOf(path, key string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, key); found {
			fields := strings.Fields(rest)
			if len(fields) == 0 {
				return 0
			}
			kilobytes, _ := strconv.ParseInt(fields[0], 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

// Machine is where a report was made.
type Machine struct {
	Cores      int    `json:"cores"`
	CPU        string `json:"cpu"`
	Memory     int64  `json:"memory_bytes"`
	Go         string `json:"go"`
	Version    string `json:"version"`
	Commit     string `json:"commit"`
	ClickHouse string `json:"clickhouse"`
	Load       string `json:"load_at_start"`
}

// Look fills what the operating system knows.
func (m *Machine) Look() {
	m.Memory = MachineMemory()
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.TrimSpace(string(text))
	}
}
