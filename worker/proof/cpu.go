package proof

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// CPU is the processor's architecture and, for amd64, its level (v1 to v4): an encoder may choose other code on another level.
func CPU() string {
	if runtime.GOARCH != "amd64" {
		return runtime.GOARCH
	}
	x := cpu.X86
	level := "v1"
	switch v3 := x.HasAVX2 && x.HasBMI1 && x.HasBMI2 && x.HasFMA; {
	case v3 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512CD && x.HasAVX512DQ && x.HasAVX512VL:
		level = "v4"
	case v3:
		level = "v3"
	case x.HasSSE42 && x.HasPOPCNT && x.HasSSSE3:
		level = "v2"
	}
	return runtime.GOARCH + " " + level
}

func cores() int { return runtime.NumCPU() }
