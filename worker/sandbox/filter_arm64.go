package sandbox

import "golang.org/x/sys/unix"

const (
	nativeArch = unix.AUDIT_ARCH_AARCH64
	foreignBit = 0 // 32-bit programs have a machine name of their own
	openCall   = 0 // only openat
)

var deniedHere []uint32
