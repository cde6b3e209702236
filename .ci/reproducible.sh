#!/bin/bash
# reproducible.sh builds veil and veil-verify twice from clean clones of this checkout's commit, and compares the bytes. The
# clones lie in folders of different names and depths; each has a build cache of its own that begins empty, another folder for
# temporary files, time zone, language and umask. Some minutes; it leaves nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
git diff --quiet HEAD || echo "reproducible: what is not committed is left out"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

first=$work/a second=$work/second/checkout/of-veil
# Temporary files and cache lie apart: gcc would take a folder whose name begins with the checkout's for a part of it.
# build FOLDER TIMEZONE LANGUAGE UMASK FROM; the second is a clone of the first: the same commit, whatever happens here meanwhile
build() {
	git clone --quiet "$5" "$1"
	mkdir -p "$work/tmp-$4" "$work/cache-$4"
	echo "reproducible: building in $1"
	(
		umask "$4"
		export TMPDIR=$work/tmp-$4 GOCACHE=$work/cache-$4 TZ=$2 LC_ALL=$3
		make --silent -C "$1" build verifiers
	)
}
build "$first" UTC C.UTF-8 022 .
build "$second" Asia/Kolkata C 077 "$first"

fail=0
while read -r file; do
	if ! cmp --silent "$first/$file" "$second/$file"; then
		echo "reproducible: $file differs between the two builds" >&2
		fail=1
	elif [ "$fail" = 0 ]; then
		(cd "$first" && sha256sum "$file")
	fi
done < <(cd "$first" && ls veil dist/*)
[ "$fail" = 0 ] || exit 1
echo "reproducible: the same bytes twice"
