#!/bin/bash
# debs.sh VERSION BINARIES WEIGHTS OUT builds veil's own packages into OUT: veil (worker, watched folders, command line),
# veil-queue (NATS) and veil-store (versitygw). BINARIES holds veil, nats-server and versitygw. Times come from SOURCE_DATE_EPOCH.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$1 binaries=$(realpath "$2") weights=$(realpath "$3") out=$(realpath "$4")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
umask 022
# The top of a package becomes the machine's /: not the closed folder that mktemp makes.
root=$scratch/root
mkdir "$root"

# put MODE TARGET FILE... copies files into the package's tree.
put() {
	local mode=$1 target=$2
	shift 2
	install -D -m "$mode" -t "$root/$target" "$@"
}

# pack NAME DEPENDS SUMMARY TEXT [CONFFILE...] closes the tree in $root and begins a new one.
pack() {
	local name=$1 depends=$2 summary=$3 text=$4
	shift 4
	mkdir -p "$root/DEBIAN"
	[ $# = 0 ] || printf '%s\n' "$@" >"$root/DEBIAN/conffiles"
	install -m 0755 "$here/files/postinst" "$root/DEBIAN/postinst"
	sed -i "s/@NAME@/$name/" "$root/DEBIAN/postinst"
	put 0644 "usr/share/doc/$name" "$here/files/copyright"
	put 0644 usr/lib/tmpfiles.d "$here/files/tmpfiles/$name.conf"
	put 0644 usr/lib/sysusers.d "$here/files/sysusers/$name.conf"
	cat >"$root/DEBIAN/control" <<-END
		Package: $name
		Version: $version
		Architecture: amd64
		Maintainer: veil <root@localhost>
		Section: video
		Priority: optional
		Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
		Depends: $depends, systemd-standalone-sysusers | systemd-sysusers, systemd-standalone-tmpfiles | systemd-tmpfiles
		Description: $summary
		 $text
	END
	(cd "$root" && find . -type f -not -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
	dpkg-deb --root-owner-group -Zzstd -z6 --build "$root" "$out" >/dev/null
	rm -rf "$root"
	mkdir "$root"
}

# libraries PROGRAM... names the packages whose libraries the programs load, in the versions they need.
libraries() {
	mkdir -p "$scratch/debian"
	printf 'Source: veil\n\nPackage: veil\nArchitecture: amd64\n' >"$scratch/debian/control"
	(cd "$scratch" && dpkg-shlibdeps -O "$@" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
	rm -rf "$scratch/debian"
}

# The weights lie where the program looks for them; ONNX Runtime lies beside them, and is loaded by its path.
needs=$(libraries "$binaries/veil" -e "$weights/libonnxruntime.so.1.31.1")
[ -n "$needs" ] || { echo "bundle: dpkg-shlibdeps names no library of $binaries/veil" >&2; exit 1; }
put 0755 usr/bin "$binaries/veil"
put 0755 usr/sbin "$here/files/veil-here"
put 0644 usr/share/veil/models "$weights"/*
put 0644 usr/lib/systemd/system "$here"/files/units/veil-{worker,watch}@.service "$here/files/units/veil.target"
put 0644 usr/share/doc/veil "$here/../../docs/install.md" "$here/files/etc/watch.env"
put 0644 etc/veil "$here/files/etc/worker.env"
pack veil "$needs, ffmpeg, ca-certificates, tzdata" "video redaction: worker, watched folders, command line" \
	"Covers the faces in clips of a queue, and signs what was done." /etc/veil/worker.env

put 0755 usr/lib/veil "$binaries/nats-server"
put 0644 usr/lib/systemd/system "$here/files/units/veil-nats.service"
put 0644 etc/veil "$here/files/etc/nats.conf"
pack veil-queue "libc6" "the queue of veil: NATS with JetStream" "Holds the jobs that wait." /etc/veil/nats.conf

put 0755 usr/lib/veil "$binaries/versitygw"
put 0644 usr/lib/systemd/system "$here/files/units/veil-store.service"
put 0644 etc/veil "$here/files/etc/store.env"
pack veil-store "libc6" "the object store of veil: versitygw" "Holds derivatives and evidence." /etc/veil/store.env
