#!/bin/bash
# prometheus.sh brings prometheus and promtool out of Debian's package into veil/bin below the cache folder. The package itself is
# not installed: it would start a server of its own. Silent when both are there.
set -euo pipefail
bin=${XDG_CACHE_HOME:-$HOME/.cache}/veil/bin

fail() {
	echo "watch: $*" >&2
	exit 1
}

[ -x "$bin/prometheus" ] && [ -x "$bin/promtool" ] && exit 0
command -v apt-get >/dev/null || fail "this is not Debian: put prometheus and promtool (2.42 or later) into $bin by hand"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo "watch: fetching Debian's package prometheus (once)"
if ! apt-get download -q prometheus >log 2>&1; then
	root=()
	[ "$(id -u)" -eq 0 ] || root=(sudo)
	"${root[@]}" apt-get update -q >log 2>&1 || fail "apt-get update: $(tail -1 log)"
	apt-get download -q prometheus >log 2>&1 || fail "apt-get download prometheus: $(tail -1 log)"
fi
dpkg-deb -x prometheus_*.deb unpacked
mkdir -p "$bin"
install -m 755 unpacked/usr/bin/prometheus unpacked/usr/bin/promtool "$bin/"
