#!/bin/bash
# install.sh GROUP... installs the packages of these groups in packages.txt that are not there yet. Silent when all are.
set -euo pipefail
list=$(dirname "$0")/packages.txt

fail() {
	echo "deps: $*" >&2
	exit 1
}

wanted=()
for group in "$@"; do
	some=$(awk -v g="$group" '!/^#/ && $2 == g { print $1 }' "$list")
	[ -n "$some" ] || fail "no package of group \"$group\" in $list"
	mapfile -t -O ${#wanted[@]} wanted <<<"$some"
done

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
	fail "this is not Debian: install by hand what these are called here: ${wanted[*]}"

installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null | awk '$2 == "installed" { print $1 }' || true)
missing=()
for package in "${wanted[@]}"; do
	grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || fail "missing ${missing[*]}: run as root: apt-get install --no-install-recommends ${missing[*]}"
	root=(sudo)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
why() { grep -E '^(E|Err):' "$log" | tail -1 || tail -1 "$log"; }
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1; }

echo "deps: installing ${missing[*]} (some minutes the first time)"
apt update -q || fail "apt-get update: $(why)"
apt install -y -q --no-install-recommends "${missing[@]}" || fail "apt-get install ${missing[*]}: $(why)"
