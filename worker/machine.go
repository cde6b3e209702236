package main

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What one clip takes: the defaults for how many run at once follow from it.
const (
	coresPerClip  = 2
	memoryPerClip = 700 << 20
)

// defaultSlots is how many clips this machine works on at once.
func defaultSlots(cores int, memory uint64) int {
	return max(1, min(cores/coresPerClip, int(memory/memoryPerClip)))
}

// usableCores is how many cores this process may run on.
func usableCores() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() == 0 {
		return runtime.NumCPU()
	}
	return min(set.Count(), runtime.NumCPU())
}

// memory is what this process may use, in bytes: the machine's, or its control group's limit where that is lower.
func memory() uint64 {
	total := uint64(0)
	if f, err := os.Open("/proc/meminfo"); err == nil {
		defer f.Close()
		for in := bufio.NewScanner(f); in.Scan(); {
			if fields := strings.Fields(in.Text()); len(fields) >= 2 && fields[0] == "MemTotal:" {
				kib, _ := strconv.ParseUint(fields[1], 10, 64)
				total = kib << 10
			}
		}
	}
	if b, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil && n < total {
			total = n
		}
	}
	return total
}
