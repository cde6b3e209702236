#!/bin/bash
# boot.sh ROOT GROUP starts the systemd of the Debian in ROOT as process 1 of namespaces of its own, without any network but
# loopback. GROUP is a control group of version 2, made by the caller, that becomes the top of what it sees. It runs until it is
# killed; the child of this process is process 1. For the rehearsal; needs root.
set -euo pipefail
export ROOT=$1
echo $$ >"$2/cgroup.procs"
# shellcheck disable=SC2016 # the inner shell expands
exec unshare --mount --pid --fork --kill-child --cgroup --net --uts --ipc bash -c '
set -euo pipefail
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
	touch "dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${n%:*}" "dev/${n#*:}"; done
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
echo bare >etc/hostname
# Loopback alone: ip is not part of a bare Debian, the one outside is.
ip link set lo up
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
rmdir /.outside
mount --make-rshared /
exec env -i container=veil PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --show-status=no
'
